/** B7: ours beside Google's dp-accounting; `test/privacy/dp-accounting.py` made the other half. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rhoOfEpsilon, type MicroEpsilon, type MicroRho } from '../amounts.ts';
import { epsilonOfRho, epsilonOfSpending, rhoOfGaussian, rhoWithin, type Spending } from './accounting.ts';
import { lnOf } from './enclosure.ts';

interface Row {
  /** Millionths of epsilon, times asked. */
  readonly laplace: readonly (readonly [number, number])[];
  /** Variance, times asked. */
  readonly gaussian: readonly (readonly [number, number])[];
  /** delta = 10^-this. */
  readonly delta: number;
  readonly pld: number;
  readonly rdp: number;
}
const rows = JSON.parse(readFileSync(new URL('../../../test/privacy/dp-accounting.json', import.meta.url), 'utf8')) as readonly Row[];
const deltaOf = (digits: number) => ({ numerator: 1n, denominator: 10n ** BigInt(digits) });
const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n);
const spendingOf = ({ laplace, gaussian }: Row): Spending => ({
  pureEpsilon: sum(laplace.map(([epsilon, times]) => BigInt(epsilon) * BigInt(times))) as MicroEpsilon,
  pureRho: sum(laplace.map(([epsilon, times]) => rhoOfEpsilon(BigInt(epsilon) as MicroEpsilon) * BigInt(times))) as MicroRho,
  gaussianRho: sum(gaussian.map(([v, times]) => rhoOfGaussian(1n, { numerator: BigInt(v), denominator: 1n }) * BigInt(times))) as MicroRho,
});
const ours = rows.map((row) => Number(epsilonOfSpending(spendingOf(row), deltaOf(row.delta))) / 1e6);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

test('B7: never below the privacy loss distribution, over 500 random compositions', () => {
  expect(rows).toHaveLength(501);
  rows.forEach((row, i) => expect(ours[i], JSON.stringify(row)).toBeGreaterThanOrEqual(row.pld));
});

test('B7: how much looser than an accountant that tracks RDP orders', () => {
  const looser = (of: (row: Row) => boolean): number[] => rows.flatMap((row, i) => (of(row) ? [ours[i]! / row.rdp - 1] : []));
  // 100 Gaussians of sigma 10 at 10^-6: RDP says 5.2215; the plain formula rho + 2 sqrt(rho ln(1/delta)) would say 5.7565.
  expect(rows[0]).toMatchObject({ gaussian: [[100, 100]], rdp: 5.22154 });
  expect(ours[0]).toBeCloseTo(5.2215, 3);
  // docs/adr/0013 states these figures.
  const figures = (values: readonly number[]) => [median(values), Math.max(...values)].map((v) => Math.max(0, v).toFixed(2));
  expect(figures(looser((row) => row.laplace.length === 0))).toEqual(['0.00', '0.00']);
  expect(figures(looser((row) => row.gaussian.length === 0))).toEqual(['0.00', '0.12']);
  expect(figures(looser((row) => row.laplace.length > 0 && row.gaussian.length > 0))).toEqual(['0.04', '0.20']);
});

test('B5, B7: every edge rounds outward', () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 50_000_000n), fc.bigInt(0n, 1_000_000n), fc.integer({ min: 3, max: 12 }), (rho, more, digits) => {
      const delta = deltaOf(digits);
      const epsilon = epsilonOfRho(rho, delta);
      expect(epsilonOfRho(rho + more, delta)).toBeGreaterThanOrEqual(epsilon);
      // Never above the plain formula.
      const plain = Number(rho) + 2e6 * Math.sqrt((Number(rho) / 1e6) * digits * Math.LN10);
      expect(Number(epsilon)).toBeLessThanOrEqual(plain + 2);
      const within = rhoWithin(epsilon, delta);
      expect(epsilonOfRho(within, delta)).toBeLessThanOrEqual(epsilon);
      expect(within).toBeGreaterThanOrEqual(rho);
      expect(epsilonOfRho((within + 1n) as MicroRho, delta)).toBeGreaterThan(epsilon);
    }),
    { numRuns: 30, seed: 1 },
  );
  expect(rhoOfGaussian(3n, { numerator: 7n, denominator: 1n })).toBe(642_858n);
  expect(rhoOfGaussian(1n, { numerator: 10n ** 18n, denominator: 1n })).toBe(1n);
  expect(epsilonOfRho(0n, deltaOf(6))).toBe(0n);
  for (const bad of [
    { numerator: 0n, denominator: 1n },
    { numerator: 1n, denominator: 1n },
  ])
    expect(() => epsilonOfRho(1n, bad)).toThrow(RangeError);
});

test('B7: logarithms lie within their enclosure', () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 10n ** 15n), fc.bigInt(0n, 10n ** 15n), (bottom, more) => {
      const { low, high } = lnOf(bottom + more, bottom);
      expect(high - low).toBeLessThan(1n << 24n);
      expect(Number(low >> 448n) / 2 ** 64).toBeCloseTo(Math.log1p(Number(more) / Number(bottom)), 10);
    }),
    { numRuns: 100, seed: 2 },
  );
});
