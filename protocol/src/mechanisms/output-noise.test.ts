import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rhoOfEpsilon } from '../amounts.ts';
import { noiseCells } from '../noise.ts';
import { outputLength } from '../output-layout.ts';
import type { Plan, PlanMeasure } from '../plan.ts';
import { quantileOfHistogram } from './histogram-quantile.ts';
import { epsilonShare, histogramVariance, measureScale, noiseOutput, rhoOfParts } from './output-noise.ts';

const seed = new Uint8Array(32).fill(5);
const sum: PlanMeasure = { kind: 'sum', column: 'c', low: -20, high: 10_000 };
const median: PlanMeasure = { kind: 'quantile', column: 'c', rank: { numerator: 1, denominator: 2 }, grid: [0, 10, 20] };
type Noised = Pick<Plan, 'group' | 'measures' | 'cellsPerSubject' | 'epsilon'>;
const plan = (measures: PlanMeasure[] | undefined, cellsPerSubject = 1, epsilon = 600_000n): Noised => ({
  group: { column: 'g', cells: [{ label: 'a', values: ['1'] }, { label: 'b' }] },
  ...(measures && { measures }),
  cellsPerSubject,
  epsilon,
});

describe('B7: epsilon is shared', () => {
  test.each`
    measures         | share       | rho
    ${undefined}     | ${600_000n} | ${180_000n}
    ${[sum]}         | ${300_000n} | ${90_000n}
    ${[sum, median]} | ${200_000n} | ${60_000n}
  `('$measures.length measures: $share each', ({ measures, share, rho }: { measures?: PlanMeasure[]; share: bigint; rho: bigint }) => {
    expect(epsilonShare(plan(measures))).toBe(share);
    expect(rhoOfParts(plan(measures))).toBe(rho);
  });
  test('B5: shares round down, what they cost rounds up', () =>
    fc.assert(
      fc.property(fc.bigInt(5n, 2_000_000n), fc.integer({ min: 0, max: 4 }), (epsilon, n) => {
        const of = plan(n === 0 ? undefined : Array.from({ length: n }, () => sum), 1, epsilon);
        const parts = BigInt(n + 1);
        expect(epsilonShare(of) * parts).toBeLessThanOrEqual(epsilon);
        expect(2_000_000n * rhoOfParts(of)).toBeGreaterThanOrEqual(parts * epsilonShare(of) ** 2n);
        expect(rhoOfParts(of)).toBeLessThanOrEqual(parts * rhoOfEpsilon(epsilonShare(of)));
      }),
    ));
});

describe('B7: the scale of each part', () => {
  test('a sum: k times the larger bound, over its share', () =>
    expect(measureScale(sum, plan([sum], 2))).toEqual({
      numerator: 20_000n * 1_000_000n,
      denominator: 300_000n,
    }));
  test('a histogram: k / (2 rho), and never below 1', () => {
    const { numerator, denominator } = histogramVariance(plan([median], 2));
    // share 0.3, rho 0.045, 2 / 0.09
    expect(Number(numerator) / Number(denominator)).toBeCloseTo(22.222, 3);
    expect(histogramVariance(plan([median], 1, 4_000_000n))).toEqual({ numerator: 1n, denominator: 1n });
  });
});

describe('B6: noise by place', () => {
  const exact = (of: Noised): bigint[] => Array.from({ length: outputLength(of) }, (_, i) => BigInt(100 * i));
  test('counts alone have the noise they always had', () => {
    const of = plan(undefined);
    expect(noiseOutput(seed, exact(of), of)).toEqual(noiseCells(seed, exact(of), 1, 600_000n));
  });
  test('golden: a change of these is a new protocol version (X4)', () => {
    const of = plan([sum, median], 2);
    expect(noiseOutput(seed, exact(of), of)).toMatchInlineSnapshot(`
      [
        6n,
        99n,
        240421n,
        -201110n,
        409n,
        501n,
        596n,
        695n,
        804n,
        894n,
      ]
    `);
  });
  test('a replay gives the same; the values move it by themselves alone', () =>
    fc.assert(
      fc.property(fc.array(fc.bigInt(-1000n, 1000n), { minLength: 10, maxLength: 10 }), (values) => {
        const of = plan([sum, median]);
        const zero = noiseOutput(
          seed,
          values.map(() => 0n),
          of,
        );
        expect(noiseOutput(seed, values, of)).toEqual(values.map((value, i) => value + zero[i]!));
      }),
      { numRuns: 20, seed: 6 },
    ));
  test('another number of values is refused', () => expect(() => noiseOutput(seed, [1n], plan([sum]))).toThrow(RangeError));
});

describe('B7: a quantile of a histogram', () => {
  const rank = (numerator: bigint, denominator: bigint) => ({ numerator, denominator });
  test.each`
    bins                   | rank             | place
    ${[0n, 0n, 9n]}        | ${rank(1n, 2n)}  | ${2}
    ${[5n, 5n, 90n]}       | ${rank(1n, 20n)} | ${0}
    ${[10n, 10n, 10n]}     | ${rank(1n, 2n)}  | ${1}
    ${[10n, 0n, 10n]}      | ${rank(1n, 2n)}  | ${0}
    ${[10n, 0n, 0n, 10n]}  | ${rank(9n, 10n)} | ${3}
    ${[-3n, 50n, -2n, 4n]} | ${rank(1n, 2n)}  | ${1}
    ${[0n, 0n]}            | ${rank(1n, 2n)}  | ${0}
  `('$bins at its rank: place $place', ({ bins, rank: at, place }: { bins: bigint[]; rank: ReturnType<typeof rank>; place: number }) =>
    expect(quantileOfHistogram(bins, at)).toBe(place),
  );
  test('without noise it is a quantile: no more than p below it, no more than 1 - p above', () =>
    fc.assert(
      fc.property(fc.array(fc.bigInt(1n, 50n), { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (bins, p) => {
        const place = quantileOfHistogram(bins, rank(BigInt(p), 10n));
        const total = bins.reduce((a, b) => a + b);
        const below = bins.slice(0, place).reduce((a, b) => a + b, 0n);
        const above = bins.slice(place + 1).reduce((a, b) => a + b, 0n);
        expect(10n * below).toBeLessThanOrEqual(BigInt(p) * total);
        expect(10n * above).toBeLessThanOrEqual(BigInt(10 - p) * total);
      }),
      { seed: 6 },
    ));
});
