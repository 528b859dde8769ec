/**
 * Port `Log`: what the masters agree on, in order (rules N1, N6, T5). Everything else in `master/` knows only this;
 * `consensus/runtime/minbft-log.ts` is behind it.
 */
import type { Block, Certificate, CertifiedLeaf, Command, State } from '@scs/protocol';

/**
 * What became of a command. Codes beside those of the rules: `Busy` (queues full), `NoLeader` (nobody to propose it),
 * `TimedOut` (not decided in time; it may still be), all of which say "not now" rather than "no".
 */
export type Decision =
  { readonly ok: true; readonly height: bigint } | { readonly ok: false; readonly code: string; readonly message: string };

/** A decided block and what it made of the state. */
export interface Decided {
  readonly block: Block;
  readonly certificate: Certificate;
  readonly state: State;
  /** Keys of all records that the block changed, made or removed. */
  readonly touched: readonly string[];
}

export interface Log {
  /** Resolves when the command is decided or refused, in bounded time; never rejects. The same command twice is one. */
  propose(command: Command): Promise<Decision>;
  /** Tells each block decided from now on, in order, after it is stored. A handler must not throw and must not wait. Returns its removal. */
  onDecided(handler: (decided: Decided) => void): () => void;
  /** Height of the last decided block; 0 before the first. */
  height(): bigint;
  /** Log time in milliseconds: the last block's. */
  time(): number;
  state(): State;
  /** The certificate of the last decided block. */
  certificate(): Certificate | undefined;
  /** The entry with its path under the last certified root; undefined when it is absent or nothing is decided yet. */
  leaf(key: string): CertifiedLeaf | undefined;
  /** A decided block, from the store. */
  block(height: bigint): Block | undefined;
  /** Whether this master orders the commands and does the effects now. */
  isPrimary(): boolean;
  /** Index of the master that does, as far as known. */
  primary(): number | undefined;
  /** There may be something new to propose. */
  wake(): void;
}

/** What the proposer may put into blocks beside what was submitted: commands that it gathered by its own reading. */
export interface Candidates {
  /** Commands that seem due on this state, bounded; asked for before each block. */
  take(state: State, nowMs: number): readonly Command[];
  /** A candidate was refused by the rules or by the other masters; it should not come back at once. */
  refused(command: Command, code: string, message: string): void;
}

/** What a master says of a block by its own reading of the world; `command` is the index of the first refused one. */
export type Testimony =
  | { readonly kind: 'fits' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly command?: number }
  /** It can't tell now (an API server or a chain away): ask again, or without that command. */
  | { readonly kind: 'unknown'; readonly message: string; readonly command?: number };

/** Checks a proposal against the world. `before` and `after` are the states around the block. */
export interface Witness {
  check(block: Block, before: State, after: State): Promise<Testimony>;
}
