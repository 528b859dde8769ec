/**
 * Discrete Gaussian noise for vectors (rules B6, B7): an integer x with probability proportional to exp(-x^2 / (2 s)), where the
 * variance parameter s is rational. Integers only, keyed, and of fixed work. docs/adr/0011-discrete-gaussian-sampler.md has the
 * argument and the bounds.
 *
 * Rejection from the discrete Laplace (Canonne, Kamath, Steinke 2020, algorithm 3): a candidate y of scale t stays with
 * probability exp(-(|y| - s/t)^2 / (2 s)) = exp(-n/d), n and d integers. exp(-n/d) is the product of exp(-2^i/d) over the binary
 * digits of n, so it is one comparison a digit, all of them always made. At t a little above sqrt(s) more than 2/3 stay.
 * A vector has a fixed number of candidates; which of them stay is independent of the values of those that do.
 */
import { checkKey, DRAW_BYTES, isBelow, remembered, streamOf, thresholdBytes, thresholdOf } from './draw.ts';
import { bitLength, ceilDivide, expOfMinus } from './enclosure.ts';
import { laplaceDraws, laplaceFrom, type Scale } from '../noise.ts';

/** sigma^2 as a rational: numerator / denominator. */
export type Variance = Scale;

/** t is a multiple of 1/16. */
const SIXTEENTHS = 16n;
const MAX_NUMERATOR_BITS = 96;
const MAX_DENOMINATOR_BITS = 48;
/** exp(-512) is below every threshold: digits of n beyond 512 d refuse without a draw. */
const REFUSED_BITS = 9;
/** Fewer candidates than wanted stay with probability below 2^-64. */
const SLACK = 64;

/** floor(sqrt(n)), by Newton's steps from above. */
export const integerRoot = (n: bigint): bigint => {
  if (n < 2n) return n;
  let x = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
};

interface Plan {
  /** Scale t of the candidates. */
  readonly scale: Scale;
  /** n = (|y| factor - offset)^2, d = n's divisor. */
  readonly factor: bigint;
  readonly offset: bigint;
  readonly divisor: bigint;
  /** Of exp(-2^i/d), lowest digit first. */
  readonly thresholds: readonly Uint8Array[];
}

const checked = ({ numerator, denominator }: Variance): void => {
  if (denominator <= 0n || numerator < denominator) throw new RangeError('the variance must be at least 1');
  if (bitLength(numerator) > MAX_NUMERATOR_BITS || bitLength(denominator) > MAX_DENOMINATOR_BITS)
    throw new RangeError(`the variance must be below 2^${MAX_NUMERATOR_BITS}, over less than 2^${MAX_DENOMINATOR_BITS}`);
};

/** t = sixteenths / 16, the least with t >= sigma. */
const sixteenthsOf = ({ numerator, denominator }: Variance): bigint => {
  const square = ceilDivide(SIXTEENTHS * SIXTEENTHS * numerator, denominator);
  const root = integerRoot(square);
  return root * root === square ? root : root + 1n;
};

/** Threshold of each binary digit of n in exp(-n/d): an integer over 2^384. */
export const acceptanceThresholds = (divisor: bigint): readonly bigint[] =>
  Array.from({ length: bitLength(divisor) + REFUSED_BITS }, (_, i) => thresholdOf(expOfMinus(1n << BigInt(i), divisor)));

/** The candidate's scale, and the acceptance exp(-(|y| factor - offset)^2 / divisor). Throws RangeError on a variance out of bounds. */
export const rejectionOf = (variance: Variance): Omit<Plan, 'thresholds'> => {
  checked(variance);
  const { numerator: a, denominator: b } = variance;
  const t = sixteenthsOf(variance);
  return {
    scale: { numerator: t, denominator: SIXTEENTHS },
    factor: b * t,
    offset: SIXTEENTHS * a,
    divisor: 2n * a * b * t * t,
  };
};

const planOf = remembered((name): Plan => {
  const [numerator, denominator] = name.split('/');
  const rejection = rejectionOf({ numerator: BigInt(numerator!), denominator: BigInt(denominator!) });
  return { ...rejection, thresholds: acceptanceThresholds(rejection.divisor).map(thresholdBytes) };
});

/** 1 when the candidate stays. All draws are compared, whatever its digits are. */
const stays = (stream: Uint8Array, offset: number, candidate: bigint, plan: Plan): number => {
  const distance = (candidate < 0n ? -candidate : candidate) * plan.factor - plan.offset;
  const exponent = distance * distance;
  let kept = Number(exponent >> BigInt(plan.thresholds.length) === 0n);
  plan.thresholds.forEach((threshold, i) => {
    const digit = Number((exponent >> BigInt(i)) & 1n);
    kept &= (1 - digit) | isBelow(stream, offset + i * DRAW_BYTES, threshold);
  });
  return kept;
};

/** Candidates that a vector of this length draws: public. */
export const candidatesFor = (length: number): number => SLACK + 2 * length;

/**
 * `length` draws: the same seed (32 secret bytes), index, length and variance give the same integers for ever (B6). Indices of
 * one seed are independent. Throws RangeError on a seed, index or variance out of bounds (the variance is at least 1), and
 * Error when too few candidates stay, which has probability below 2^-64 and nothing to do with anyone's data.
 */
export const discreteGaussian = (seed: Uint8Array, index: number, length: number, variance: Variance): bigint[] => {
  checkKey(seed, index);
  checked(variance);
  const name = `${variance.numerator}/${variance.denominator}`;
  const plan = planOf(name);
  const draws = laplaceDraws(plan.scale);
  const bytes = (draws + plan.thresholds.length) * DRAW_BYTES;
  const drawn: bigint[] = [];
  for (let i = 0; i < candidatesFor(length); i++) {
    const stream = streamOf('SCS::gaussian::v1|', seed, `|${index}|${length}|${i}|${name}`, bytes);
    const candidate = laplaceFrom(stream, 0, plan.scale);
    if (stays(stream, draws * DRAW_BYTES, candidate, plan)) drawn.push(candidate);
    stream.fill(0);
  }
  if (drawn.length < length) throw new Error('the candidates ran out');
  return drawn.slice(0, length);
};

/** B7: the vector with its noise. `variance` is `gaussianVariance` of the vector's L2 bound. */
export const noiseVector = (seed: Uint8Array, index: number, values: readonly bigint[], variance: Variance): bigint[] => {
  const noise = discreteGaussian(seed, index, values.length, variance);
  return values.map((value, i) => value + noise[i]!);
};
