/**
 * Quantiles over a finite list of candidates, by the exponential mechanism (rules B7, S8): candidate c comes out with probability
 * proportional to exp(-epsilon loss(c) / (2 sensitivity)). The list is public, never taken from the data. Integers only, keyed,
 * and of fixed work: docs/adr/0012-quantiles-and-clipped-sums.md has the bounds.
 */
import { checkKey, DRAW_BYTES, remembered, streamOf } from './draw.ts';
import { bitLength, expOfMinus, ONE, PRECISION } from './enclosure.ts';

/** 1/2 is the median; 0 < numerator < denominator. */
export interface Rank {
  readonly numerator: bigint;
  readonly denominator: bigint;
}
export interface QuantileQuestion {
  readonly rank: Rank;
  /** Of each candidate: how many contributions lie strictly below it, and strictly above. */
  readonly below: readonly bigint[];
  readonly above: readonly bigint[];
  /** Most contributions of one subject. */
  readonly contributions: number;
  /** Millionths. */
  readonly epsilon: bigint;
}

const MAX_CANDIDATES = 10_000;
const MAX_RANK = 10_000n;
/** exp(-512) weighs less than what rounding does. */
const ZERO_BITS = 9;
/** Uniform draws for one choice: 1152 bits. */
const DRAWS = 3;

/** Losses, in units in which one contribution moves each by at most max(p, 1-p) of the rank's denominator. */
export const quantileLosses = ({ rank, below, above }: Pick<QuantileQuestion, 'rank' | 'below' | 'above'>): bigint[] =>
  below.map((less, i) => {
    const loss = (rank.denominator - rank.numerator) * less - rank.numerator * above[i]!;
    return loss < 0n ? -loss : loss;
  });

/** Most that one subject, added or removed, moves any loss. */
export const lossSensitivity = ({ rank, contributions }: Pick<QuantileQuestion, 'rank' | 'contributions'>): bigint => {
  const rest = rank.denominator - rank.numerator;
  return BigInt(contributions) * (rank.numerator > rest ? rank.numerator : rest);
};

const check = ({ rank, below, above, contributions, epsilon }: QuantileQuestion): void => {
  if (rank.numerator <= 0n || rank.numerator >= rank.denominator || rank.denominator > MAX_RANK)
    throw new RangeError('the rank must lie between 0 and 1');
  if (below.length < 1 || below.length > MAX_CANDIDATES || above.length !== below.length)
    throw new RangeError(`there must be 1 to ${MAX_CANDIDATES} candidates`);
  if ([...below, ...above].some((n) => n < 0n)) throw new RangeError('numbers of contributions are not negative');
  if (!Number.isSafeInteger(contributions) || contributions < 1) throw new RangeError('a subject contributes at least once');
  if (epsilon <= 0n) throw new RangeError('epsilon must be positive');
};

/** exp(-2^i top/bottom) over 2^512 for each digit that is not beyond exp(-512), lowest first. */
const digitFactors = remembered((name): readonly bigint[] => {
  const [top, bottom] = name.split('/').map(BigInt);
  const digits = Math.max(1, bitLength(bottom! / top!) + ZERO_BITS);
  return Array.from({ length: digits }, (_, i) => expOfMinus(top! << BigInt(i), bottom!).low);
});

/** Weights over 2^512, off by less than 2^-496; the best candidate weighs 1. Throws RangeError on a question out of bounds. */
export const quantileWeights = (question: QuantileQuestion): bigint[] => {
  check(question);
  const factors = digitFactors(`${question.epsilon}/${2_000_000n * lossSensitivity(question)}`);
  const losses = quantileLosses(question);
  const least = losses.reduce((a, b) => (b < a ? b : a));
  return losses.map((loss) => {
    const distance = loss - least;
    const inside = factors.reduce((weight, factor, i) => (weight * ((distance >> BigInt(i)) & 1n ? factor : ONE)) >> PRECISION, ONE);
    return distance >> BigInt(factors.length) === 0n ? inside : 0n;
  });
};

/**
 * The place in the list of the candidate that comes out: the same seed (32 secret bytes), index and question give the same for
 * ever (B6). Costs pure `epsilon`. Throws RangeError on a key or question out of bounds.
 */
export const quantile = (seed: Uint8Array, index: number, question: QuantileQuestion): number => {
  checkKey(seed, index);
  const weights = quantileWeights(question);
  const { rank, epsilon, contributions } = question;
  const place = `|${index}|${weights.length}|${rank.numerator}/${rank.denominator}|${contributions}|${epsilon}`;
  const stream = streamOf('SCS::quantile::v1|', seed, place, DRAWS * DRAW_BYTES);
  const uniform = BigInt(`0x${Buffer.from(stream).toString('hex')}`);
  stream.fill(0);
  const total = weights.reduce((a, b) => a + b);
  const point = (uniform * total) >> BigInt(DRAWS * DRAW_BYTES * 8);
  let [chosen, sum] = [0, 0n];
  for (const weight of weights) {
    sum += weight;
    chosen += Number(sum <= point);
  }
  return chosen;
};
