/**
 * Accounting in zCDP (rules B5, B7): what mechanisms cost in micro-rho, and what a sum of micro-rho means as (epsilon, delta).
 * Every edge rounds outward: a cost up, a conversion up. docs/adr/0013-accounting-in-zcdp.md says why one number is enough.
 */
import type { MicroEpsilon, MicroRho } from '../amounts.ts';
import { ceilDivide, lnOf, PRECISION } from './enclosure.ts';
import type { Variance } from './gaussian.ts';

const MILLION = 1_000_000n;

/** A Gaussian of this variance on values that one subject moves by at most `bound` in L2: bound^2 / (2 variance), rounded up. */
export const rhoOfGaussian = (bound: bigint, { numerator, denominator }: Variance): MicroRho =>
  ceilDivide(bound * bound * denominator * MILLION, 2n * numerator) as MicroRho;

/** delta = numerator / denominator, between 0 and 1. */
export interface Delta {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Orders are 1 + g/256. */
const STEPS = 256n;
const MAX_STEP = 1n << 24n;
/** Bits after the point of what is remembered. */
const KEPT = 128n;
const keptUp = (value: bigint): bigint => ceilDivide(value, 1n << (PRECISION - KEPT));

interface Order {
  readonly g: bigint;
  /** At least -(a-1) ln(a/(a-1)) - ln(a), at order a, over 2^128. */
  readonly constant: bigint;
}
let known: readonly Order[] | undefined;
const orders = (): readonly Order[] => {
  if (known) return known;
  const list: Order[] = [];
  for (let g = 1n; g <= MAX_STEP; g += 1n + g / 128n) {
    const share = (g * lnOf(STEPS + g, g).low) / STEPS;
    list.push({ g, constant: keptUp(-share - lnOf(STEPS + g, STEPS).low) });
  }
  return (known = list);
};

/**
 * Epsilon of a composition that costs `microRho`, at `delta`: rounded up. rho-zCDP is (a, a rho)-RDP at each order a > 1, and
 * that is (epsilon, delta)-DP with epsilon = a rho + (ln(1/delta) + (a-1) ln(1-1/a) - ln(a)) / (a-1) (Canonne, Kamath, Steinke 2020,
 * proposition 12); the least over a fixed list of orders. Throws RangeError on a delta that is not between 0 and 1.
 */
export const epsilonOfRho = (microRho: bigint, { numerator, denominator }: Delta): MicroEpsilon => {
  if (numerator <= 0n || numerator >= denominator) throw new RangeError('delta must lie between 0 and 1');
  if (microRho <= 0n) return 0n as MicroEpsilon;
  const logarithm = keptUp(lnOf(denominator, numerator).high);
  const epsilons = orders().map(({ g, constant }) => {
    const cost = ceilDivide((STEPS + g) * microRho, STEPS);
    return cost + ceilDivide((logarithm + constant) * STEPS * MILLION, g << KEPT);
  });
  const least = epsilons.reduce((a, b) => (b < a ? b : a));
  return (least > 0n ? least : 0n) as MicroEpsilon;
};

/** What was spent, by kind of mechanism: pure mechanisms by both measures. */
export interface Spending {
  /** Sum of the pure mechanisms' epsilon. */
  readonly pureEpsilon: MicroEpsilon;
  /** Sum of `rhoOfEpsilon` of each of them. */
  readonly pureRho: MicroRho;
  readonly gaussianRho: MicroRho;
}

/**
 * Epsilon of a composition at `delta`, rounded up: the smaller of two bounds that both hold, all of it as zCDP, or the pure part
 * by plain addition and only the rest as zCDP. The second is what few or large pure queries need.
 */
export const epsilonOfSpending = ({ pureEpsilon, pureRho, gaussianRho }: Spending, delta: Delta): MicroEpsilon => {
  const asOne = epsilonOfRho(pureRho + gaussianRho, delta);
  const apart = pureEpsilon + epsilonOfRho(gaussianRho, delta);
  return (asOne < apart ? asOne : apart) as MicroEpsilon;
};

/** The most micro-rho whose epsilon at `delta` is at most `epsilon`: rounded down. */
export const rhoWithin = (epsilon: MicroEpsilon, delta: Delta): MicroRho => {
  let [low, high] = [0n, epsilon + 1n];
  while (epsilonOfRho(high, delta) <= epsilon) high *= 2n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (epsilonOfRho(middle, delta) <= epsilon) low = middle;
    else high = middle;
  }
  return low as MicroRho;
};
