/**
 * A stream: what one counter identity has said, in counter order (MinBFT sections 3 and 4.2). `readNext` is the only judge of
 * it. Its verdict depends on streams, roster and certified blocks alone, never on the reader's clock or opinion, so all correct
 * masters read the same prefix of the same stream alike. An illegal message ends the stream.
 *
 * Where the paper's VIEW-CHANGE carries a log of all messages since the checkpoint, ours carries nothing: its meaning is the
 * stream before it, which every reader has read without a hole. What hyperledger-labs/minbft does with `MessageLog` nested in
 * view changes, which grows with every view, is here one retransmission.
 */
import type { Checkpoint, Message, Reference } from './messages.ts';

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
  const again = [...lead.plan].filter(([h]) => h > height).map(([h, block]) => ({ height: h, block, vouched: lead.vouched.has(block) }));
  return { quorum: lead.quorum, again };
};
/** The other way round: the lead of a stream that is read from the checkpoint on. */
export const leadFrom = ({ lead, view, height, certificate }: Checkpoint): Lead | undefined =>
  lead
    ? {
        view,
        base: height,
        baseBlock: certificate.head.block,
        plan: new Map(lead.again.map((a) => [a.height, a.block])),
        vouched: new Set(lead.again.filter((a) => a.vouched).map((a) => a.block)),
        quorum: lead.quorum,
        next: height + 1n,
      }
    : undefined;

/** The message, at its place: added to the tail, counter moved. */
export const appended = (stream: Stream, message: Message, change: Partial<Stream>): Stream => ({
  ...stream,
  sinceCheckpoint: stream.sinceCheckpoint + 1,
  ...change,
  next: message.ui.counter + 1,
  tail: [...stream.tail, message],
});
