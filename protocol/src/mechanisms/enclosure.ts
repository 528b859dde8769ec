/**
 * Real numbers between two integers over 2^512 (rule B7): every step rounds outward, so what comes out holds the exact value.
 * Samplers take their thresholds from here, the accounting its logarithms.
 */

export const PRECISION = 512n;
export const ONE = 1n << PRECISION;

/** A real number x with low <= x * 2^512 <= high. */
export interface Interval {
  readonly low: bigint;
  readonly high: bigint;
}

/** a / b rounded up, for b > 0. */
export const ceilDivide = (a: bigint, b: bigint): bigint => a / b + (a > 0n && a % b !== 0n ? 1n : 0n);
/** a / b rounded down, for b > 0. */
export const floorDivide = (a: bigint, b: bigint): bigint => -ceilDivide(-a, b);
export const bitLength = (n: bigint): number => n.toString(2).length;

export const product = (a: Interval, b: Interval): Interval => ({
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
export const expOfMinus = (top: bigint, bottom: bigint): Interval => {
  let halvings = 0n;
  while (2n * top > bottom << halvings) halvings++;
  let value = expOfSmall(top, bottom << halvings);
  for (let i = 0n; i < halvings; i++) value = product(value, value);
  return value;
};

/** 2 artanh(x) = ln((1+x)/(1-x)) for 0 <= x = top/bottom <= 1/3: the odd series. */
const twiceArtanh = (top: bigint, bottom: bigint): Interval => {
  let power: Interval = { low: (2n * ONE * top) / bottom, high: ceilDivide(2n * ONE * top, bottom) };
  let sum: Interval = power;
  for (let n = 3n; power.high > 1n; n += 2n) {
    power = { low: (power.low * top * top) / (bottom * bottom), high: ceilDivide(power.high * top * top, bottom * bottom) };
    sum = { low: sum.low + power.low / n, high: sum.high + ceilDivide(power.high, n) };
  }
  // What is left out is below a geometric series of ratio 1/9 that begins below the last term.
  return { low: sum.low, high: sum.high + power.high + 1n };
};

let ln2: Interval | undefined;

/** ln(top/bottom) for top >= bottom > 0: twos are taken out, then the series of artanh. Throws RangeError below 1. */
export const lnOf = (top: bigint, bottom: bigint): Interval => {
  if (bottom <= 0n || top < bottom) throw new RangeError('the logarithm is taken of a rational of at least 1');
  let twos = BigInt(bitLength(top / bottom) - 1);
  if (top > bottom << twos && 3n * top > (bottom << twos) * 4n) twos++;
  ln2 ??= twiceArtanh(1n, 3n);
  const whole: Interval = { low: ln2.low * twos, high: ln2.high * twos };
  const base = bottom << twos;
  if (top >= base) {
    const rest = twiceArtanh(top - base, top + base);
    return { low: whole.low + rest.low, high: whole.high + rest.high };
  }
  const rest = twiceArtanh(base - top, top + base);
  return { low: whole.low - rest.high, high: whole.high - rest.low };
};
