/**
 * The noise of a slice's output (rules B6, B7, S8): epsilon is shared equally among the counts and the measures. Counts and sums get
 * discrete Laplace, a quantile's histogram discrete Gaussian. docs/adr/0012-quantiles-and-clipped-sums.md.
 *
 *   part        one subject moves it by at most              noise
 *   counts      k in L1                                      Laplace, scale k / share
 *   sum, mean   k max(|low|, |high|) in L1                   Laplace, scale k max(|low|, |high|) / share
 *   quantile    sqrt(k) in L2: one bin of each of k cells    Gaussian, variance k / (2 rho), rho = share^2 / 2; at least 1
 */
import { rhoOfEpsilon, type MicroEpsilon, type MicroRho } from '../amounts.ts';
import { discreteLaplace, queryScale, type Scale } from '../noise.ts';
import { outputParts, type OutputPart } from '../output-layout.ts';
import type { Plan, PlanMeasure } from '../plan.ts';
import { gaussianVariance, sumScale } from './clip.ts';
import { noiseVector, type Variance } from './gaussian.ts';

type Noised = Pick<Plan, 'group' | 'measures' | 'cellsPerSubject' | 'epsilon'>;

/** Epsilon of the counts and of each measure, in millionths: equal shares, rounded down. */
export const epsilonShare = ({ epsilon, measures = [] }: Pick<Plan, 'epsilon' | 'measures'>): MicroEpsilon =>
  (epsilon / BigInt(1 + measures.length)) as MicroEpsilon;
/** What all parts cost together; a histogram is charged as if it were pure. */
export const rhoOfParts = (of: Pick<Plan, 'epsilon' | 'measures'>): MicroRho =>
  (BigInt(1 + (of.measures?.length ?? 0)) * rhoOfEpsilon(epsilonShare(of))) as MicroRho;

const magnitude = (n: number): bigint => BigInt(n < 0 ? -n : n);
/** Scale of a sum's noise. */
export const measureScale = (
  { low, high }: Extract<PlanMeasure, { kind: 'sum' | 'mean' }>,
  plan: Pick<Plan, 'cellsPerSubject' | 'epsilon' | 'measures'>,
): Scale => {
  const bound = magnitude(low) > magnitude(high) ? magnitude(low) : magnitude(high);
  return sumScale(bound * BigInt(plan.cellsPerSubject), epsilonShare(plan));
};
/** Variance of each bin's noise. The sampler's least variance is 1: more noise than owed, never less. */
export const histogramVariance = (plan: Pick<Plan, 'cellsPerSubject' | 'epsilon' | 'measures'>): Variance => {
  const one = gaussianVariance(1n, rhoOfEpsilon(epsilonShare(plan)));
  const numerator = one.numerator * BigInt(plan.cellsPerSubject);
  return numerator < one.denominator ? { numerator: 1n, denominator: 1n } : { numerator, denominator: one.denominator };
};

const laplace = (seed: Uint8Array, values: readonly bigint[], offset: number, scale: Scale): bigint[] =>
  values.map((value, i) => value + discreteLaplace(seed, offset + i, scale));

const noisePart = (seed: Uint8Array, values: readonly bigint[], { measure, offset }: OutputPart, plan: Noised): bigint[] => {
  if (!measure) return laplace(seed, values, offset, queryScale(plan.cellsPerSubject, epsilonShare(plan)));
  if (measure.kind === 'quantile') return noiseVector(seed, offset, values, histogramVariance(plan));
  return laplace(seed, values, offset, measureScale(measure, plan));
};

/**
 * The output with its noise: each number's draw is keyed by its place, so that a replay gives the same (B6). Throws RangeError on
 * another number of values than the plan has, or a scale that no sampler takes (`resolveQuery` makes none).
 */
export const noiseOutput = (seed: Uint8Array, exact: readonly bigint[], plan: Noised): bigint[] => {
  const parts = outputParts(plan);
  const last = parts.at(-1)!;
  if (exact.length !== last.offset + last.length) throw new RangeError('not the numbers of the plan');
  return parts.flatMap((part) => noisePart(seed, exact.slice(part.offset, part.offset + part.length), part, plan));
};
