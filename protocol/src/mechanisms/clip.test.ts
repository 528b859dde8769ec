import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rhoOfGaussian } from './accounting.ts';
import { clip, clipNorm, clippedSum, clippedVectorSum, gaussianVariance, sumScale } from './clip.ts';

const big = fc.bigInt(-(10n ** 12n), 10n ** 12n);
const bound = fc.bigInt(1n, 10n ** 6n);

test('B7: one subject, added or removed, moves a sum by at most the bound', () => {
  fc.assert(
    fc.property(fc.array(big), big, bound, (others, one, limit) => {
      const apart = clippedSum([...others, one], limit) - clippedSum(others, limit);
      expect(apart).toBe(clip(one, limit));
      expect(apart <= limit && apart >= -limit).toBe(true);
    }),
    { seed: 1 },
  );
});

test('B7: a clipped vector lies within its L2 bound, on its own side, and is left alone when it fits', () => {
  fc.assert(
    fc.property(fc.array(big, { minLength: 1, maxLength: 8 }), bound, (vector, limit) => {
      const clipped = clipNorm(vector, limit);
      expect(clipped.reduce((sum, v) => sum + v * v, 0n)).toBeLessThanOrEqual(limit * limit);
      clipped.forEach((v, i) => expect(v * vector[i]!).toBeGreaterThanOrEqual(0n));
      if (vector.reduce((sum, v) => sum + v * v, 0n) <= limit * limit) expect(clipped).toEqual(vector);
    }),
    { seed: 2 },
  );
  expect(clipNorm([300n, -400n], 50n)).toEqual([30n, -40n]);
  expect(
    clippedVectorSum(
      [
        [300n, -400n],
        [1n, 2n],
      ],
      2,
      50n,
    ),
  ).toEqual([31n, -38n]);
  expect(() => clippedVectorSum([[1n]], 2, 50n)).toThrow(RangeError);
  expect(() => clip(1n, 0n)).toThrow(RangeError);
});

test('B5, B7: the variance bought with an amount of rho costs that amount', () => {
  fc.assert(
    fc.property(bound, fc.bigInt(1n, 10n ** 6n), (limit, rho) => {
      expect(rhoOfGaussian(limit, gaussianVariance(limit, rho))).toBe(rho);
    }),
    { seed: 3 },
  );
  expect(sumScale(50n, 500_000n)).toEqual({ numerator: 50_000_000n, denominator: 500_000n });
});
