import { expect, test } from 'vitest';
import { noiseHalfWidth } from './interval.ts';

/** P(|X| <= w) of one discrete Laplace in closed form: 1 - 2 p^(w+1) / (1 + p). */
const within = (scale: number, w: number): number => 1 - (2 * Math.exp(-1 / scale) ** (w + 1)) / (1 + Math.exp(-1 / scale));

test.each([0.1, 0.5, 1, 3])('B7: one Vault at epsilon %d: the width is the least that covers 95 %%', (epsilon) => {
  const width = noiseHalfWidth(1, epsilon, 1);
  expect(within(1 / epsilon, width)).toBeGreaterThanOrEqual(0.95);
  expect(within(1 / epsilon, width - 1)).toBeLessThan(0.95);
});

test('more Vaults, more noise; near the normal approximation for many', () => {
  const widths = [1, 2, 3, 10].map((vaults) => noiseHalfWidth(1, 0.5, vaults));
  expect(widths).toEqual([...widths].toSorted((a, b) => a - b));
  const variance = (p: number) => (2 * p) / (1 - p) ** 2;
  expect(Math.abs(widths[3]! - 1.96 * Math.sqrt(10 * variance(Math.exp(-0.5))))).toBeLessThan(2);
});

test('B7: wide noise and many Vaults: quick, and near what the exact sum gives', () => {
  expect(noiseHalfWidth(1, 1 / 33, 1)).toBeGreaterThan(noiseHalfWidth(1, 1 / 32, 1) - 1);
  expect(noiseHalfWidth(1, 0.000001, 3) / noiseHalfWidth(1, 0.001, 3)).toBeCloseTo(1000, -1);
  expect(Math.abs(noiseHalfWidth(1, 0.5, 13) / noiseHalfWidth(1, 0.5, 12) - Math.sqrt(13 / 12))).toBeLessThan(0.05);
  expect(noiseHalfWidth(1, 0.5, 1000)).toBeGreaterThan(100);
});
