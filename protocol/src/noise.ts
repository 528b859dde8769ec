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
import { createHash } from 'node:crypto';
import { concat, utf8 } from './encoding/bytes.ts';

/** b = numerator / denominator, both positive. */
export interface Scale {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Bits of a uniform draw and of a threshold. */
const DRAW_BITS = 384;
const DRAW_BYTES = DRAW_BITS / 8;
/** Bits of the fixed-point arithmetic beneath: 128 guard bits. */
const PRECISION = 512n;
const ONE = 1n << PRECISION;
/** Digits above log2(b): the cut lies at 256 b or beyond. */
const TAIL_BITS = 8;
/** Bounds the work: b is at most 2^40. */
const MAX_SCALE_BITS = 40;

const bitLength = (n: bigint): number => n.toString(2).length;
const ceilDivide = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** Binary digits of a geometric draw at this scale. Throws RangeError on a scale that is not positive or is beyond 2^40. */
export const digitsOf = ({ numerator, denominator }: Scale): number => {
  if (numerator <= 0n || denominator <= 0n) throw new RangeError('the scale must be positive');
  const bits = bitLength(ceilDivide(numerator, denominator));
  if (bits > MAX_SCALE_BITS) throw new RangeError(`the scale must be below 2^${MAX_SCALE_BITS}`);
  return bits + TAIL_BITS;
};

/** A real number between two integers over 2^512. */
interface Interval {
  readonly low: bigint;
  readonly high: bigint;
}
const product = (a: Interval, b: Interval): Interval => ({
  low: (a.low * b.low) >> PRECISION,
  high: ceilDivide(a.high * b.high, ONE),
});

/** exp(-top/bottom) for 0 <= top/bottom <= 1/2: the alternating series, whose partial sums enclose the limit. */
const expOfSmall = (top: bigint, bottom: bigint): Interval => {
  let term: Interval = { low: ONE, high: ONE };
  let sum: Interval = term;
  for (let n = 1n; term.high > 1n; n++) {
    term = { low: (term.low * top) / (bottom * n), high: ceilDivide(term.high * top, bottom * n) };
    sum = n % 2n === 1n ? { low: sum.low - term.high, high: sum.high - term.low } : { low: sum.low + term.low, high: sum.high + term.high };
  }
  return { low: sum.low - term.high, high: sum.high + term.high };
};

/** exp(-top/bottom) for any non-negative rational: halve until small, then square back. */
const expOfMinus = (top: bigint, bottom: bigint): Interval => {
  let halvings = 0n;
  while (2n * top > bottom << halvings) halvings++;
  let value = expOfSmall(top, bottom << halvings);
  for (let i = 0n; i < halvings; i++) value = product(value, value);
  return value;
};

/**
 * Thresholds T[i] of the digits, lowest first: digit i is 1 when a uniform integer below 2^384 is below T[i].
 * |T[i] / 2^384 - r/(1+r)| < 2^-383 for r = exp(-2^i / b); proven by enclosure each time it is computed.
 */
export const digitThresholds = (scale: Scale): readonly bigint[] => {
  const shift = PRECISION - BigInt(DRAW_BITS);
  return Array.from({ length: digitsOf(scale) }, (_, i) => {
    const r = expOfMinus(scale.denominator << BigInt(i), scale.numerator);
    const low = (r.low << PRECISION) / (ONE + r.low);
    const high = ceilDivide(r.high << PRECISION, ONE + r.high);
    if (high - low > 1n << (shift - 1n)) throw new RangeError('the enclosure of a threshold is too wide');
    return low < 0n ? 0n : low >> shift;
  });
};

const toBytes = (value: bigint): Uint8Array => Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * DRAW_BYTES, '0'), 'hex'));

/** Thresholds as bytes by scale: a handful of scales are in use at a time. */
const tables = new Map<string, readonly Uint8Array[]>();
const MAX_TABLES = 64;
const tableOf = (scale: Scale): readonly Uint8Array[] => {
  const name = `${scale.numerator}/${scale.denominator}`;
  let table = tables.get(name);
  if (!table) {
    table = digitThresholds(scale).map(toBytes);
    if (tables.size >= MAX_TABLES) tables.clear();
    tables.set(name, table);
  }
  return table;
};

/** 1 when the big-endian draw is below the threshold, else 0: the final borrow of a subtraction over all bytes. */
const isBelow = (stream: Uint8Array, offset: number, threshold: Uint8Array): number => {
  let borrow = 0;
  for (let i = DRAW_BYTES - 1; i >= 0; i--) borrow = (stream[offset + i]! - threshold[i]! - borrow) >>> 31;
  return borrow;
};

/** SHAKE256(tag || seed || index || scale): as many bytes as the scale needs, in one go. */
const streamOf = (seed: Uint8Array, index: number, { numerator, denominator }: Scale, length: number): Uint8Array => {
  const place = utf8(`|${index}|${numerator}/${denominator}`);
  return createHash('shake256', { outputLength: length })
    .update(concat(utf8('SCS::noise::v1|'), seed, place))
    .digest();
};

/**
 * One draw: the same seed (32 secret bytes), index and scale give the same integer for ever (B6). Indices of one seed are
 * independent. Throws RangeError on another length of seed, an unsafe index, or a scale out of bounds.
 */
export const discreteLaplace = (seed: Uint8Array, index: number, scale: Scale): bigint => {
  if (seed.length !== 32) throw new RangeError('the noise seed must have 32 bytes');
  if (!Number.isSafeInteger(index) || index < 0) throw new RangeError('the index must be a non-negative integer');
  const table = tableOf(scale);
  const stream = streamOf(seed, index, scale, 2 * table.length * DRAW_BYTES);
  const geometric = (draw: number): bigint =>
    table.reduce((n, threshold, i) => n | (BigInt(isBelow(stream, (draw * table.length + i) * DRAW_BYTES, threshold)) << BigInt(i)), 0n);
  const noise = geometric(0) - geometric(1);
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
