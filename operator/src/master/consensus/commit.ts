/**
 * A backup takes what the primary of its view has prepared, in order of height (MinBFT section 4.2; rules T5, N1). It evaluates each
 * block by the rules; a block that nobody but its maker is known to hold it also judges by its own reading of the world.
 */
import { decidedHeight, lastDecided } from './chain.ts';
import { evaluated } from './decide.ts';
import { countsAt } from './roster.ts';
import { type Intent, leaderOf, ownStream, set, type Turn } from './state.ts';
import { horizon, type Prepared, type Stream, with1 } from './stream.ts';

interface Offer {
  readonly counter: number;
  readonly prepared: Prepared;
}
const offerAt = (leader: Stream, view: number, height: bigint): Offer | undefined => {
  // heights ascend in a view: from the end it is near, or not there yet
  for (let at = leader.tail.length - 1; at >= 0; at -= 1) {
    const { body, ui } = leader.tail[at]!;
    if (body.kind !== 'prepare') continue;
    if (body.view === view && body.height === height) return { counter: ui.counter, prepared: body };
    if (body.view < view || body.height < height) return undefined;
  }
  return undefined;
};

/** True, false, or undefined while it is being judged. */
export const believed = (
  turn: Turn,
  digest: string,
  bytes: Uint8Array,
  vouched: ReadonlySet<string>,
  again: boolean,
): boolean | undefined => {
  const own = ownStream(turn.state);
  if (vouched.has(digest) || [...(own?.entries.values() ?? [])].some((e) => e.block === digest)) return true;
  const verdict = turn.state.judged.get(digest);
  if (verdict === undefined) {
    set(turn, { judged: with1(turn.state.judged, digest, 'asked') });
    turn.out.push({ kind: 'judge', block: digest, bytes, again });
  }
  return verdict === 'fits' ? true : verdict === 'refused' ? false : undefined;
};

/** Whether a block fits here: decided already, or next, valid and true. */
const acceptable = (turn: Turn, leader: Stream, { prepared }: Offer): boolean => {
  const { chain, blocks } = turn.state;
  const { height, block } = prepared;
  if (height <= decidedHeight(chain)) return chain.digests.get(height) === block;
  const offered = blocks.get(block);
  if (height !== decidedHeight(chain) + 1n || !offered) return false;
  const result = evaluated(turn, lastDecided(chain), block, offered.bytes);
  if (!result.ok) return false;
  const again = leader.lead?.plan.get(height) === block;
  if (!again && result.block.proposer !== leader.master) return false;
  return believed(turn, block, offered.bytes, leader.lead?.vouched ?? new Set(), again) === true;
};

export const commitDue = (turn: Turn): Intent | undefined => {
  const { state, env } = turn;
  const own = ownStream(state);
  const certified = state.chain.certified.head.height;
  if (!own || own.view > state.view) return undefined;
  for (let height = certified + 1n; height <= certified + BigInt(env.limits.window); height += 1n) {
    const leader = leaderOf(state, height);
    if (!leader || leader.master === env.index || height > horizon(own.low, env.limits.checkpointEvery)) return undefined;
    if (own.entries.get(height)?.view === state.view) continue;
    const offer = offerAt(leader, state.view, height);
    if (!offer || !countsAt(state.chain.roster, own.key, height) || !acceptable(turn, leader, offer)) return undefined;
    const prepare = { key: leader.key, counter: offer.counter };
    return { body: { kind: 'commit', view: state.view, height, block: offer.prepared.block, prepare } };
  }
  return undefined;
};
