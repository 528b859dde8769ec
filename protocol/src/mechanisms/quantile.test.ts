import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chiSquareLimit } from '../testing/goodness-of-fit.ts';
import { expOfMinus } from './enclosure.ts';
import { lossSensitivity, quantile, quantileLosses, quantileWeights, type QuantileQuestion } from './quantile.ts';

const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const candidates = [0, 10, 20, 30, 40, 60, 80];
const median = { numerator: 1n, denominator: 2n };
const questionOf = (values: readonly number[], more: Partial<QuantileQuestion> = {}): QuantileQuestion => ({
  rank: median,
  below: candidates.map((c) => BigInt(values.filter((v) => v < c).length)),
  above: candidates.map((c) => BigInt(values.filter((v) => v > c).length)),
  contributions: 1,
  epsilon: 1_000_000n,
  ...more,
});

test.each([100_000n, 1_000_000n, 5_000_000n])('B7: frequencies fit the exact mass at epsilon %i/10^6 (chi-square)', (epsilon) => {
  const question = questionOf([5, 12, 18, 22, 25, 33, 70], { epsilon });
  const losses = quantileLosses(question).map(Number);
  const weights = losses.map((loss) => Math.exp((-Number(epsilon) / 1e6) * (loss / (2 * Number(lossSensitivity(question))))));
  const total = weights.reduce((a, b) => a + b);
  const draws = 6_000;
  const seen = candidates.map(() => 0);
  for (let i = 0; i < draws; i++) seen[quantile(seedOf(4), i, question)]!++;
  const statistic = seen.reduce((sum, got, i) => sum + (got - (draws * weights[i]!) / total) ** 2 / ((draws * weights[i]!) / total), 0);
  expect(statistic).toBeLessThan(chiSquareLimit(candidates.length - 1));
});

test('B7: neighbours differ by at most e^epsilon (1 + 2^-60), from the weights themselves', () => {
  const value = fc.integer({ min: -5, max: 90 });
  const rank = fc.constantFrom(median, { numerator: 1n, denominator: 4n }, { numerator: 95n, denominator: 100n });
  const property = fc.property(
    fc.array(value, { maxLength: 30 }),
    value,
    rank,
    fc.bigInt(1_000n, 4_000_000n),
    (values, one, of, epsilon) => {
      const [with_, without] = [[...values, one], values].map((v) => quantileWeights(questionOf(v, { rank: of, epsilon })));
      const [all, rest] = [with_!, without!].map((weights) => weights.reduce((a, b) => a + b));
      const shrink = expOfMinus(epsilon, 1_000_000n).low;
      candidates.forEach((_, i) => {
        const [p, q] = [with_![i]! * rest!, without![i]! * all!];
        expect((p << 512n) * ((1n << 60n) + 1n) >= q * shrink * (1n << 60n), 'with against without').toBe(true);
        expect((q << 512n) * ((1n << 60n) + 1n) >= p * shrink * (1n << 60n), 'without against with').toBe(true);
      });
    },
  );
  fc.assert(property, { numRuns: 200, seed: 3 });
});

test('B6, B7: keyed, the same for ever; much epsilon finds the quantile; nobody at all is an answer too', () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  const question = questionOf(values, { epsilon: 20_000_000n, rank: { numerator: 3n, denominator: 10n } });
  expect(Array.from({ length: 8 }, (_, i) => candidates[quantile(seedOf(1), i, question)])).toEqual(Array(8).fill(30));
  const nobody = questionOf([]);
  expect(new Set(quantileWeights(nobody)).size).toBe(1);
  expect(Array.from({ length: 12 }, (_, i) => quantile(seedOf(7), i, nobody))).toMatchInlineSnapshot(`
    [
      6,
      5,
      3,
      5,
      1,
      5,
      5,
      3,
      5,
      2,
      3,
      6,
    ]
  `);
});

test('B7: a candidate beyond exp(-512) weighs nothing; questions out of bounds are refused', () => {
  const far = questionOf([], { below: [0n, 100_000n, ...Array<bigint>(5).fill(0n)], epsilon: 4_000_000n });
  expect(quantileWeights(far)[1]).toBe(0n);
  for (const bad of [
    { rank: { numerator: 1n, denominator: 1n } },
    { rank: { numerator: 0n, denominator: 2n } },
    { epsilon: 0n },
    { contributions: 0 },
    { below: [] },
    { above: [-1n, 0n, 0n, 0n, 0n, 0n, 0n] },
  ])
    expect(() => quantile(seedOf(0), 0, questionOf([1], bad))).toThrow(RangeError);
  expect(() => quantile(new Uint8Array(31), 0, questionOf([1]))).toThrow(RangeError);
});
