/** How the agreement stands, as the forming of counters must know it (N9). */
import type { Certificate } from '@scs/protocol';
import { decidedHeight } from '../chain.ts';
import { countsAt, latestOf } from '../roster.ts';
import type { State } from '../state.ts';
import type { Standing } from './formation-exchange.ts';

export interface StandingOptions {
  readonly state: State | undefined;
  readonly index: number;
  /** Of the counter as it is now. */
  readonly key: string;
  readonly hasStated: boolean;
  readonly certified: Certificate | undefined;
  /** Whether a vote above the certified height is stored. */
  readonly hasVotedAbove: () => boolean;
}

export const standingOf = ({ state, index, key, hasStated, certified, hasVotedAbove }: StandingOptions): Standing => {
  const latest = state && latestOf(state.chain.roster, index);
  const stream = latest && state.streams.get(latest.key);
  return {
    key,
    // counting, not just admitted: until its first height comes, its master has no voice (N7)
    admitted:
      state !== undefined &&
      latest?.key === key &&
      countsAt(state.chain.roster, key, decidedHeight(state.chain) + 1n) &&
      (state.own.muted === undefined || hasStated),
    certified: certified ?? null,
    quiet: state !== undefined && state.chain.decided.length === 0 && !hasVotedAbove(),
    ended: stream ? { key: stream.key, counter: stream.next - 1 } : null,
    hasRead: ({ key: other, counter }) => (state?.streams.get(other)?.next ?? 0) > counter,
  };
};
