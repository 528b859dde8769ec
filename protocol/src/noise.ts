/**
 * Discrete Laplace noise for counts (rules B6, B7): an integer x with probability (1-p)/(1+p) * p^|x|, p = exp(-1/b), where
 * the scale b = sensitivity / epsilon is rational. Integers only, keyed, and of fixed work: how much is drawn and compared
 * depends on the public scale alone. docs/adr/0003-discrete-laplace-sampler.md has the argument and the bounds.
 *
 * The magnitude of a geometric variable has independent binary digits: P(bit i = 1) = r/(1+r) with r = exp(-2^i/b). So a
 * geometric number is one comparison a bit, and the difference of two is discrete Laplace, exactly but for the rounding of
 * the thresholds (2^-383 a bit) and the cut at 2^n >= 256 b (mass below 2^-368).
 *
 * For intervals: the variance is 2p / (1-p)^2, and noises of several Vaults are independent, so variances add.
 */
import { checkKey, DRAW_BYTES, isBelow, remembered, streamOf, thresholdBytes, thresholdOf } from './mechanisms/draw.ts';
import { bitLength, ceilDivide, expOfMinus, ONE, PRECISION } from './mechanisms/enclosure.ts';

/** b = numerator / denominator, both positive. */
export interface Scale {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Digits above log2(b): the cut lies at 256 b or beyond. */
const TAIL_BITS = 8;
/** Bounds the work: b is at most 2^40. */
const MAX_SCALE_BITS = 40;

/** Binary digits of a geometric draw at this scale. Throws RangeError on a scale that is not positive or is beyond 2^40. */
export const digitsOf = ({ numerator, denominator }: Scale): number => {
  if (numerator <= 0n || denominator <= 0n) throw new RangeError('the scale must be positive');
  const bits = bitLength(ceilDivide(numerator, denominator));
  if (bits > MAX_SCALE_BITS) throw new RangeError(`the scale must be below 2^${MAX_SCALE_BITS}`);
  return bits + TAIL_BITS;
};

/**
 * Thresholds T[i] of the digits, lowest first: digit i is 1 when a uniform integer below 2^384 is below T[i].
 * |T[i] / 2^384 - r/(1+r)| < 2^-383 for r = exp(-2^i / b); proven by enclosure each time it is computed.
 */
export const digitThresholds = (scale: Scale): readonly bigint[] =>
  Array.from({ length: digitsOf(scale) }, (_, i) => {
    const r = expOfMinus(scale.denominator << BigInt(i), scale.numerator);
    return thresholdOf({ low: (r.low << PRECISION) / (ONE + r.low), high: ceilDivide(r.high << PRECISION, ONE + r.high) });
  });

const nameOf = ({ numerator, denominator }: Scale): string => `${numerator}/${denominator}`;
const scaleOf = (name: string): Scale => {
  const [numerator, denominator] = name.split('/');
  return { numerator: BigInt(numerator!), denominator: BigInt(denominator!) };
};
/** Thresholds as bytes, by scale. */
const tableOf = remembered((name) => digitThresholds(scaleOf(name)).map(thresholdBytes));

/** Draws that `laplaceFrom` reads at this scale. */
export const laplaceDraws = (scale: Scale): number => 2 * tableOf(nameOf(scale)).length;

/** The difference of two geometric numbers, from `laplaceDraws` uniform draws of the stream, at `offset` bytes. */
export const laplaceFrom = (stream: Uint8Array, offset: number, scale: Scale): bigint => {
  const table = tableOf(nameOf(scale));
  const geometric = (draw: number): bigint =>
    table.reduce(
      (n, threshold, i) => n | (BigInt(isBelow(stream, offset + (draw * table.length + i) * DRAW_BYTES, threshold)) << BigInt(i)),
      0n,
    );
  return geometric(0) - geometric(1);
};

/**
 * One draw: the same seed (32 secret bytes), index and scale give the same integer for ever (B6). Indices of one seed are
 * independent. Throws RangeError on another length of seed, an unsafe index, or a scale out of bounds.
 */
export const discreteLaplace = (seed: Uint8Array, index: number, scale: Scale): bigint => {
  checkKey(seed, index);
  const stream = streamOf('SCS::noise::v1|', seed, `|${index}|${nameOf(scale)}`, laplaceDraws(scale) * DRAW_BYTES);
  const noise = laplaceFrom(stream, 0, scale);
  stream.fill(0);
  return noise;
};

/** S8, B7: the scale k / epsilon of a query's noise. `epsilon` in millionths. */
export const queryScale = (cellsPerSubject: number, epsilon: bigint): Scale => ({
  numerator: BigInt(cellsPerSubject) * 1_000_000n,
  denominator: epsilon,
});

/** The cells with their noise: cell i gets draw i. Counts are not negative; noised ones may be. */
export const noiseCells = (seed: Uint8Array, cells: readonly bigint[], cellsPerSubject: number, epsilon: bigint): bigint[] => {
  const scale = queryScale(cellsPerSubject, epsilon);
  return cells.map((count, index) => count + discreteLaplace(seed, index, scale));
};
