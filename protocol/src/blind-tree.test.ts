/** K6: every real leaf proves, and nothing about the tree tells how many there are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dividendShares, blindTree } from './blind-tree.ts';
import { dividendLeaf } from './dividends.ts';
import { fromHex, hex } from './encoding/bytes.ts';
import { rootFromPath } from './settlement-layout.ts';
import { digestOf, testKey } from './testing/keys.ts';

const secret = fromHex(digestOf('secret'));
const account = (i: number): string => testKey(`producer ${i}`).address;
const shares = (count: number) => Array.from({ length: count }, (_, i) => ({ account: account(i), amount: BigInt(i + 1) }));

test('each share proves against the root, at an even place of its own, by a path of one length', () => {
  const own = shares(20);
  const tree = blindTree(secret, 8, own);
  const claims = own.map((_, i) => tree.claim(7n, i));
  expect(new Set(claims.map(({ index }) => index)).size).toBe(20);
  for (const [i, { index, amount, path, number }] of claims.entries()) {
    expect([number, amount, index % 2, path.length]).toEqual([7n, own[i]!.amount, 0, 8]);
    expect(hex(rootFromPath(index, Number(tree.count), dividendLeaf(own[i]!), path)!)).toBe(tree.root);
  }
});
test('no path holds another leaf, and no two claims share a lowest sibling', () => {
  const own = shares(60);
  const tree = blindTree(secret, 7, own);
  const leaves = new Set(own.map((share) => hex(dividendLeaf(share))));
  const lowest = own.map((_, i) => hex(tree.claim(1n, i).path[0]!));
  expect(new Set(lowest).size).toBe(60);
  expect(lowest.some((node) => leaves.has(node))).toBe(false);
});
test('count and length of paths are the same with one subject and with many; another secret gives another root', () => {
  const [one, many, other] = [
    blindTree(secret, 9, shares(1)),
    blindTree(secret, 9, shares(200)),
    blindTree(fromHex(digestOf('other')), 9, shares(1)),
  ] as const;
  expect([one.count, one.claim(1n, 0).path.length]).toEqual([many.count, many.claim(1n, 199).path.length]);
  expect(one.root).not.toBe(other.root);
  expect(blindTree(secret, 9, shares(200)).root).toBe(many.root);
});
test('nobody charged at all still gives a root', () => {
  expect(blindTree(secret, 6, []).root).toMatch(/^[0-9a-f]{64}$/);
});
test('more shares than places, and shares of nothing, are refused', () => {
  expect(() => blindTree(secret, 4, shares(9))).toThrow('do not fit');
  expect(() => blindTree(secret, 4, [{ account: account(1), amount: 0n }])).toThrow('above zero');
});

test('K6: the same rate for every charged subject, whoever else was charged', () => {
  const pot = { amount: 1_000n, total: 1_100n };
  const work = [
    { account: account(1), charged: 3n, share: 600n },
    { account: account(1), charged: 3n, share: 400n },
    { account: account(2), charged: 1n, share: 600n },
  ];
  const alone = dividendShares(work.slice(0, 2), pot, 16n);
  expect(alone).toEqual([{ account: account(1), amount: 206n }]);
  expect(dividendShares(work, pot, 16n)).toContainEqual(alone[0]);
});
test('never more than the total together, not even from a Vault with more subjects than its band', () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ account: fc.integer({ min: 0, max: 9 }), charged: fc.bigInt(0n, 5_000n), share: fc.bigInt(0n, 10n ** 12n) }), {
        maxLength: 30,
      }),
      fc.bigInt(0n, 10n ** 9n),
      (work, extra) => {
        const amount = work.reduce((sum, { share }) => sum + share, 0n);
        const total = amount + extra;
        const given = dividendShares(
          work.map((w) => ({ ...w, account: account(w.account) })),
          { amount, total },
          1_024n,
        );
        expect(given.reduce((sum, t) => sum + t.amount, 0n) <= total).toBe(true);
      },
    ),
    { seed: 3, numRuns: 200 },
  ));
