/**
 * Stream messages as they come: UI verified, held until what they need is there, read in counter order, stored before anything is
 * built on them (MinBFT sections 3 and 4.2).
 */
import { digest } from '@scs/protocol';
import type { Kept, Message } from './messages.ts';
import { latestOf, identityOf } from './roster.ts';
import { checkpointHolds, primaryOf, type Read, readAgain, readNext, uiDigest, type Reader } from './read-stream.ts';
import { set, type State, type Turn } from './state.ts';
import { anchored, type Stream, with1 } from './stream.ts';

/** A stream that has not moved for so many statuses refers to what nobody here has any more. */
const PATIENT_STATUSES = 5;
const impatientOf = ({ env, state }: Turn, { key, next }: Stream): boolean => {
  const at = state.standing.get(key);
  return at?.next === next && state.now - at.since >= PATIENT_STATUSES * env.limits.statusEveryMs;
};
/** Notes on a tick which streams stand still. */
export const watchStreams = (turn: Turn): void => {
  const { state } = turn;
  const standing = [...state.streams.values()].flatMap(({ key, next }) => {
    if ((state.held.get(key)?.size ?? 0) === 0) return [];
    const at = state.standing.get(key);
    return [[key, at?.next === next ? at : { next, since: state.now }] as const];
  });
  set(turn, { standing: new Map(standing) });
};

const readerOf = ({ env, state }: Turn, impatient: boolean): Reader => ({
  impatient,
  env,
  streams: state.streams,
  chain: state.chain,
  blocks: state.blocks,
  base: state.base,
});

/** Counters remembered as vouched for, of one identity; and identities that nobody here has heard of yet, if ever. */
const VOUCHED_MOST = 16;
const UNKNOWN_MOST = 64;
const noteVouches = (turn: Turn, message: Message): void => {
  if (message.body.kind !== 'checkpoint' || !checkpointHolds(turn.env, message.body)) return;
  const { roster } = turn.state.chain;
  const by = identityOf(roster, message.ui.key)?.master;
  let vouches = turn.state.vouches;
  for (const { key, counter } of message.body.seen) {
    if (identityOf(roster, key)?.master === by) continue; // nobody vouches for itself
    vouches = with1(vouches, key, new Set([...(vouches.get(key) ?? []), counter].slice(-VOUCHED_MOST)));
  }
  const unknown = [...vouches.keys()].filter((key) => !identityOf(roster, key)).slice(0, -UNKNOWN_MOST);
  set(turn, { vouches: without(vouches, unknown) });
};
const without = <V>(map: ReadonlyMap<string, V>, keys: readonly string[]): ReadonlyMap<string, V> =>
  keys.length === 0 ? map : new Map([...map].filter(([key]) => !keys.includes(key)));

/**
 * Block and message fit together. The UI covers the block's digest, not its bytes: whoever passes a message on may put others beside it,
 * and that is not its author's fault.
 */
const isWhole = ({ body, bytes }: Message): boolean =>
  body.kind === 'prepare' ? bytes !== undefined && digest('block', bytes) === body.block : bytes === undefined;

/** Takes a message of any identity, from whoever sent it. */
export const receive = (turn: Turn, message: Message): void => {
  const { env, state } = turn;
  const { key, counter } = message.ui;
  const stream = state.streams.get(key);
  if (state.left || !stream || stream.fault !== undefined || counter < stream.next) return;
  const held = state.held.get(key) ?? new Map<number, Message>();
  if (held.has(counter) || (held.size >= env.limits.heldMessages && counter !== stream.next)) return;
  if (!isWhole(message) || !env.holds.ui(message.ui, uiDigest(env, message))) return;
  set(turn, { held: with1(state.held, key, with1(held, counter, message)) });
  noteVouches(turn, message);
};

const dropHeld = (turn: Turn, key: string, below: number): void => {
  const held = turn.state.held.get(key);
  if (!held) return;
  set(turn, { held: with1(turn.state.held, key, new Map([...held].filter(([counter]) => counter >= below))) });
};

/** A stream with a hole is read from a checkpoint that another master has seen (section 4.3: f + 1 of them). */
const anchor = (turn: Turn, stream: Stream): Message | undefined => {
  const vouched = turn.state.vouches.get(stream.key);
  const held = turn.state.held.get(stream.key);
  if (!vouched || !held) return undefined;
  // the earliest: what lies before it is lost, and a new view may rest on that
  return [...held.values()]
    .toSorted((a, b) => a.ui.counter - b.ui.counter)
    .find(
      (m) => m.body.kind === 'checkpoint' && m.ui.counter > stream.next && vouched.has(m.ui.counter) && checkpointHolds(turn.env, m.body),
    );
};

const store = (turn: Turn, message: Kept): void => void turn.out.push({ kind: 'store', record: { kind: 'message', message } });
const settle = (turn: Turn, stream: Stream): void => {
  set(turn, { streams: with1(turn.state.streams, stream.key, stream) });
  dropHeld(turn, stream.key, stream.next);
};
const take = (turn: Turn, { body }: Message, { stream, offered, committed }: Extract<Read, { kind: 'legal' }>): void => {
  settle(turn, stream);
  if (offered && body.kind === 'prepare') set(turn, { blocks: with1(turn.state.blocks, body.block, offered) });
  if (committed) set(turn, { committed: with1(turn.state.committed, committed.height, committed.block) });
};

/** Reads one message if it can: true when something changed. */
const readOne = (turn: Turn, stream: Stream): boolean => {
  if (stream.fault !== undefined) return false;
  const impatient = impatientOf(turn, stream);
  const message = turn.state.held.get(stream.key)?.get(stream.next);
  const read = message && readNext(readerOf(turn, impatient), stream, message);
  if (message && read?.kind === 'legal') {
    const { reading } = read;
    store(turn, reading ? { ...message, reading } : message);
    take(turn, message, read);
    return true;
  }
  if (read?.kind === 'illegal') {
    settle(turn, { ...stream, fault: read.why });
    turn.out.push({ kind: 'condition', code: 'StreamFault', message: `master ${stream.master}: ${read.why}` });
    return true;
  }
  const start = impatient ? anchor(turn, stream) : undefined;
  if (start?.body.kind !== 'checkpoint') return false;
  store(turn, start);
  turn.out.push({ kind: 'store', record: { kind: 'truncate', key: stream.key, counter: start.ui.counter } });
  settle(turn, anchored(stream, start.body, start));
  return true;
};

/** The view is the highest that the own stream entered or that a legal new view opened. */
const followView = (turn: Turn): void => {
  const own = turn.state.streams.get(turn.state.own.key)?.view ?? 0;
  const led = [...turn.state.streams.values()].map((s) => s.lead?.view ?? 0);
  const view = Math.max(turn.state.view, own, ...led);
  if (view === turn.state.view) return;
  // what the world did not bear out in one view it may in the next: another reading is asked for
  const judged = new Map([...turn.state.judged].filter(([, verdict]) => verdict === 'fits'));
  set(turn, { view, wanted: Math.max(view, turn.state.wanted), progressAt: turn.state.now, judged });
};

/** Reads whatever can be read. True when something changed. */
export const readStreams = (turn: Turn): boolean => {
  let changed = false;
  for (let again = true; again;) {
    again = false;
    for (const stream of turn.state.streams.values()) again = readOne(turn, stream) || again;
    changed ||= again;
  }
  if (changed) followView(turn);
  return changed;
};

/**
 * After a crash: what is stored of a stream, from its last truncation on, means what it meant when it was read. Nothing is asked of other
 * streams, of which by now less may be left. Stops at a hole, which a crash can leave. True when something was read.
 */
export const readStored = (turn: Turn, key: string, stored: ReadonlyMap<number, Kept>, anchor: number | undefined): boolean => {
  const before = turn.state.streams.get(key);
  const start = anchor !== undefined && anchor > (before?.next ?? 0) ? stored.get(anchor) : undefined;
  if (before && start?.body.kind === 'checkpoint') settle(turn, anchored(before, start.body, start));
  for (;;) {
    const stream = turn.state.streams.get(key);
    const message = stream && stored.get(stream.next);
    if (!stream || !message) break;
    take(turn, message, readAgain(turn.state.base, stream, message));
  }
  for (const message of stored.values()) noteVouches(turn, message);
  followView(turn);
  return turn.state.streams.get(key)?.next !== before?.next;
};

/** What truncation asks of a tail: its checkpoints and new views, few among many messages. */
const rare = new WeakMap<readonly Message[], readonly Message[]>();
const rareOf = ({ tail }: Stream): readonly Message[] => {
  const known = rare.get(tail);
  if (known) return known;
  const found = tail.filter(({ body }) => body.kind === 'checkpoint' || body.kind === 'new-view');
  rare.set(tail, found);
  return found;
};

/**
 * A view that was read, or may still have to be, rests on a view change before this counter: some new view that was read names it, or
 * the primary of its view has, as far as it was read here, neither opened that view nor gone on. Long silent streams hold up nobody.
 */
const stillNeeded = (turn: Turn, { key, changes }: Stream, counter: number): boolean => {
  const { chain, streams } = turn.state;
  const recent = chain.certified.head.height - 3n * BigInt(turn.env.limits.checkpointEvery);
  const live = [...streams.values()].filter((s) => s.low >= recent);
  const named = live.some((s) =>
    rareOf(s).some(({ body }) => body.kind === 'new-view' && body.quorum.some((q) => q.key === key && q.counter < counter)),
  );
  const awaited = [...changes].some(
    ([view, change]) =>
      change.counter < counter && live.some((s) => s.master === primaryOf(view) && s.view <= view && (s.lead?.view ?? 0) < view),
  );
  return named || awaited;
};

/** Vouched for by what was read of another master and can be passed on: whoever lags must find the same start. */
const isVouched = (turn: Turn, { key, master }: Stream, counter: number): boolean =>
  [...turn.state.streams.values()].some(
    (s) =>
      s.master !== master &&
      s.fault === undefined &&
      rareOf(s).some(({ body }) => body.kind === 'checkpoint' && body.seen.some((r) => r.key === key && r.counter === counter)),
  );

/** Streams from which nothing could be dropped, and the certified height then: what says so is in these alone. */
const whole = new WeakMap<State['streams'], bigint>();

/** Drops what lies before each stream's last vouched checkpoint. */
export const truncate = (turn: Turn): void => {
  const { streams, chain } = turn.state;
  const { height } = chain.certified.head;
  if (whole.get(streams) === height) return;
  cutStreams(turn);
  if (turn.state.streams === streams) whole.set(streams, height);
};
const cutStreams = (turn: Turn): void => {
  for (const stream of turn.state.streams.values()) {
    const first = stream.tail[0]?.ui.counter ?? 0;
    const last = stream.checkpoints.findLast(({ counter }) => counter > first && isVouched(turn, stream, counter));
    if (!last || stillNeeded(turn, stream, last.counter)) continue;
    const from = <V>(map: ReadonlyMap<number, V>, counterOf: (key: number, value: V) => number): Map<number, V> =>
      new Map([...map].filter(([key, value]) => counterOf(key, value) >= last.counter));
    const cut: Stream = {
      ...stream,
      tail: stream.tail.filter((m) => m.ui.counter >= last.counter),
      prepares: from(stream.prepares, (counter) => counter),
      changes: from(stream.changes, (_view, change) => change.counter),
      checkpoints: stream.checkpoints.filter((c) => c.counter >= last.counter),
    };
    set(turn, { streams: with1(turn.state.streams, stream.key, cut) });
    turn.out.push({ kind: 'store', record: { kind: 'truncate', key: stream.key, counter: last.counter } });
  }
};

/** Checkpoints for which the stream of an identity that has ended is kept: whoever is further behind takes certified blocks alone. */
const PAST_CHECKPOINTS = 4n;
/** Drops the streams of who ended long ago: a master that changes its counter again and again must not fill the others' memory. */
export const forgetPast = (turn: Turn): void => {
  const { chain, streams, held, vouches, own } = turn.state;
  const floor = chain.certified.head.height - PAST_CHECKPOINTS * BigInt(turn.env.limits.checkpointEvery);
  const past = [...streams.values()].filter((stream) => {
    const to = identityOf(chain.roster, stream.key)?.to;
    return to !== undefined && to < floor && stream.key !== own.key && !stillNeeded(turn, stream, Infinity);
  });
  if (past.length === 0) return;
  const keys = past.map(({ key }) => key);
  for (const { key, next } of past) turn.out.push({ kind: 'store', record: { kind: 'truncate', key, counter: next } });
  set(turn, { streams: without(streams, keys), held: without(held, keys), vouches: without(vouches, keys) });
};

/** The identity this master speaks with counts from some height on without end. */
export const speaks = (turn: Turn): boolean => latestOf(turn.state.chain.roster, turn.env.index)?.key === turn.state.own.key;
