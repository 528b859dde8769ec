/** How the Move VM says that a contract refused: `Move abort in 0x7::escrow: E_ESCROW_INSUFFICIENT(0x10003)`. */

export interface MoveAbort {
  /** Name of the contract, `escrow`. */
  readonly module: string;
  /** The word of docs/contracts.md, `EscrowInsufficient`. */
  readonly word: string;
}

const MOVE_ABORT = /Move abort in 0x[0-9a-f]+::(\w+): (E\w*)\(0x[0-9a-f]+\)/i;

/** `E_TOO_FEW_VOTES` -> `TooFewVotes`. */
const wordOf = (name: string): string =>
  name
    .replace(/^E_?/, '')
    .toLowerCase()
    .replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase());

/** The abort in a VM status or in a node's error about one; undefined when it holds none that has a name. */
export const moveAbort = (vmStatus: string): MoveAbort | undefined => {
  const [, module, name] = MOVE_ABORT.exec(vmStatus) ?? [];
  return module === undefined || name === undefined ? undefined : { module, word: wordOf(name) };
};
