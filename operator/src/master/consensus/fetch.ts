/**
 * Snapshots (MinBFT section 4.3, state transfer; rules X1, N9): a master that is further behind than its peers keep blocks, or has lost its
 * disk, fetches the state after a certified block, and goes on from there with certified blocks. The state comes in parts that the
 * certified root proves one by one (`merkle-parts.ts` of the protocol), so nobody is believed: a peer whose part is
 * false or doesn't come is left for the next. What is here already, of any earlier state or any earlier attempt, is not asked for.
 */
import {
  digest,
  EMPTY_PART,
  hex,
  isPartOf,
  partAt,
  type Certificate,
  type Entry,
  type MerkleMap,
  type Part,
  State as Records,
  withPart,
} from '@scs/protocol';
import { blockOf, type Chain, decidedHeight, type Tip } from './chain.ts';
import { prune } from './decide.ts';
import type { Fetch, Offer, Wanted } from './fetch-state.ts';
import type { Status } from './messages.ts';
import { admit, identityOf, type Roster } from './roster.ts';
import { set, streamsFor, type State, type Turn } from './state.ts';
import { with1 } from './stream.ts';

/** Parts asked for at a time: with `partBytes`, what is under way. */
const ASKED_MOST = 8;
/** In statuses. */
const PATIENCE = 8;
const TRIES = 3;

// --- the side that has the state ---------------------------------------------------------------------------------------------

/** True when this peer should rather take a snapshot than blocks; it is told once, and again until it says that it fetches it. */
export const offer = ({ state, env, out }: Turn, to: number, { certified, fetching }: Status): boolean => {
  const [tip] = state.chain.snapshots;
  if (!tip?.certificate || tip.head.height <= certified) return false;
  if (certified >= state.chain.floor && tip.head.height < certified + BigInt(env.limits.snapshotEvery)) return false;
  if (fetching !== tip.head.height)
    out.push({ kind: 'send', to, wire: { kind: 'snapshot', bytes: tip.bytes, certificate: tip.certificate } });
  return true;
};
/** A snapshot that is no longer kept is not answered for: the next status brings another offer. */
export const sendPart = ({ state, env, out }: Turn, to: number, height: bigint, prefix: string): void => {
  const tip = state.chain.snapshots.find(({ head }) => head.height === height);
  if (!tip) return;
  const part = partAt(tip.records.map, prefix, env.limits.partBytes);
  out.push({ kind: 'send', to, wire: { kind: 'part', height, prefix, part } });
};

// --- the side that lacks it --------------------------------------------------------------------------------------------------

const beginWith = (have: MerkleMap): Fetch => ({ offers: new Map(), have, work: [], asked: new Map() });
/** After a crash: with the entries that had come, on top of the state there was. */
export const fetchAgain = ({ certified }: Chain, parts: readonly Entry[]): Fetch =>
  beginWith(parts.reduce((map, [key, value]) => map.set(key, value), certified.records.map));

const current = ({ from, offers }: Fetch): Offer | undefined => (from === undefined ? undefined : offers.get(from));
export const fetchingFrom = ({ fetch }: State, to: number): bigint => fetch?.offers.get(to)?.certificate.head.height ?? 0n;
const rootOf = ({ certificate }: Offer): Wanted => ({ prefix: '', hash: certificate.head.stateRoot });
const change = (turn: Turn, to: Partial<Fetch>): void => {
  const { fetch } = turn.state;
  if (fetch) set(turn, { fetch: { ...fetch, ...to } });
};

/** Asks this peer from now on, from the root downwards; what is here is not asked for again. */
const turnTo = (turn: Turn, { offers, have }: Fetch, from: number, target: Offer): void => {
  set(turn, { fetch: { from, offers, have, work: [rootOf(target)], asked: new Map() } });
  goOn(turn);
};
/** It has lied, or does not answer: the next one is asked. It may offer anew. */
const leavePeer = (turn: Turn, fetch: Fetch): void => {
  const offers = new Map([...fetch.offers].filter(([other]) => other !== fetch.from));
  const [next] = offers;
  if (next) turnTo(turn, { ...fetch, offers }, ...next);
  else set(turn, { fetch: beginWith(fetch.have) });
};

/** A certified block far above; the peer has its state. */
export const takeOffer = (turn: Turn, from: number, bytes: Uint8Array, certificate: Certificate): void => {
  const { chain, fetch = beginWith(chain.certified.records.map) } = turn.state;
  const { head } = certificate;
  const known = fetch.offers.get(from)?.certificate.head;
  if (head.height <= decidedHeight(chain) || known?.block === head.block) return;
  if (digest('block', bytes) !== head.block || !blockOf(bytes) || !turn.env.holds.certificate(certificate)) return;
  const made = { certificate, bytes };
  const offers = with1(fetch.offers, from, made);
  // a peer that offers again and again must not be asked for ever: another that has an offer is next
  const next = [...offers].find(([other]) => other !== from) ?? ([from, made] as const);
  if (fetch.from === undefined || fetch.from === from) turnTo(turn, { ...fetch, offers }, ...next);
  else set(turn, { fetch: { ...fetch, offers } });
};

/** A part that was asked for: it is the subtree, or its sender is not asked any more. */
export const takePart = (turn: Turn, from: number, height: bigint, prefix: string, part: Part): void => {
  const { fetch } = turn.state;
  const asked = fetch?.asked.get(prefix);
  if (!fetch || !asked || fetch.from !== from || current(fetch)?.certificate.head.height !== height) return;
  if (!isPartOf(asked.hash, prefix, part)) return leavePeer(turn, fetch);
  const others = new Map([...fetch.asked].filter(([other]) => other !== prefix));
  if (part.kind === 'halves') {
    const halves = [
      { prefix: `${prefix}1`, hash: part.right },
      { prefix: `${prefix}0`, hash: part.left },
    ];
    change(turn, { asked: others, work: [...fetch.work, ...halves] });
  } else {
    change(turn, { asked: others, have: withPart(fetch.have, prefix, part.entries) });
    turn.out.push({ kind: 'store', record: { kind: 'part', entries: part.entries } });
  }
  goOn(turn);
};

/** Asks for what is lacking, as far as may be under way; takes the state when nothing is. */
const goOn = (turn: Turn): void => {
  const { fetch } = turn.state;
  const target = fetch && current(fetch);
  if (!target || fetch.from === undefined) return;
  const asked = new Map(fetch.asked);
  const work = [...fetch.work];
  let { have } = fetch;
  while (asked.size < ASKED_MOST) {
    const next = work.pop();
    if (!next) break;
    if (next.hash === EMPTY_PART) have = withPart(have, next.prefix, []);
    else if (hex(have.hashAt(next.prefix)) !== next.hash) {
      asked.set(next.prefix, { ...next, at: turn.state.now, tries: 1 });
      ask(turn, fetch.from, target, next.prefix);
    }
  }
  const now: Fetch = { ...fetch, have, work, asked };
  set(turn, { fetch: now });
  if (asked.size === 0) adopt(turn, now, target, new Records(have));
};
const ask = ({ out }: Turn, to: number, { certificate }: Offer, prefix: string): void =>
  void out.push({ kind: 'send', to, wire: { kind: 'want-part', height: certificate.head.height, prefix } });

/** On a tick: asks again for what does not come, then somebody else. Nothing is left to fetch when blocks have come instead. */
export const watchFetch = (turn: Turn): void => {
  const { state, env } = turn;
  const { fetch } = state;
  const target = fetch && current(fetch);
  if (!target || fetch.from === undefined) return;
  if (target.certificate.head.height <= decidedHeight(state.chain)) return leavePeer(turn, fetch);
  const late = [...fetch.asked.values()].filter(({ at }) => state.now - at >= PATIENCE * env.limits.statusEveryMs);
  if (late.length === 0) return;
  if (late.some(({ tries }) => tries >= TRIES)) return leavePeer(turn, fetch);
  const again = late.map((wanted) => [wanted.prefix, { ...wanted, at: state.now, tries: wanted.tries + 1 }] as const);
  change(turn, { asked: new Map([...fetch.asked, ...again]) });
  for (const [prefix] of again) ask(turn, fetch.from, target, prefix);
};

/**
 * Who counts above a height, by the certified state; undefined when somebody only begins to, as who does until then isn't in the state. Of
 * counters admitted and replaced in between only the last is known, and only it counts.
 */
const rosterAt = ({ env, state }: Turn, records: Records, height: bigint): Roster | undefined => {
  const { window } = env.limits;
  const since = env.admitted(records).filter((admission) => admission.height > state.base.height);
  if (since.some((admission) => admission.height + BigInt(window) > height)) return undefined;
  return since
    .filter(({ key }) => !identityOf(state.chain.roster, key))
    .reduce((roster, admission) => admit(roster, admission, admission.height, window), state.chain.roster);
};

/** The fetched state is this master's. Its commands' own fate is not known here: whoever waits submits again. */
const adopt = (turn: Turn, fetch: Fetch, { certificate, bytes }: Offer, records: Records): void => {
  const block = blockOf(bytes);
  const { state, env } = turn;
  const { head } = certificate;
  const roster = rosterAt(turn, records, head.height);
  if (!block || !roster || head.height <= decidedHeight(state.chain)) return leavePeer(turn, fetch);
  const tip: Tip = { head, bytes, time: block.time, records, certificate };
  const marks =
    head.height % BigInt(env.limits.checkpointEvery) === 0n ? new Map([[head.height, certificate]]) : new Map<bigint, Certificate>();
  const digests = new Map([[head.height, head.block]]);
  const { fetch: _fetch, draft: _draft, ...rest } = state;
  turn.state = {
    ...rest,
    chain: { certified: tip, decided: [], digests, marks, roster, snapshots: [tip], floor: head.height },
    streams: streamsFor(state.streams, roster, state.base),
    pool: new Map(),
    progressAt: state.now,
    attempts: 0,
  };
  prune(turn);
  turn.out.push({ kind: 'store', record: { kind: 'snapshot', tip, certificate } }, { kind: 'decided', tip, certificate });
};
