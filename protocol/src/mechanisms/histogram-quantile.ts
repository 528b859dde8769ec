/** A quantile read off a noised histogram: post-processing, so it costs nothing (rule B7). Integers only; the same bins give the same place. */
import type { Rank } from './quantile.ts';

/**
 * The place of the first bin whose running sums hold the rank: q below <= p total <= q (below + bin), at rank p/q. Noised bins may be
 * negative, so their running sums need not ascend: the bin that misses least is taken, the first of equals.
 */
export const quantileOfHistogram = (bins: readonly bigint[], { numerator, denominator }: Rank): number => {
  const wanted = numerator * bins.reduce((a, b) => a + b, 0n);
  let sum = 0n;
  const losses = bins.map((bin) => {
    const low = denominator * sum - wanted;
    sum += bin;
    const high = wanted - denominator * sum;
    const miss = low > high ? low : high;
    return miss > 0n ? miss : 0n;
  });
  return losses.reduce((best, loss, i) => (loss < losses[best]! ? i : best), 0);
};
