/** What goes into the next block: what is due by the state itself, what was submitted, what was gathered (rule T5 for its time). */
import { encodeBlock, encodeCommand, type Block, type Command, type State } from '@scs/protocol';
import type { Fault, Rules } from './rules-port.ts';

export interface BlockLimits {
  readonly commands: number;
  readonly bytes: number;
}
export const BLOCK_LIMITS: BlockLimits = { commands: 400, bytes: 4 * 1024 * 1024 };

export interface Chosen {
  readonly bytes: Uint8Array;
  readonly block: Block;
}
export interface BuildInput {
  readonly rules: Rules;
  readonly state: State;
  readonly base: Omit<Block, 'commands'>;
  /** In this order: what is due, what was submitted, what was gathered. */
  readonly commands: readonly Command[];
  readonly limits?: BlockLimits;
  /** Asked before each command but the first: true leaves the rest for the next block. */
  readonly enough?: () => boolean;
  /** Told of each command that the rules don't let into a block. */
  readonly refused: (command: Command, fault: Fault) => void;
}

/** Bytes of the command in a block; undefined when it has no canonical form, as when a chain's node tells absurd numbers. */
const sizeOf = (command: Command): number | undefined => {
  try {
    return encodeCommand(command).length;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
};

/** A block of the commands that apply one after the other; undefined when none does. What doesn't fit waits for the next. */
export const buildBlock = ({
  rules,
  state,
  base,
  commands,
  limits = BLOCK_LIMITS,
  enough = () => false,
  refused,
}: BuildInput): Chosen | undefined => {
  const context = { time: base.time, height: base.height };
  const chosen: Command[] = [];
  let at = state;
  let bytes = 0;
  for (const command of commands) {
    const size = sizeOf(command);
    if (size === undefined) {
      refused(command, { code: 'CommandMalformed', message: 'it has no canonical form' });
      continue;
    }
    if (chosen.length >= limits.commands || bytes + size > limits.bytes || (chosen.length > 0 && enough())) break;
    const applied = rules.apply(at, command, context);
    if (!applied.ok) {
      // What only stands against it in this block is not decided yet, and may never be: it waits for the next.
      const decided = at === state ? applied : rules.apply(state, command, context);
      if (!decided.ok) refused(command, decided.fault);
      continue;
    }
    at = applied.state;
    bytes += size;
    chosen.push(command);
  }
  if (chosen.length === 0) return undefined;
  const block: Block = { ...base, commands: chosen };
  return { block, bytes: encodeBlock(block) };
};
