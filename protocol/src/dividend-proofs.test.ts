import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { dividendProofsJson, parseDividendProofs } from './dividend-proofs.ts';
import { dividendTree } from './dividends.ts';

const account = `0x${'1a'.repeat(32)}`;
const proofs = { account, claims: [dividendTree(7n, [{ account, amount: 5n }]).claim(0)] };

test('K6: a file of proofs reads back as it was written', () =>
  fc.assert(
    fc.property(fc.array(fc.bigInt(1n, 2n ** 50n), { minLength: 1, maxLength: 20 }), fc.bigInt(0n, 2n ** 64n - 1n), (amounts, number) => {
      const tree = dividendTree(
        number,
        amounts.map((amount) => ({ account, amount })),
      );
      const written = { account, claims: amounts.map((_, index) => tree.claim(index)) };
      const json = JSON.stringify(dividendProofsJson(written));
      expect(JSON.stringify(dividendProofsJson(parseDividendProofs(JSON.parse(json))))).toBe(json);
      expect(parseDividendProofs(JSON.parse(json)).claims.map(({ amount }) => amount)).toEqual(amounts);
    }),
  ));

test.each([
  ['an amount as a number', { amount: 5 }],
  ['an amount above 64 bits', { amount: '18446744073709551616' }],
  ['a negative amount', { amount: '-1' }],
  ['a path of something else', { path: ['xyz'] }],
  ['a path without end', { path: Array.from({ length: 54 }, () => '00'.repeat(32)) }],
  ['an unknown field', { memo: 'hello' }],
])('K6: refused: %s', (_, change) => {
  const file = dividendProofsJson(proofs);
  expect(() => parseDividendProofs({ ...file, claims: [{ ...file.claims[0]!, ...change }] })).toThrow(z.ZodError);
});
