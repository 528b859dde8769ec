/**
 * The privacy audit (rule B7): each mechanism runs many times on two neighbouring inputs, and a lower bound of its epsilon is
 * read off the most telling events (Clopper and Pearson, 99.9 % together). A true mechanism stays below what it promises; a
 * deliberately broken one does not. Seeded: the same every time.
 */
import { expect, test } from 'vitest';
import { discreteLaplace, queryScale } from '../noise.ts';
import { proportionBounds } from '../testing/goodness-of-fit.ts';
import { epsilonOfRho } from './accounting.ts';
import { clippedSum, gaussianVariance, sumScale } from './clip.ts';
import { discreteGaussian } from './gaussian.ts';
import { noiseOutput } from './output-noise.ts';
import { quantile } from './quantile.ts';

const RUNS = 6_000;
const ALPHA = 0.001;
/** Seeds of the two sides: nothing is shared. */
const SIDES = [new Uint8Array(32).fill(11), new Uint8Array(32).fill(12)] as const;
type Mechanism = (seed: Uint8Array, input: readonly number[]) => readonly number[];

/**
 * The greatest lower bound of epsilon over the events "at least x" and "at most x", at the given delta. Events are chosen on the
 * first half of the runs and counted on the second.
 */
const epsilonAtLeast = (mechanism: Mechanism, neighbours: readonly [readonly number[], readonly number[]], delta = 0): number => {
  const runs = neighbours.map((input, side) => mechanism(SIDES[side]!, input));
  const half = (values: readonly number[], which: 0 | 1): readonly number[] => values.slice((which * RUNS) / 2, ((which + 1) * RUNS) / 2);
  const count = (side: number, which: 0 | 1, event: (v: number) => boolean): number => half(runs[side]!, which).filter(event).length;
  const seen = [...new Set([...half(runs[0]!, 0), ...half(runs[1]!, 0)])].toSorted((x, y) => x - y);
  const events = seen
    .filter((_, i) => i % Math.ceil(seen.length / 60) === 0)
    .flatMap((x) => [(v: number) => v >= x, (v: number) => v <= x]);
  const bound = (p: number, q: number): number => {
    // The point estimate less three deviations chooses; the exact bound speaks.
    const score = (event: (v: number) => boolean): number => {
      const [a, b] = [count(p, 0, event) + 1, count(q, 0, event) + 1];
      return Math.log(a / b) - 3 * Math.sqrt(1 / a + 1 / b);
    };
    const [event] = events.map((e) => [e, score(e)] as const).reduce((best, next) => (next[1] > best[1] ? next : best));
    const { low } = proportionBounds(count(p, 1, event), RUNS / 2, ALPHA / 4);
    const { high } = proportionBounds(count(q, 1, event), RUNS / 2, ALPHA / 4);
    return low > delta ? Math.log((low - delta) / high) : 0;
  };
  return Math.max(bound(0, 1), bound(1, 0));
};

const every = (draw: (run: number) => number): number[] => Array.from({ length: RUNS }, (_, run) => draw(run));
const count =
  (scale: { numerator: bigint; denominator: bigint }): Mechanism =>
  (seed, input) =>
    every((run) => input.length + Number(discreteLaplace(seed, run, scale)));
const people = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const one = [people, people.slice(1)] as const;

const MICRO = 1_000_000n;
test.each([500_000n, MICRO, 2n * MICRO])('B7: a count at epsilon %i/10^6 loses no more, and the audit comes near it', (epsilon) => {
  const found = epsilonAtLeast(count(queryScale(1, epsilon)), one);
  expect(found).toBeLessThanOrEqual(Number(epsilon) / 1e6);
  expect(found).toBeGreaterThan((Number(epsilon) / 1e6) * 0.6);
});

test.each([
  ['half the scale', count({ numerator: 1n, denominator: 2n })],
  [
    'the noise of one side, that forgets its sign',
    ((seed, input) =>
      every((run) => input.length + Math.abs(Number(discreteLaplace(seed, run, queryScale(1, MICRO)))))) satisfies Mechanism,
  ],
  [
    'cells only where the data has some',
    ((seed, input) =>
      every((run) => (input.includes(1) ? 1 + Number(discreteLaplace(seed, run, queryScale(1, MICRO))) : -1_000))) satisfies Mechanism,
  ],
  [
    'a sum that is not clipped',
    ((seed, input) =>
      every((run) => input.reduce((a, b) => a + b * 3, 0) + Number(discreteLaplace(seed, run, queryScale(1, MICRO))))) satisfies Mechanism,
  ],
])('B7: broken, and caught: %s', (_, mechanism) => {
  expect(epsilonAtLeast(mechanism, one)).toBeGreaterThan(1.2);
});

test('B7: a clipped sum loses no more than its epsilon', () => {
  const sum: Mechanism = (seed, input) => {
    const clipped = Number(
      clippedSum(
        input.map((v) => BigInt(v * 100)),
        50n,
      ),
    );
    return every((run) => clipped + Number(discreteLaplace(seed, run, sumScale(50n, MICRO))));
  };
  const found = epsilonAtLeast(sum, one);
  expect(found).toBeLessThanOrEqual(1);
  expect(found).toBeGreaterThan(0.6);
});

test('B7: a Gaussian loses no more than its rho converts to; with a quarter of its scale the audit catches it', () => {
  const delta = { numerator: 1n, denominator: 1000n };
  const [rho, bound] = [125_000n, 4n];
  const gaussian =
    (microRho: bigint): Mechanism =>
    (seed, input) =>
      discreteGaussian(seed, 0, RUNS, gaussianVariance(bound, microRho)).map((noise) => input.length * Number(bound) + Number(noise));
  const promised = Number(epsilonOfRho(rho, delta)) / 1e6;
  expect(epsilonAtLeast(gaussian(rho), one, 0.001)).toBeLessThanOrEqual(promised);
  expect(epsilonAtLeast(gaussian(16n * rho), one, 0.001)).toBeGreaterThan(promised);
});

test('B7: a quantile loses no more than its epsilon; at a quarter of its scale the audit catches it', () => {
  const median =
    (epsilon: bigint): Mechanism =>
    (seed, input) =>
      every((run) =>
        quantile(seed, run, {
          rank: { numerator: 1n, denominator: 2n },
          below: [0n, 100n].map((c) => BigInt(input.filter((v) => v < c).length)),
          above: [0n, 100n].map((c) => BigInt(input.filter((v) => v > c).length)),
          contributions: 1,
          epsilon,
        }),
      );
  // Without the last value one loss falls by one and the other rises by one.
  const neighbours = [
    [-1, -1, 50, 150, 150, 150],
    [-1, -1, 50, 150, 150],
  ] as const;
  expect(epsilonAtLeast(median(MICRO), neighbours)).toBeLessThanOrEqual(1);
  expect(epsilonAtLeast(median(4n * MICRO), neighbours)).toBeGreaterThan(1);
});

test('B7: counts and sums of one output together lose no more than the epsilon that they share', () => {
  const sum = { kind: 'sum', column: 'c', low: 0, high: 9 } as const;
  const plan = { group: { cells: [{ label: 'all' }] }, measures: [sum], cellsPerSubject: 1, epsilon: 2n * MICRO };
  // One number out of both parts, that tells most of whether the last subject is there: its count and its clipped total.
  const together =
    (of: typeof plan): Mechanism =>
    (seed, input) =>
      every((run) => {
        const key = Uint8Array.from(seed);
        new DataView(key.buffer).setUint32(0, run);
        const exact = [BigInt(input.length), input.reduce((all, v) => all + BigInt(Math.min(v, 9)), 0n)];
        const [count_, total] = noiseOutput(key, exact, of);
        return Math.round((9 * Number(count_) + Number(total)) / 3);
      });
  const neighbours = [people, people.slice(0, -1)] as const;
  expect(epsilonAtLeast(together(plan), neighbours)).toBeLessThanOrEqual(2);
  expect(epsilonAtLeast(together({ ...plan, epsilon: 8n * MICRO }), neighbours)).toBeGreaterThan(2);
});
