import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digitsOf, digitThresholds, discreteLaplace, noiseCells, queryScale, type Scale } from './noise.ts';

const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const FULL = 1n << 384n;

/** P(G = x) of the geometric digits, exactly: an integer over 2^(384 n). */
const geometricMass = (scale: Scale): bigint[] =>
  digitThresholds(scale).reduce<bigint[]>(
    (masses, threshold) => [...masses.map((m) => m * (FULL - threshold)), ...masses.map((m) => m * threshold)],
    [1n],
  );
/** P(G1 - G2 = d), exactly: an integer over 2^(768 n). */
const differenceMass = (masses: readonly bigint[], d: number): bigint => {
  let sum = 0n;
  for (let j = 0; j + d < masses.length; j++) sum += masses[j]! * masses[j + d]!;
  return sum;
};
/** exp(-top/bottom) * 2^512 rounded down, by plain series with 600 bits: independent of the sampler's own arithmetic. */
const expMinus = (top: bigint, bottom: bigint): bigint => {
  let term = 1n << 600n;
  let sum = 0n;
  for (let n = 1n; term > 0n; n++) {
    sum += term;
    term = (term * top) / (bottom * n);
  }
  return (1n << 1112n) / sum;
};

const epsilons = [100_000n, 500_000n, 1_000_000n, 4_000_000n];

describe('B7: the distribution', () => {
  test.each(epsilons)('B7: frequencies fit the exact mass at epsilon %i/10^6 (chi-square)', (epsilon) => {
    const draws = 20_000;
    const scale = queryScale(1, epsilon);
    const p = Math.exp(-Number(epsilon) / 1e6);
    const mass = (x: number): number => ((1 - p) / (1 + p)) * p ** Math.abs(x);
    const seen = new Map<number, number>();
    for (let i = 0; i < draws; i++) {
      const x = Number(discreteLaplace(seedOf(Number(epsilon % 251n)), i, scale));
      seen.set(x, (seen.get(x) ?? 0) + 1);
    }
    let edge = 0;
    while (mass(edge + 1) * draws >= 8) edge++;
    let statistic = 0;
    let inside = 0;
    let insideMass = 0;
    for (let x = -edge; x <= edge; x++) {
      const [got, expected] = [seen.get(x) ?? 0, mass(x) * draws];
      statistic += (got - expected) ** 2 / expected;
      inside += got;
      insideMass += mass(x);
    }
    const tail = (1 - insideMass) * draws;
    statistic += (draws - inside - tail) ** 2 / tail;
    const freedom = 2 * edge + 1;
    // Wilson-Hilferty: the 0.9999 quantile (z = 3.72).
    const limit = freedom * (1 - 2 / (9 * freedom) + 3.72 * Math.sqrt(2 / (9 * freedom))) ** 3;
    expect(statistic).toBeLessThan(limit);
  });

  test('B7: mean, variance and symmetry', () => {
    const draws = 40_000;
    const p = Math.exp(-0.5);
    const values = Array.from({ length: draws }, (_, i) => Number(discreteLaplace(seedOf(3), i, queryScale(1, 500_000n))));
    const variance = (2 * p) / (1 - p) ** 2;
    const mean = values.reduce((a, b) => a + b, 0) / draws;
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(variance / draws));
    expect(values.reduce((a, b) => a + b * b, 0) / draws / variance).toBeCloseTo(1, 1);
    const [positive, negative] = [values.filter((x) => x > 0).length, values.filter((x) => x < 0).length];
    expect(Math.abs(positive - negative)).toBeLessThan(4 * Math.sqrt(positive + negative));
  });

  test('B7: the tail is there', () => {
    const large = Array.from({ length: 20_000 }, (_, i) => discreteLaplace(seedOf(9), i, queryScale(1, 500_000n))).filter(
      (x) => x >= 12n || x <= -12n,
    );
    // P(|x| >= 12) = 2 p^12 / (1+p) at p = exp(-1/2): 62 of 20,000 expected.
    expect(large.length).toBeGreaterThan(35);
    expect(large.length).toBeLessThan(95);
  });

  test('B7: thresholds are r/(1+r) to the last of 384 bits', () => {
    const scale = { numerator: 7n, denominator: 3n };
    digitThresholds(scale).forEach((threshold, i) => {
      const r = expMinus(3n << BigInt(i), 7n);
      const exact = (r << 384n) / ((1n << 512n) + r);
      const distance = exact - threshold;
      expect(distance >= -1n && distance <= 1n, `digit ${i}: ${distance}`).toBe(true);
    });
  });
});

describe('B7: privacy, from the thresholds themselves', () => {
  const audited: readonly [epsilon: bigint, offsets: readonly number[]][] = [
    [4_000_000n, Array.from({ length: 32 }, (_, d) => d)],
    [1_000_000n, Array.from({ length: 128 }, (_, d) => d)],
    [500_000n, Array.from({ length: 256 }, (_, d) => d)],
    [100_000n, [0, 1, 2, 3, 10, 100, 500, 1000, 1278, 1279]],
  ];
  test.each(audited)('B7: neighbours differ by at most e^epsilon (1 + 2^-60) at epsilon %i/10^6', (epsilon, offsets) => {
    const masses = geometricMass(queryScale(1, epsilon));
    const shrink = expMinus(epsilon, 1_000_000n);
    for (const d of offsets) {
      const [here, next] = [differenceMass(masses, d), differenceMass(masses, d + 1)];
      expect(next < here, `mass rises at ${d}`).toBe(true);
      expect(next * (1n << 512n) * ((1n << 60n) + 1n) >= here * shrink * (1n << 60n), `ratio at ${d}`).toBe(true);
    }
  });

  test('B7: what the audit leaves out weighs less than 2^-100', () => {
    for (const epsilon of [500_000n, 1_000_000n]) {
      const scale = queryScale(1, epsilon);
      const masses = geometricMass(scale);
      const edge = Number((128n * scale.numerator) / scale.denominator);
      const total = masses.reduce((a, b) => a + b, 0n) ** 2n;
      const beyond = 2n * masses.slice(edge).reduce((a, b) => a + b, 0n) * masses.reduce((a, b) => a + b, 0n);
      expect(beyond << 100n < total).toBe(true);
    }
  });
});

describe('B6: keyed', () => {
  test('B6: golden vectors: the same seed gives the same noise for ever', () => {
    const draws = Array.from({ length: 12 }, (_, i) => discreteLaplace(seedOf(7), i, queryScale(1, 500_000n)));
    expect(draws).toMatchInlineSnapshot(`
      [
        -1n,
        -1n,
        2n,
        3n,
        -2n,
        -7n,
        1n,
        0n,
        -4n,
        -2n,
        1n,
        1n,
      ]
    `);
    expect(noiseCells(seedOf(7), [100n, 0n, 5n], 3, 100_000n)).toMatchInlineSnapshot(`
      [
        111n,
        -55n,
        57n,
      ]
    `);
    expect(discreteLaplace(seedOf(1), 5, { numerator: 1n << 40n, denominator: 3n })).toMatchInlineSnapshot(`-121574195803n`);
  });

  test('B6: repeatable, and different for each index, seed and scale', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), (seed, index) => {
        const scale = { numerator: 1n << 39n, denominator: 1n };
        const value = discreteLaplace(seed, index, scale);
        expect(discreteLaplace(Uint8Array.from(seed), index, scale)).toBe(value);
        expect(discreteLaplace(seed, index + 1, scale)).not.toBe(value);
        const other = seed.map((b, i) => (i === 31 ? b ^ 1 : b));
        expect(discreteLaplace(other, index, scale)).not.toBe(value);
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  test('B7: work depends on the scale alone; scales out of bounds are refused', () => {
    expect(digitsOf(queryScale(1, 500_000n))).toBe(10);
    expect(digitsOf(queryScale(100, 1n))).toBe(35);
    expect(digitsOf({ numerator: 1n, denominator: 1_000_000n })).toBe(9);
    for (const bad of [
      { numerator: 0n, denominator: 1n },
      { numerator: 1n, denominator: 0n },
      { numerator: 1n << 41n, denominator: 1n },
    ])
      expect(() => discreteLaplace(seedOf(0), 0, bad)).toThrow(RangeError);
    expect(() => discreteLaplace(new Uint8Array(31), 0, queryScale(1, 1n))).toThrow(RangeError);
    expect(() => discreteLaplace(seedOf(0), -1, queryScale(1, 1n))).toThrow(RangeError);
  });
});
