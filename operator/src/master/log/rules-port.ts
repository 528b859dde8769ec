/** The protocol's rules as the log needs them (rule X2); bound to a genesis in `master/rules.ts`. All functions are pure. */
import type { Block, Command, State } from '@scs/protocol';

export interface Fault {
  readonly code: string;
  readonly message: string;
}
export type Applied = { readonly ok: true; readonly state: State } | { readonly ok: false; readonly fault: Fault };

export interface Rules {
  /** The state at height 0. */
  initial(): State;
  /** One command on its own, as it would fare in a block of this time and height: for choosing what goes into a block. */
  apply(state: State, command: Command, at: { readonly time: number; readonly height: bigint }): Applied;
  /** A whole block on the state of its parent. A fault in any command is a fault of the block. */
  applyBlock(state: State, block: Block): Applied;
  /** Follow-ups that the state itself calls for at this log time. */
  next(state: State, nowMs: number): readonly Command[];
}
