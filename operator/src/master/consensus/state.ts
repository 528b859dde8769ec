/** A master's whole agreement state, and what goes in and out of `step`. Everything here is a value; nothing is changed in place. */
import type { Block, Certificate, Entry, Head, Vote } from '@scs/protocol';
import type { Chain, Evaluated, Tip } from './chain.ts';
import type { Environment } from './environment.ts';
import type { Fetch } from './fetch-state.ts';
import type { Body, Kept, Message, Ui, Wire } from './messages.ts';
import type { Offered } from './plan.ts';
import { primaryOf } from './read-stream.ts';
import { countsAt, type Roster } from './roster.ts';
import { openStream, type Stream } from './stream.ts';

export interface HeldVote {
  readonly head: Head;
  readonly vote: Vote;
}
export interface Waiting {
  readonly bytes: Uint8Array;
  readonly since: number;
  /** The master that brought it. */
  readonly from: number;
}
/** Own message that is stored and waits for its UI. */
export interface Intent {
  readonly body: Body;
  readonly bytes?: Uint8Array;
}
/** Why a master asks for another primary: nothing was decided in time, who the view rests on has ended (N8), its effects are not done (N6). */
export type Discontent = 'stalled' | 'outlived' | 'neglected';
export type Verdict = 'asked' | 'fits' | 'refused';

export interface State {
  readonly now: number;
  readonly view: number;
  /** When this view was entered, or when work last went on in it; milliseconds of the driver's monotonic clock. */
  readonly progressAt: number;
  /** View changes since something was last decided: each doubles the patience. */
  readonly attempts: number;
  /** View that this master asks for; as `view` when it is content. */
  readonly wanted: number;
  /** Why it asked last. */
  readonly wantedFor?: Discontent;
  readonly requests: ReadonlyMap<number, number>;
  readonly statusAt: number;
  readonly chain: Chain;
  readonly base: { readonly height: bigint; readonly block: string };
  readonly streams: ReadonlyMap<string, Stream>;
  readonly held: ReadonlyMap<string, ReadonlyMap<number, Message>>;
  /** Checkpoints that another master's checkpoint has seen: key to counters. */
  /** Streams with held messages: the counter they stand at, and since when. */
  readonly standing: ReadonlyMap<string, { readonly next: number; readonly since: number }>;
  readonly vouches: ReadonlyMap<string, ReadonlySet<number>>;
  readonly blocks: ReadonlyMap<string, Offered>;
  readonly evaluated: ReadonlyMap<string, Evaluated>;
  /** Blocks with a legal commit, above the decided height. */
  readonly committed: ReadonlyMap<bigint, string>;
  readonly votes: ReadonlyMap<bigint, ReadonlyMap<number, HeldVote>>;
  /** Votes against what was decided here: somebody may hold the same master's other vote. Passed on until one does. */
  readonly suspects: readonly HeldVote[];
  /** Masters already known to have voted twice at a height, as `height/master`. */
  readonly offences: ReadonlySet<string>;
  readonly judged: ReadonlyMap<string, Verdict>;
  /** Own block that is looked at before it is offered. */
  readonly draft?: { readonly digest: string; readonly block: Block; readonly bytes: Uint8Array };
  readonly pool: ReadonlyMap<string, Waiting>;
  /** Until when nothing is offered of what a peer brought, as some of it was untrue; then one at a time, until one is decided. */
  readonly doubted?: ReadonlyMap<number, number>;
  /** The pool that held nothing for a block on that parent, and when. */
  readonly barren?: { readonly pool: ReadonlyMap<string, Waiting>; readonly parent: string; readonly at: number };
  /** Own counter identity; its pending message. `muted`: why it says nothing. */
  readonly own: { readonly key: string; readonly intent?: Intent; readonly muted?: string };
  /** State of a snapshot that is being fetched, or was when this master stopped. */
  readonly fetch?: Fetch;
  /** It has confirmed another formation, and reads no stream of this one any more (`leave`). */
  readonly left?: boolean;
  /** Set when safety is known to be broken: nothing more is said. */
  readonly halted?: string;
}

export type Input =
  | { readonly kind: 'message'; readonly from: number; readonly wire: Wire }
  | { readonly kind: 'ui'; readonly ui: Ui }
  | {
      readonly kind: 'judged';
      readonly block: string;
      readonly fits: boolean;
      /** Index of the command that doesn't. */ readonly command?: number;
    }
  | { readonly kind: 'command'; readonly bytes: Uint8Array }
  /** The primary of this view leaves undone what follows from decisions; this master has done it in its place. */
  | { readonly kind: 'neglected'; readonly view: number }
  | { readonly kind: 'tick'; readonly now: number };

/** To be stored before any later output of the same list is acted upon. */
export type Stored =
  | { readonly kind: 'intent'; readonly key: string; readonly intent: Intent }
  | { readonly kind: 'message'; readonly message: Kept }
  /** Messages of this identity below the counter are no longer needed. */
  | { readonly kind: 'truncate'; readonly key: string; readonly counter: number }
  /** Once for a generation and height (G4). */
  | { readonly kind: 'vote'; readonly head: Head }
  | { readonly kind: 'certified'; readonly tip: Tip; readonly certificate: Certificate }
  /** Entries fetched of a snapshot: what a crash would otherwise cost. */
  | { readonly kind: 'part'; readonly entries: readonly Entry[] }
  /** The state after this block takes the place of the stored one; blocks below may be missing, parts are no longer needed. */
  | { readonly kind: 'snapshot'; readonly tip: Tip; readonly certificate: Certificate };

export type Condition = 'CounterAhead' | 'NotAdmitted' | 'Fork' | 'StreamFault' | 'DecidedInvalid' | 'ProtocolVersionUnknown';
export type Output =
  | { readonly kind: 'store'; readonly record: Stored }
  | { readonly kind: 'create-ui'; readonly digest: string }
  | { readonly kind: 'send'; readonly to: number; readonly wire: Wire }
  /** Send blocks from the store from this height on, a page of them, as `certified`. */
  | { readonly kind: 'send-blocks'; readonly to: number; readonly from: bigint }
  /** Is the block true by this master's own reading of the world? `again`: offered before, so it may be old, never ahead (T5). */
  | { readonly kind: 'judge'; readonly block: string; readonly bytes: Uint8Array; readonly again: boolean }
  | { readonly kind: 'decided'; readonly tip: Tip; readonly certificate: Certificate }
  | { readonly kind: 'refused'; readonly command: Uint8Array; readonly why: string }
  /** Two decide votes of one master over different heads (G4). */
  | { readonly kind: 'evidence'; readonly first: HeldVote; readonly second: HeldVote }
  | { readonly kind: 'condition'; readonly code: Condition; readonly message: string };

/** One step under way. Handlers replace `state` and add to `out`. */
export interface Turn {
  readonly env: Environment;
  state: State;
  readonly out: Output[];
}
export const set = (turn: Turn, change: Partial<State>): void => {
  turn.state = { ...turn.state, ...change };
};
export const othersOf = (index: number): readonly number[] => [0, 1, 2].filter((i) => i !== index);
export const broadcast = (turn: Turn, wire: Wire): void => {
  for (const to of othersOf(turn.env.index)) turn.out.push({ kind: 'send', to, wire });
};

export const ownStream = (state: State): Stream | undefined => state.streams.get(state.own.key);

/** The stream that leads the current view where it counts; undefined between views. */
export const leaderOf = (state: State, height: bigint): Stream | undefined =>
  [...state.streams.values()].find(
    (s) => s.lead?.view === state.view && s.master === primaryOf(state.view) && countsAt(state.chain.roster, s.key, height),
  );

/** Streams for all identities of the roster. Masters of the first roster start in view 0, led by master 0. */
export const streamsFor = (
  streams: ReadonlyMap<string, Stream>,
  roster: Roster,
  base: { readonly height: bigint; readonly block: string },
): ReadonlyMap<string, Stream> => {
  const all = new Map(streams);
  for (const { key, master, from } of roster) {
    if (all.has(key)) continue;
    const first = from === base.height + 1n;
    const lead = { view: 0, base: base.height, baseBlock: base.block, plan: new Map(), quorum: [], vouched: new Set<string>(), next: from };
    all.set(key, first && master === 0 ? openStream(key, master, from - 1n, lead) : openStream(key, master, from - 1n));
  }
  return all;
};

export const startState = (chain: Chain, base: { readonly height: bigint; readonly block: string }, key: string): State => ({
  now: 0,
  view: 0,
  progressAt: 0,
  attempts: 0,
  wanted: 0,
  requests: new Map(),
  statusAt: 0,
  chain,
  base,
  streams: streamsFor(new Map(), chain.roster, base),
  held: new Map(),
  standing: new Map(),
  vouches: new Map(),
  blocks: new Map(),
  evaluated: new Map(),
  committed: new Map(),
  votes: new Map(),
  suspects: [],
  offences: new Set(),
  judged: new Map(),
  pool: new Map(),
  own: { key },
});
