/**
 * Contributions clipped before anything is added up (rule B7), so that one subject, added or removed, moves a sum by at most a
 * public bound: docs/adr/0012-quantiles-and-clipped-sums.md. Integers only.
 */
import { ceilDivide, floorDivide } from './enclosure.ts';
import { integerRoot, type Variance } from './gaussian.ts';
import type { Scale } from '../noise.ts';

/** The nearest integer to `value` within -bound..bound. Throws RangeError on a bound that is not positive. */
export const clip = (value: bigint, bound: bigint): bigint => {
  if (bound <= 0n) throw new RangeError('the bound must be positive');
  if (value > bound) return bound;
  return value < -bound ? -bound : value;
};

/** The sum over subjects; each element is what one subject contributes altogether. One subject moves it by at most `bound`. */
export const clippedSum = (subjects: Iterable<bigint>, bound: bigint): bigint => {
  let sum = 0n;
  for (const value of subjects) sum += clip(value, bound);
  return sum;
};

/** Shrinks a subject's vector to an L2 norm of at most `bound`, each coordinate rounded toward zero. */
export const clipNorm = (vector: readonly bigint[], bound: bigint): bigint[] => {
  if (bound <= 0n) throw new RangeError('the bound must be positive');
  const square = vector.reduce((sum, value) => sum + value * value, 0n);
  if (square <= bound * bound) return [...vector];
  const root = integerRoot(square);
  const norm = root * root === square ? root : root + 1n;
  return vector.map((value) => (value < 0n ? ceilDivide(value * bound, norm) : floorDivide(value * bound, norm)));
};

/** The vectors of all subjects, clipped and added. One subject moves it by at most `bound` in L2. */
export const clippedVectorSum = (subjects: Iterable<readonly bigint[]>, length: number, bound: bigint): bigint[] => {
  const sum = Array.from({ length }, () => 0n);
  for (const vector of subjects) {
    if (vector.length !== length) throw new RangeError('all vectors have the same length');
    clipNorm(vector, bound).forEach((value, i) => (sum[i]! += value));
  }
  return sum;
};

/** Laplace scale of a sum clipped at `bound`, for pure `epsilon` (millionths). */
export const sumScale = (bound: bigint, epsilon: bigint): Scale => ({ numerator: bound * 1_000_000n, denominator: epsilon });

/** Variance that makes a sum clipped at `bound` in L2 cost `microRho`: bound^2 / (2 rho). */
export const gaussianVariance = (bound: bigint, microRho: bigint): Variance => ({
  numerator: bound * bound * 1_000_000n,
  denominator: 2n * microRho,
});
