/**
 * Legality of a stream's next message: MinBFT's acceptance conditions, one function a kind (sections 4.2 to 4.4; rules N2, N8).
 * `wait` means that something it refers to has not been read here yet; the same message is tried again later.
 */
import { encodeCanonical, equalBytes, MASTERS } from '@scs/protocol';
import { blockOf, type Chain, decidedHeight } from './chain.ts';
import type { Environment } from './environment.ts';
import type { Body, Checkpoint, Commit, Message, NewView, Prepare, Reference } from './messages.ts';
import { bodyDigest } from './messages.ts';
import { type Offered, planAbove } from './plan.ts';
import { countsAt, identityOf } from './roster.ts';
import { appended, type Change, horizon, type Lead, leadAt, leadFrom, type Stream, with1 } from './stream.ts';

export interface Reader {
  readonly env: Environment;
  readonly streams: ReadonlyMap<string, Stream>;
  readonly chain: Chain;
  readonly blocks: ReadonlyMap<string, Offered>;
  /** Waited long enough for what the stream refers to: what is final anyway need not be seen. */
  readonly impatient: boolean;
  /** The formation's base: height and block. */
  readonly base: { readonly height: bigint; readonly block: string };
}
export interface Committed {
  readonly height: bigint;
  readonly block: string;
}
export type Read =
  | { readonly kind: 'legal'; readonly stream: Stream; readonly committed?: Committed; readonly offered?: Offered }
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'illegal'; readonly why: string };

const illegal = (why: string): Read => ({ kind: 'illegal', why });
const wait = (why: string): Read => ({ kind: 'wait', why });
const SEEN_MOST = 9;

export const primaryOf = (view: number): number => view % MASTERS;
/** Who counts at a height is known once blocks up to a window below it are decided here. */
const rosterKnown = (r: Reader, height: bigint): boolean => height <= decidedHeight(r.chain) + BigInt(r.env.limits.window);

const readPrepare = (r: Reader, stream: Stream, body: Prepare, message: Message): Read => {
  const { lead } = stream;
  if (!lead || lead.view !== body.view || stream.view !== body.view) return illegal('prepares in a view it does not lead');
  if (body.height !== lead.next) return illegal('prepares out of order');
  if (body.height > horizon(stream.low, r.env.limits.checkpointEvery)) return illegal('prepares above its checkpoint');
  if (!rosterKnown(r, body.height)) return wait('who counts there is not decided here');
  if (!countsAt(r.chain.roster, stream.key, body.height)) return illegal('prepares where it does not count');
  if (!lead.quorum.every((key) => countsAt(r.chain.roster, key, body.height))) return illegal('its view rests on who does not count there');
  const planned = lead.plan.get(body.height);
  if (planned !== undefined && planned !== body.block) return illegal('leaves out what its view must offer again');
  const { bytes } = message;
  if (!bytes || blockOf(bytes)?.height !== body.height) return illegal('the block is not what it says');
  const { view, height, block } = body;
  const change = {
    lead: { ...lead, next: height + 1n },
    entries: with1(stream.entries, height, { view, block }),
    prepares: with1(stream.prepares, message.ui.counter, { view, height, block }),
  };
  return { kind: 'legal', stream: appended(stream, message, change), offered: { height, bytes } };
};

/** The stream that is referred to, if it is read that far. */
const seek = (r: Reader, { key, counter }: Reference): Stream | Read => {
  const stream = r.streams.get(key);
  if (!stream) return wait(`stream ${key.slice(0, 8)} is unknown`);
  if (counter >= stream.next)
    return stream.fault === undefined
      ? wait(`stream ${key.slice(0, 8)} is read up to ${stream.next - 1}`)
      : illegal('refers to a refused message');
  return stream;
};
const isTruncated = (stream: Stream, counter: number): boolean => counter < (stream.tail[0]?.ui.counter ?? stream.next);

/** The prepare can't be read, but its height is certified: nothing is concluded from the commit, and `blind` says so. */
const commitUnseen = (stream: Stream, { view, height }: Commit, message: Message): Read => {
  const entries = new Map(stream.entries);
  entries.delete(height);
  return { kind: 'legal', stream: appended(stream, message, { view, entries, blind: height > stream.blind ? height : stream.blind }) };
};

const readCommit = (r: Reader, stream: Stream, body: Commit, message: Message): Read => {
  if (body.view < stream.view) return illegal('commits in a view it has left');
  if (primaryOf(body.view) === stream.master) return illegal('commits in its own view');
  if (body.height > horizon(stream.low, r.env.limits.checkpointEvery)) return illegal('commits above its checkpoint');
  if (!rosterKnown(r, body.height)) return wait('who counts there is not decided here');
  if (!countsAt(r.chain.roster, stream.key, body.height)) return illegal('commits where it does not count');
  if (stream.entries.get(body.height)?.view === body.view) return illegal('commits twice');
  const target = seek(r, body.prepare);
  if ('kind' in target) {
    const final = body.height <= r.chain.certified.head.height;
    return target.kind === 'wait' && final && r.impatient ? commitUnseen(stream, body, message) : target;
  }
  if (isTruncated(target, body.prepare.counter))
    return body.height <= target.low ? commitUnseen(stream, body, message) : illegal('there is no such prepare');
  const prepared = target.prepares.get(body.prepare.counter);
  if (!prepared || prepared.view !== body.view || prepared.height !== body.height || prepared.block !== body.block)
    return illegal('there is no such prepare');
  const { view, height, block } = body;
  const change = { view, entries: height > stream.low ? with1(stream.entries, height, { view, block }) : stream.entries };
  return { kind: 'legal', stream: appended(stream, message, change), committed: { height, block } };
};

const readViewChange = (stream: Stream, view: number, message: Message): Read => {
  if (view <= stream.view) return illegal('changes to a view that is not above its own');
  const change: Change = { counter: message.ui.counter, low: stream.low, blind: stream.blind, entries: stream.entries };
  return { kind: 'legal', stream: appended(stream, message, { view, changes: with1(stream.changes, view, change) }) };
};

const changeAt = (r: Reader, view: number, reference: Reference): Change | Read => {
  const target = seek(r, reference);
  if ('kind' in target) return target;
  if (isTruncated(target, reference.counter)) return wait('a view change of its quorum is truncated');
  const change = target.changes.get(view);
  return change?.counter === reference.counter ? change : illegal('there is no such view change');
};

const readNewView = (r: Reader, stream: Stream, body: NewView, message: Message): Read => {
  if (primaryOf(body.view) !== stream.master) return illegal('opens a view that is not its own');
  if (body.view < 1 || body.view < stream.view || (stream.lead && stream.lead.view >= body.view)) return illegal('opens a view again');
  const masters = body.quorum.map(({ key }) => identityOf(r.chain.roster, key)?.master);
  if (masters.includes(undefined)) return wait('an identity of its quorum is unknown');
  if (masters[0] === masters[1]) return illegal('its quorum is one master');
  const changes: Change[] = [];
  for (const reference of body.quorum) {
    const change = changeAt(r, body.view, reference);
    if ('kind' in change) return change;
    changes.push(change);
  }
  if (body.base && !r.env.holds.certificate(body.base)) return illegal('its base is not certified');
  const base = body.base?.head.height ?? r.base.height;
  if (changes.some((c) => c.low > base)) return illegal('its base lies below a checkpoint of its quorum');
  if (changes.some((c) => c.blind > base)) return wait('not all is known that its quorum committed above its base');
  const planned = planAbove(r.env, r.chain, r.blocks, base, changes);
  if (planned.kind === 'wait') return planned;
  const lead: Lead = {
    view: body.view,
    base,
    baseBlock: body.base?.head.block ?? r.base.block,
    plan: planned.plan.blocks,
    vouched: planned.plan.vouched,
    quorum: body.quorum.map(({ key }) => key),
    next: base + 1n,
  };
  return { kind: 'legal', stream: appended(stream, message, { view: body.view, lead }) };
};

/** Whether it is a checkpoint by itself, whatever came before. */
export const checkpointHolds = (env: Environment, body: Checkpoint): boolean =>
  body.height === body.certificate.head.height &&
  body.height % BigInt(env.limits.checkpointEvery) === 0n &&
  body.seen.length <= SEEN_MOST &&
  env.holds.certificate(body.certificate);

/** What is left of a stream at its checkpoint: by the horizon it did nothing above. */
export const atCheckpoint = (stream: Stream, body: Checkpoint, counter: number): Partial<Stream> => {
  const lead = leadFrom(body);
  return {
    view: body.view,
    low: body.height,
    blind: body.height > stream.blind ? body.height : stream.blind,
    sinceCheckpoint: 0,
    entries: new Map(),
    checkpoints: [...stream.checkpoints, { key: stream.key, counter }],
    ...(lead ? { lead } : {}),
  };
};

const readCheckpoint = (r: Reader, stream: Stream, body: Checkpoint, message: Message): Read => {
  if (body.view !== stream.view || body.height <= stream.low) return illegal('its checkpoint is out of order');
  if (!checkpointHolds(r.env, body)) return illegal('its checkpoint is not certified');
  const { lead } = body;
  if (!equalBytes(encodeCanonical({ lead }), encodeCanonical({ lead: leadAt(stream, body.height) })))
    return illegal('its checkpoint hides what binds it');
  return { kind: 'legal', stream: appended(stream, message, atCheckpoint(stream, body, message.ui.counter)) };
};

const readBody = (r: Reader, stream: Stream, body: Body, message: Message): Read => {
  switch (body.kind) {
    case 'prepare':
      return readPrepare(r, stream, body, message);
    case 'commit':
      return readCommit(r, stream, body, message);
    case 'view-change':
      return readViewChange(stream, body.view, message);
    case 'new-view':
      return readNewView(r, stream, body, message);
    case 'checkpoint':
      return readCheckpoint(r, stream, body, message);
  }
};

/** The message must carry the stream's next counter. Its UI was verified when it arrived, its block compared with the digest. */
export const readNext = (r: Reader, stream: Stream, message: Message): Read => {
  if (stream.fault !== undefined) return illegal(stream.fault);
  if (message.ui.counter !== stream.next) return wait(`counter ${stream.next} comes first`);
  if (stream.sinceCheckpoint >= r.env.limits.tailMessages) return illegal('its stream grows without a checkpoint');
  return readBody(r, stream, message.body, message);
};

/** What a message's UI must cover. */
export const uiDigest = (env: Environment, message: Message): string => bodyDigest(env.formation, message.body);
