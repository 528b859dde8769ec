import { expect, test } from 'vitest';
import { estimate, estimateLines, leastOf, type Odometer } from './estimate.ts';

const odometer = (vault: string, spent: string, changes: Partial<Odometer> = {}): Odometer => ({
  vault,
  usage: 'marketing',
  limit: '500',
  reserved: '0',
  spent,
  actorShare: '500',
  actors: [],
  ...changes,
});
const plan = { usage: 'marketing', microRho: 120n } as const;
const actor = `0x${'11'.repeat(32)}`;

test('B4: as many as the quorum of Vaults has room for', () => {
  const odometers = [odometer('a', '0'), odometer('b', '300'), odometer('c', '500'), odometer('d', '0', { usage: 'training' })];
  expect([1, 2, 3, 4].map((quorum) => estimate(odometers, plan, quorum).tasks)).toEqual([4n, 1n, 0n, 0n]);
  expect(estimate(odometers, plan, 2).vaults).toEqual([
    { vault: 'a', left: 500n, tasks: 4n },
    { vault: 'b', left: 200n, tasks: 1n },
    { vault: 'c', left: 0n, tasks: 0n },
  ]);
});
test("B4: the submitter's share of the epoch counts where it is known", () => {
  const odometers = [odometer('a', '100', { reserved: '30', actorShare: '250', actors: [{ actor, taken: '130' }] })];
  expect(estimate(odometers, plan, 1, actor)).toMatchObject({ tasks: 1n, vaults: [{ left: 120n }] });
  expect(estimate(odometers, plan, 1)).toMatchObject({ tasks: 2n, vaults: [{ left: 250n }] });
  expect(estimateLines(estimate(odometers, plan, 1))).toEqual([
    "such tasks now    2 with the quorum, the submitter's share of the epoch not counted",
    '                  a: 250 micro-rho left, 2 such tasks',
  ]);
});
test('an odometer beyond its limit leaves nothing, not less', () =>
  expect(estimate([odometer('a', '600')], plan, 1).vaults[0]).toEqual({ vault: 'a', left: 0n, tasks: 0n }));

test('S4, B1: across domains, the least of each Vault, within what the larger overlap bound leaves; who lacks a domain is not asked', () => {
  const home = [odometer('a', '0'), odometer('b', '100'), odometer('c', '0')];
  const other = [odometer('a', '200'), odometer('b', '0'), odometer('c', '0', { usage: 'training' })];
  const bound = { limit: 300n, share: 300n };
  expect(estimate(leastOf([home, other], 'marketing', bound), plan, 1).vaults).toEqual([
    { vault: 'a', left: 100n, tasks: 0n },
    { vault: 'b', left: 200n, tasks: 1n },
  ]);
  expect(leastOf([home], 'marketing', { limit: 10_000n, share: 10_000n })).toEqual(home);
});
test('C5: a Vault that follows fewer replenishments says so', () =>
  expect(estimateLines(estimate([odometer('a', '0', { replenishEvery: 2 })], plan, 1))[1]).toBe(
    '                  a: 500 micro-rho left, 4 such tasks; comes back with every 2 replenishments',
  ));
