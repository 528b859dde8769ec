import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digitThresholds } from '../noise.ts';
import { DRAW_BITS } from './draw.ts';
import { expOfMinus } from './enclosure.ts';
import { acceptanceThresholds, candidatesFor, discreteGaussian, noiseVector, rejectionOf, type Variance } from './gaussian.ts';
import { chiSquareLimit, chiSquareOf } from '../testing/goodness-of-fit.ts';

const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const FULL = 1n << BigInt(DRAW_BITS);
const variances: readonly Variance[] = [
  { numerator: 1n, denominator: 1n },
  { numerator: 9n, denominator: 2n },
  { numerator: 100n, denominator: 1n },
  { numerator: 1_000_003n, denominator: 17n },
];

/** P(candidate = y) * P(y stays), exactly but for a common factor: from the thresholds that the sampler compares with. */
const massOf = (variance: Variance): ((y: number) => bigint) => {
  const { scale, factor, offset, divisor } = rejectionOf(variance);
  const digits = digitThresholds(scale).slice(0, 9);
  const geometric = digits.reduce<bigint[]>((masses, t) => [...masses.map((m) => m * (FULL - t)), ...masses.map((m) => m * t)], [1n]);
  const acceptance = acceptanceThresholds(divisor);
  return (y) => {
    let mass = 0n;
    for (let j = 0; j + y < geometric.length; j++) mass += geometric[j]! * geometric[j + y]!;
    const exponent = (BigInt(y) * factor - offset) ** 2n;
    return acceptance.reduce((m, t, i) => ((exponent >> BigInt(i)) & 1n ? m * t : m * FULL), mass);
  };
};

describe('B7: the distribution', () => {
  test.each(variances)('B7: frequencies fit the exact mass at variance $numerator/$denominator (chi-square)', (variance) => {
    const s = Number(variance.numerator) / Number(variance.denominator);
    const draws = 6_000;
    const values = discreteGaussian(seedOf(5), Number(variance.numerator % 97n), draws, variance).map(Number);
    const total = Array.from({ length: 2 * Math.ceil(12 * Math.sqrt(s)) + 1 }, (_, i) => i - Math.ceil(12 * Math.sqrt(s)))
      .map((x) => Math.exp((-x * x) / (2 * s)))
      .reduce((a, b) => a + b);
    const { statistic, freedom } = chiSquareOf(values, (x) => Math.exp((-x * x) / (2 * s)) / total);
    expect(statistic).toBeLessThan(chiSquareLimit(freedom));
    const mean = values.reduce((a, b) => a + b) / draws;
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(s / draws));
  });

  test('B7: the fit refuses a wrong scale', () => {
    const values = discreteGaussian(seedOf(5), 0, 6_000, { numerator: 100n, denominator: 1n }).map(Number);
    const wrong = chiSquareOf(values, (x) => Math.exp((-x * x) / 242) / (11 * Math.sqrt(2 * Math.PI)));
    expect(wrong.statistic).toBeGreaterThan(chiSquareLimit(wrong.freedom));
  });

  test.each([variances[0]!, variances[1]!, { numerator: 30n, denominator: 1n }])(
    'B7: masses are as the formula to one part in 2^60, from the thresholds themselves, at $numerator/$denominator',
    (variance) => {
      const mass = massOf(variance);
      const edge = Math.ceil(9 * Math.sqrt(Number(variance.numerator) / Number(variance.denominator)));
      for (let y = 0; y < edge; y++) {
        const [here, next] = [mass(y), mass(y + 1)];
        // mass(y+1) / mass(y) = exp(-(2y+1) / (2 s))
        const shrink = expOfMinus(BigInt(2 * y + 1) * variance.denominator, 2n * variance.numerator).low;
        const [scaled, expected] = [next << 512n, here * shrink];
        const apart = scaled > expected ? scaled - expected : expected - scaled;
        expect(apart << 60n < expected, `at ${y}`).toBe(true);
      }
    },
  );

  test('B7: more than 2/3 of the candidates stay, at whatever variance', () => {
    for (const s of [1, 1.3, 2, 2.26, 4, 30, 1e4, 1e9]) {
      const { scale } = rejectionOf({ numerator: BigInt(Math.round(s * 100)), denominator: 100n });
      const t = Number(scale.numerator) / Number(scale.denominator);
      expect(t * t).toBeGreaterThanOrEqual(s);
      expect(Math.tanh(1 / (2 * t)) * Math.exp(-s / (2 * t * t)) * Math.sqrt(2 * Math.PI * s), `at ${s}`).toBeGreaterThan(0.69);
    }
  });
});

describe('B6: keyed', () => {
  test('B6: golden vectors: the same seed gives the same noise for ever', () => {
    expect(discreteGaussian(seedOf(7), 0, 12, { numerator: 100n, denominator: 1n }).map(Number)).toMatchInlineSnapshot(`
      [
        -3,
        0,
        -9,
        -10,
        9,
        -12,
        -9,
        -10,
        4,
        18,
        6,
        -1,
      ]
    `);
    expect(noiseVector(seedOf(7), 3, [1000n, -5n], { numerator: 10n ** 18n, denominator: 7n }).map(Number)).toMatchInlineSnapshot(`
      [
        -275747519,
        -13751104,
      ]
    `);
  });

  test('B6: repeatable, and different for each index, seed and variance', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), (seed, index) => {
        const variance = { numerator: 1n << 80n, denominator: 3n };
        const value = discreteGaussian(seed, index, 1, variance);
        expect(discreteGaussian(Uint8Array.from(seed), index, 1, variance)).toEqual(value);
        expect(discreteGaussian(seed, index + 1, 1, variance)).not.toEqual(value);
        expect(discreteGaussian(seed, index, 1, { ...variance, denominator: 5n })).not.toEqual(value);
        expect(discreteGaussian(seed.with(31, seed[31]! ^ 1), index, 1, variance)).not.toEqual(value);
      }),
      { numRuns: 5, seed: 1 },
    );
  });

  test('B7: work depends on length and variance alone; what is out of bounds is refused', () => {
    expect(candidatesFor(1)).toBe(66);
    for (const bad of [
      { numerator: 0n, denominator: 1n },
      { numerator: 3n, denominator: 4n },
      { numerator: 1n, denominator: 0n },
      { numerator: 1n << 96n, denominator: 1n },
      { numerator: 1n << 60n, denominator: 1n << 48n },
    ])
      expect(() => discreteGaussian(seedOf(0), 0, 1, bad)).toThrow(RangeError);
    expect(() => discreteGaussian(new Uint8Array(31), 0, 1, variances[0]!)).toThrow(RangeError);
    expect(() => discreteGaussian(seedOf(0), -1, 1, variances[0]!)).toThrow(RangeError);
  });
});
