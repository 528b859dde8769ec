/**
 * The primary of a new view opens it on two masters' view changes (MinBFT section 4.4, NEW-VIEW). It prefers a pair that asks of it
 * only blocks that it believes itself; a pair that would force upon it what only a possible liar holds can wait for the third master.
 */
import { believed } from './commit.ts';
import type { Reference } from './messages.ts';
import { planAbove } from './plan.ts';
import { primaryOf } from './read-stream.ts';
import { decidedHeight } from './chain.ts';
import { countsAt } from './roster.ts';
import { type Intent, ownStream, type Turn } from './state.ts';
import type { Change, Stream } from './stream.ts';

interface Side {
  readonly stream: Stream;
  readonly change: Change;
}

const pairs = (turn: Turn): readonly (readonly [Side, Side])[] => {
  const sides = [...turn.state.streams.values()].flatMap((stream): Side[] => {
    const change = stream.changes.get(turn.state.view);
    return change ? [{ stream, change }] : [];
  });
  return sides.flatMap((a, i) => sides.slice(i + 1).flatMap((b) => (a.stream.master === b.stream.master ? [] : [[a, b] as const])));
};

const believable = (turn: Turn, blocks: ReadonlyMap<bigint, string>, vouched: ReadonlySet<string>): boolean => {
  const decided = decidedHeight(turn.state.chain);
  return [...blocks].every(([height, digest]) => {
    const offered = turn.state.blocks.get(digest);
    return height <= decided || (offered !== undefined && believed(turn, digest, offered.bytes, vouched, true) === true);
  });
};

export const newViewDue = (turn: Turn): Intent | undefined => {
  const { state, env } = turn;
  const own = ownStream(state);
  if (!own || state.view === 0 || primaryOf(state.view) !== env.index || own.view !== state.view || own.lead?.view === state.view)
    return undefined;
  const certificate = state.chain.certified.certificate;
  const certified = certificate && state.chain.certified.head.height > state.base.height ? certificate : null;
  const base = certified?.head.height ?? state.base.height;
  for (const pair of pairs(turn)) {
    if (pair.some(({ stream, change }) => change.low > base || change.blind > base || !countsAt(state.chain.roster, stream.key, base + 1n)))
      continue;
    const planned = planAbove(
      env,
      state.chain,
      state.blocks,
      base,
      pair.map(({ change }) => change),
    );
    if (planned.kind !== 'plan' || !believable(turn, planned.plan.blocks, planned.plan.vouched)) continue;
    const [a, b] = pair.map(({ stream, change }): Reference => ({ key: stream.key, counter: change.counter }));
    if (a && b) return { body: { kind: 'new-view', view: state.view, base: certified, quorum: [a, b] } };
  }
  return undefined;
};
