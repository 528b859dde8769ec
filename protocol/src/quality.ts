/**
 * Quality rewards (rules K4, K5), pure arithmetic: a record's scores weighted by policy, a fixed pot an epoch divided by the scores of
 * its records, a cap on what one producer gets, half for who has no stake. Nothing is created: what the cap keeps back stays in the
 * pot, what the missing stake keeps back is the treasury's. Class parse, whose evidence brings the scores, is not served yet, so
 * nothing calls this outside of tests and tables.
 */
import type { Economy, Quality } from './economy.ts';
import { qualities } from './economy.ts';
import { distribute, mergeTransfers } from './settlement.ts';
import type { Transfer } from './settlement-layout.ts';

export const MAX_SCORE = 10_000;
export type Scores = Readonly<Record<Quality, number>>;
/** One parsed record: who produced it, and how good it is. */
export interface ScoredRecord {
  readonly producer: string;
  readonly scores: Scores;
}
export interface QualityRewards {
  /** To producers, ascending by address, zeros left out. */
  readonly rewards: readonly Transfer[];
  /** K5: kept from producers without a stake, for the treasury. */
  readonly withheld: bigint;
  /** Kept back by the cap, or for want of records: for the next epoch's pot. */
  readonly left: bigint;
}

/** 0 to 10,000, rounded down. Throws RangeError on a score outside of that. A duplicate (`nonDuplication` 0) is worth nothing at all. */
export const recordScore = (scores: Scores, weights: Economy['quality']['weights']): number => {
  if (qualities.some((q) => !Number.isInteger(scores[q]) || scores[q] < 0 || scores[q] > MAX_SCORE))
    throw new RangeError('scores are whole numbers from 0 to 10,000');
  if (scores.nonDuplication === 0) return 0;
  return Math.floor(qualities.reduce((sum, q) => sum + scores[q] * weights[q], 0) / MAX_SCORE);
};

const capped = (amount: bigint, cap: bigint): bigint => (amount < cap ? amount : cap);

/** The epoch's pot over its records. `staked`: producers who have bonded enough for the whole epoch. */
export const qualityRewards = (
  records: readonly ScoredRecord[],
  { pot, cap, weights }: Economy['quality'],
  staked: ReadonlySet<string>,
): QualityRewards => {
  const scored = mergeTransfers(
    records.map(({ producer, scores }) => ({ account: producer, amount: BigInt(recordScore(scores, weights)) })),
  );
  if (scored.length === 0) return { rewards: [], withheld: 0n, left: pot };
  const shares = distribute(
    pot,
    scored.map(({ account, amount: weight }) => ({ account, weight })),
  ).map(({ account, amount }) => ({ account, amount: capped(amount, cap) }));
  const rewards = shares.map(({ account, amount }) => ({ account, amount: staked.has(account) ? amount : amount / 2n }));
  const [given, paid] = [shares, rewards].map((list) => list.reduce((sum, { amount }) => sum + amount, 0n)) as [bigint, bigint];
  return { rewards: mergeTransfers(rewards), withheld: given - paid, left: pot - given };
};
