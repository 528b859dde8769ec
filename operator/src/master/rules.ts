/** The rules of `@scs/protocol`, bound to one genesis: what the log needs of them. */
import { NEWEST_PROTOCOL, type Genesis } from '@scs/protocol';
import { apply, applyBlock } from '@scs/protocol/rules/apply.ts';
import { nextCommands } from '@scs/protocol/rules/due.ts';
import { initialState } from '@scs/protocol/rules/genesis-state.ts';
import type { Applied, Rules } from './log/rules-port.ts';

/**
 * What throws is a mistake of ours that some command found. It is refused like any other fault: the rules are pure, so every
 * master comes to the same, and the log goes on without it.
 */
const orFault = (work: () => Applied): Applied => {
  try {
    return work();
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, 300) : 'unknown';
    return { ok: false, fault: { code: 'RulesFailed', message: `the rules failed on it: ${message}` } };
  }
};

/** `newest`: version of the protocol that this build carries; see `protocol-version.ts`. */
export const rulesOf = (genesis: Genesis, genesisDigest: string, newest = NEWEST_PROTOCOL): Rules => ({
  initial: () => initialState(genesis),
  apply: (state, command, { time, height }) => orFault(() => apply(state, command, { genesis, genesisDigest, time, height, newest })),
  applyBlock: (state, block) => orFault(() => applyBlock(state, block, { genesis, genesisDigest, newest })),
  next: (state, nowMs) => nextCommands(state, nowMs, genesis),
});
