/**
 * A stream: what one counter identity has said, in counter order (MinBFT sections 3 and 4.2). `readNext` is the only judge of
 * it. Its verdict depends on streams, roster and certified blocks alone, never on the reader's clock or opinion, so all correct
 * masters read the same prefix of the same stream alike. An illegal message ends the stream.
 *
 * Where the paper's VIEW-CHANGE carries a log of all messages since the checkpoint, ours carries nothing: its meaning is the
 * stream before it, which every reader has read without a hole. What hyperledger-labs/minbft does with `MessageLog` nested in
 * view changes, which grows with every view, is here one retransmission.
 */
import type { Again, Checkpoint, Commit, Message, NewView, Prepare, Reference } from './messages.ts';

/** The last block at a height that the identity prepared or committed, and in which view. */
export interface Entry {
  readonly view: number;
  readonly block: string;
}
/** What a view change says: the entries above `low` when it was made. */
export interface Change {
  readonly counter: number;
  readonly low: bigint;
  readonly blind: bigint;
  readonly entries: ReadonlyMap<bigint, Entry>;
}
/** A legal new view, by the identity that leads it. */
export interface Lead {
  readonly view: number;
  readonly base: bigint;
  /** Digest of the block at `base`. */
  readonly baseBlock: string;
  /** Blocks that must be prepared again at these heights, gapless above `base`. */
  readonly plan: ReadonlyMap<bigint, string>;
  /** Identities whose view changes it rests on; empty for view 0. */
  readonly quorum: readonly string[];
  /** Blocks that both of them hold: another correct master than the reader looked at these. */
  readonly vouched: ReadonlySet<string>;
  /** Height of its next prepare. */
  readonly next: bigint;
}
export interface Prepared {
  readonly view: number;
  readonly height: bigint;
  readonly block: string;
}
export interface Stream {
  readonly key: string;
  readonly master: number;
  /** Counter expected next. */
  readonly next: number;
  readonly view: number;
  /** Nothing is known of what it did at or below; checkpointed or before its time. */
  readonly low: bigint;
  /** Up to here it may hold commits whose prepares were truncated here: what it committed at these heights is not known. */
  readonly blind: bigint;
  readonly sinceCheckpoint: number;
  readonly entries: ReadonlyMap<bigint, Entry>;
  readonly changes: ReadonlyMap<number, Change>;
  readonly lead?: Lead;
  /** Legal prepares by counter. */
  readonly prepares: ReadonlyMap<number, Prepared>;
  /** From the last vouched checkpoint on. */
  readonly tail: readonly Message[];
  readonly checkpoints: readonly Reference[];
  /** Why its next message was refused. Nothing more is read. */
  readonly fault?: string;
}

export const openStream = (key: string, master: number, low: bigint, lead?: Lead): Stream => ({
  key,
  master,
  next: 1,
  view: 0,
  low,
  blind: low,
  sinceCheckpoint: 0,
  entries: new Map(),
  changes: new Map(),
  ...(lead ? { lead } : {}),
  prepares: new Map(),
  tail: [],
  checkpoints: [],
});

export const with1 = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => new Map(map).set(key, value);

/** Heights above this wait for the identity's next checkpoint, so that a checkpoint never hides work above itself. */
export const horizon = (low: bigint, every: number): bigint => (low / BigInt(every) + 1n) * BigInt(every);

/** What a checkpoint at this height must say of the view that the stream leads. By the horizon nothing above is prepared yet. */
export const leadAt = ({ lead, view }: Stream, height: bigint): Checkpoint['lead'] => {
  if (lead?.view !== view) return null;
  return { quorum: lead.quorum, again: againOf(lead.plan, lead.vouched).filter((a) => a.height > height) };
};
/** A plan as messages say it, and back. */
export const againOf = (plan: Lead['plan'], vouched: Lead['vouched']): readonly Again[] =>
  [...plan].map(([height, block]) => ({ height, block, vouched: vouched.has(block) }));
const planOf = (again: readonly Again[]): Pick<Lead, 'plan' | 'vouched'> => ({
  plan: new Map(again.map((a) => [a.height, a.block])),
  vouched: new Set(again.filter((a) => a.vouched).map((a) => a.block)),
});
/** The other way round: the lead of a stream that is read from the checkpoint on. */
const leadFrom = ({ lead, view, height, certificate }: Checkpoint): Lead | undefined =>
  lead
    ? {
        view,
        base: height,
        baseBlock: certificate.head.block,
        ...planOf(lead.again),
        quorum: lead.quorum,
        next: height + 1n,
      }
    : undefined;

/** The message, at its place: added to the tail, counter moved. */
const appended = (stream: Stream, message: Message, change: Partial<Stream>): Stream => ({
  ...stream,
  sinceCheckpoint: stream.sinceCheckpoint + 1,
  ...change,
  next: message.ui.counter + 1,
  tail: [...stream.tail, message],
});

/** What each legal message does to its stream. */
export const prepared = (stream: Stream, lead: Lead, { view, height, block }: Prepare, message: Message): Stream =>
  appended(stream, message, {
    lead: { ...lead, next: height + 1n },
    entries: with1(stream.entries, height, { view, block }),
    prepares: with1(stream.prepares, message.ui.counter, { view, height, block }),
  });
export const committed = (stream: Stream, { view, height, block }: Commit, message: Message): Stream =>
  appended(stream, message, { view, entries: height > stream.low ? with1(stream.entries, height, { view, block }) : stream.entries });
/** The prepare can't be read, but its height is certified: nothing is concluded from the commit, and `blind` says so. */
export const committedUnseen = (stream: Stream, { view, height }: Commit, message: Message): Stream => {
  const entries = new Map(stream.entries);
  entries.delete(height);
  return appended(stream, message, { view, entries, blind: height > stream.blind ? height : stream.blind });
};
export const changed = (stream: Stream, view: number, message: Message): Stream => {
  const change: Change = { counter: message.ui.counter, low: stream.low, blind: stream.blind, entries: stream.entries };
  return appended(stream, message, { view, changes: with1(stream.changes, view, change) });
};
export const opened = (
  stream: Stream,
  { view, base, quorum }: NewView,
  again: readonly Again[],
  formationBase: { readonly height: bigint; readonly block: string },
  message: Message,
): Stream => {
  const { height, block } = base?.head ?? formationBase;
  const lead: Lead = { view, base: height, baseBlock: block, ...planOf(again), quorum: quorum.map(({ key }) => key), next: height + 1n };
  return appended(stream, message, { view, lead });
};
/** By the horizon it did nothing above. */
export const checkpointed = (stream: Stream, body: Checkpoint, message: Message): Stream => {
  const lead = leadFrom(body);
  return appended(stream, message, {
    view: body.view,
    low: body.height,
    blind: body.height > stream.blind ? body.height : stream.blind,
    sinceCheckpoint: 0,
    entries: new Map(),
    checkpoints: [...stream.checkpoints, { key: stream.key, counter: message.ui.counter }],
    ...(lead ? { lead } : {}),
  });
};
/** A stream that is read from a checkpoint on: what came before it is not known. */
export const anchored = (stream: Stream, body: Checkpoint, message: Message): Stream =>
  checkpointed({ ...openStream(stream.key, stream.master, body.height), next: message.ui.counter }, body, message);
