import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSym } from '../amounts.ts';
import { aPolicy } from '../testing/genesis.ts';
import { failedPrice, queryPrice } from './pricing.ts';

const policy = aPolicy();
const bands = fc.array(fc.record({ sizeBand: fc.integer({ min: 0, max: 3 }) }), { maxLength: 8 });
const epsilon = fc.bigInt({ min: 1n, max: 1_000_000n });

describe('K1: the price of a query', () => {
  test('a worked example: 1 + 3 x 0.5 + 2 x 0.25 + 1 + 4 x 0.5', () =>
    expect(queryPrice(policy, [{ sizeBand: 1 }, { sizeBand: 1 }, { sizeBand: 3 }], 500_000n)).toBe(parseSym('6')));

  test('rounds up, never down', () => {
    const odd = { ...policy, fees: { ...policy.fees, query: { ...policy.fees.query, base: 0n, perEpsilon: 3n } } };
    expect(queryPrice(odd, [], 1n)).toBe(1n);
    expect(queryPrice(odd, [], 333_334n)).toBe(2n);
    expect(queryPrice(odd, [], 1_000_000n)).toBe(3n);
  });

  test('fewer Vaults never cost more: the charge stays within the quote', () =>
    fc.assert(
      fc.property(bands, epsilon, fc.nat(8), (vaults, eps, kept) => {
        const delivered = vaults.slice(0, kept);
        expect(queryPrice(policy, delivered, eps) <= queryPrice(policy, vaults, eps)).toBe(true);
        expect(failedPrice(policy, delivered, eps) <= queryPrice(policy, vaults, eps)).toBe(true);
      }),
    ));

  test('a band without a price is a fault of the caller', () =>
    expect(() => queryPrice(policy, [{ sizeBand: 9 }], 1n)).toThrow(RangeError));
});

describe('K10: the price of a task without a result', () => {
  test('nothing released costs nothing', () => expect(failedPrice(policy, [], 500_000n)).toBe(0n));
  test('what was released is paid, the base fee is not', () =>
    expect(failedPrice(policy, [{ sizeBand: 1 }], 500_000n)).toBe(parseSym('2.75')));
});
