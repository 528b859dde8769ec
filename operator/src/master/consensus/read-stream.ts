/**
 * Legality of a stream's next message: MinBFT's acceptance conditions, one function a kind (sections 4.2 to 4.4; rules N2, N8).
 * `wait` means that something it refers to has not been read here yet; the same message is tried again later.
 */
import { encodeCanonical, equalBytes, MASTERS } from '@scs/protocol';
import { blockOf, type Chain, decidedHeight } from './chain.ts';
import type { Environment } from './environment.ts';
import type { Body, Checkpoint, Commit, Kept, Message, NewView, Prepare, Reading, Reference } from './messages.ts';
import { bodyDigest } from './messages.ts';
import { type Offered, planAbove } from './plan.ts';
import { countsAt, identityOf } from './roster.ts';
import {
  againOf,
  type Change,
  changed,
  checkpointed,
  committed,
  committedUnseen,
  horizon,
  leadAt,
  opened,
  prepared,
  type Stream,
} from './stream.ts';

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
  | {
      readonly kind: 'legal';
      readonly stream: Stream;
      readonly committed?: Committed;
      readonly offered?: Offered;
      readonly reading?: Reading;
    }
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
  return { kind: 'legal', stream: prepared(stream, lead, body, message), offered: { height: body.height, bytes } };
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

const commitUnseen = (stream: Stream, body: Commit, message: Message): Read => ({
  kind: 'legal',
  stream: committedUnseen(stream, body, message),
  reading: { unseen: true },
});

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
  const made = target.prepares.get(body.prepare.counter);
  if (!made || made.view !== body.view || made.height !== body.height || made.block !== body.block)
    return illegal('there is no such prepare');
  const { height, block } = body;
  return { kind: 'legal', stream: committed(stream, body, message), committed: { height, block } };
};

const readViewChange = (stream: Stream, view: number, message: Message): Read => {
  if (view <= stream.view) return illegal('changes to a view that is not above its own');
  return { kind: 'legal', stream: changed(stream, view, message) };
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
  const again = againOf(planned.plan.blocks, planned.plan.vouched);
  return { kind: 'legal', stream: opened(stream, body, again, r.base, message), reading: { again } };
};

/** Whether it is a checkpoint by itself, whatever came before. */
export const checkpointHolds = (env: Environment, body: Checkpoint): boolean =>
  body.height === body.certificate.head.height &&
  body.height % BigInt(env.limits.checkpointEvery) === 0n &&
  body.seen.length <= SEEN_MOST &&
  env.holds.certificate(body.certificate);

const readCheckpoint = (r: Reader, stream: Stream, body: Checkpoint, message: Message): Read => {
  if (body.view !== stream.view || body.height <= stream.low) return illegal('its checkpoint is out of order');
  if (!checkpointHolds(r.env, body)) return illegal('its checkpoint is not certified');
  const { lead } = body;
  if (!equalBytes(encodeCanonical({ lead }), encodeCanonical({ lead: leadAt(stream, body.height) })))
    return illegal('its checkpoint hides what binds it');
  return { kind: 'legal', stream: checkpointed(stream, body, message) };
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

/** A stored message: it was read as legal before, with what its reading rested on. Throws RangeError when that was not kept. */
export const readAgain = (base: Reader['base'], stream: Stream, { reading, ...message }: Kept): Extract<Read, { kind: 'legal' }> => {
  const { body, bytes } = message;
  const legal = (after: Stream): Extract<Read, { kind: 'legal' }> => ({ kind: 'legal', stream: after });
  switch (body.kind) {
    case 'prepare':
      if (!stream.lead || !bytes) throw new RangeError(`stored prepare of ${body.height} without its lead or block`);
      return { ...legal(prepared(stream, stream.lead, body, message)), offered: { height: body.height, bytes } };
    case 'commit':
      if (reading?.unseen) return legal(committedUnseen(stream, body, message));
      return { ...legal(committed(stream, body, message)), committed: { height: body.height, block: body.block } };
    case 'view-change':
      return legal(changed(stream, body.view, message));
    case 'new-view':
      if (!reading?.again) throw new RangeError(`stored new view ${body.view} without its plan`);
      return legal(opened(stream, body, reading.again, base, message));
    case 'checkpoint':
      return legal(checkpointed(stream, body, message));
  }
};

/** What a message's UI must cover. */
export const uiDigest = (env: Environment, message: Message): string => bodyDigest(env.formation, message.body);
