/** Node rewards (K7), and what is read of the chain's economy (K6, K7, N3, G3). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSym } from '../amounts.ts';
import type { Command } from '../commands.ts';
import { hex } from '../encoding/bytes.ts';
import { DEFAULT_ECONOMY, type Economy } from '../economy.ts';
import { encodeNodeRewards, nodeRewardsKey } from '../inflation.ts';
import type { Transfer } from '../settlement-layout.ts';
import { aGenesis, aPolicy } from '../testing/genesis.ts';
import { testKey } from '../testing/keys.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { economyIn } from './economy.ts';

const LENGTH = aPolicy().epoch.lengthMs;
const withEconomy = (change: Partial<Economy> = {}) => aGenesis({ policy: { ...aPolicy(), economy: { ...DEFAULT_ECONOMY, ...change } } });
const rewardOf = (master: number): string => testKey(`reward ${master}`).address;

/** An epoch with one verified task over all Vaults, of which the chain minted `amount` before it closes. */
const closedEpoch = (amount: bigint, world = World.ready(withEconomy())): World => {
  const uid = world.submit(aTask());
  world.runTo(uid, 'completed');
  world.mint(amount);
  world.observe();
  world.advance(LENGTH);
  return world;
};
const masters = (each: bigint): Transfer[] => [0, 1, 2].map((i) => ({ account: rewardOf(i), amount: each }));
/** The leaf is what these transfers encode to. */
const isPaid = (world: World, number: bigint, transfers: readonly Transfer[]): void =>
  expect(hex(world.state.map.get(nodeRewardsKey(number))!)).toBe(
    hex(encodeNodeRewards({ number, transfers: transfers.toSorted((a, b) => (a.account < b.account ? -1 : 1)) })),
  );

describe('K7: node rewards', () => {
  test('at the end of an epoch: masters equally, enterprises by the slices and aggregations that were verified', () => {
    const world = closedEpoch(10_000n);
    const admitted = world.blocks.flatMap((b) => b.commands).find((c) => c.type === 'task.admit')!;
    const aggregator = world.aggregator(admitted.uid);
    const work = (['alder', 'birch', 'cedar'] as const).map((name) => ({
      account: world.address(name),
      amount: aggregator.name === name ? 3_000n : 1_500n,
    }));
    isPaid(world, 1n, [
      ...[0, 1, 2]
        .map((i) => rewardOf(i))
        .toSorted()
        .map((account, i) => ({ account, amount: i === 0 ? 1_334n : 1_333n })),
      ...work,
    ]);
    expect(economyIn(world.state)).toMatchObject({ minted: 10_000n, rewarded: 10_000n });
    expect(world.state.must('settlement', 'node-rewards-1')).toMatchObject({ leaf: 'node-rewards', epoch: 0, state: 'finalizing' });
  });

  test('follow what was minted, not how many epochs there were', () => {
    const world = closedEpoch(9_000n);
    world.advance(5 * LENGTH);
    expect(economyIn(world.state).next['node-rewards']).toBe(2n);
    world.mint(3_000n);
    world.observe();
    world.advance(LENGTH);
    isPaid(world, 2n, masters(400n)); // nobody worked in that epoch: the enterprises' part stays
    expect(economyIn(world.state)).toMatchObject({ minted: 12_000n, rewarded: 10_200n });
  });

  test('more than a leaf can hold is paid over several epochs', () => {
    const world = closedEpoch(2n ** 66n);
    expect(economyIn(world.state).rewarded).toBe(2n ** 64n - 1n);
  });

  test('nothing minted, nothing decided', () => {
    const world = World.ready(withEconomy());
    world.advance(3 * LENGTH);
    expect(economyIn(world.state)).toMatchObject({ minted: 0n, rewarded: 0n, next: { 'node-rewards': 1n } });
  });

  test('G3: who has bonded less than the policy asks gets none; what nobody gets stays', () => {
    const stakes = { master: parseSym('10'), enterprise: 0n, producer: 0n };
    const world = World.ready(withEconomy({ stakes }));
    world.bond({ role: 'master', holder: world.genesis.masters[1]!.publicKey, bonded: parseSym('10') });
    world.bond({ role: 'master', holder: world.genesis.masters[2]!.publicKey, bonded: parseSym('9.99999999') });
    world.mint(1_000n);
    world.observe();
    world.advance(LENGTH);
    isPaid(world, 1n, [{ account: rewardOf(1), amount: 400n }]);
    expect(economyIn(world.state).rewarded).toBe(400n);
  });

  test('P1: a line lands in order; each becomes final once', () => {
    const world = closedEpoch(9_000n);
    world.mint(9_000n);
    world.observe();
    expect(world.state.must('settlement', 'node-rewards-1').state).toBe('finalized');
    world.advance(LENGTH);
    expect(world.state.must('settlement', 'node-rewards-2').state).toBe('finalizing');
    expect(economyIn(world.state).landed['node-rewards']).toBe(1n);
  });

  test('never promises more than was minted, whatever is minted when', () =>
    fc.assert(
      fc.property(fc.array(fc.bigInt(0n, 2n ** 60n), { minLength: 1, maxLength: 8 }), (amounts) => {
        const world = World.ready(withEconomy());
        let last = 0n;
        for (const amount of amounts) {
          world.mint(amount);
          world.observe();
          world.advance(LENGTH);
          const { minted, rewarded } = economyIn(world.state);
          expect(rewarded >= last && rewarded <= minted).toBe(true);
          last = rewarded;
        }
      }),
      { numRuns: 25, seed: 7 },
    ));
});

describe('what a reading may say', () => {
  const observed = (world: World, change: object): Command => {
    const chain = world.state.must('meta').chain!;
    const economy = {
      minted: 9_000n,
      unpromised: 0n,
      bonds: [],
      landed: { 'node-rewards': 1n, dividends: 0n, slash: 0n, governance: economyIn(world.state).landed.governance },
      ...change,
    };
    return { type: 'chain.observed', ledgerVersion: chain.ledgerVersion + 1n, time: world.time, escrows: [], settled: [], economy };
  };
  const bond = { role: 'enterprise' as const, holder: `0x${'7'.repeat(64)}`, bonded: 1n };
  test.each([
    ['a leaf that was not decided', { landed: { 'node-rewards': 2n, dividends: 0n, slash: 0n, governance: 0n } }, 'BatchMismatch'],
    ['less minted than was read', { minted: 8_999n }, 'ReadingBehind'],
    ['a bond of a stranger', { bonds: [bond] }, 'ActorUnknown'],
    ['what is so', {}, undefined],
  ])('%s', (_, change, code) => {
    const world = closedEpoch(9_000n);
    expect(world.faultOf(observed(world, change))).toBe(code);
  });
  test('nothing un-lands, and nothing is read twice', () => {
    const world = closedEpoch(9_000n);
    world.observe();
    expect(world.faultOf(observed(world, { landed: { 'node-rewards': 0n, dividends: 0n, slash: 0n, governance: 0n } }))).toBe(
      'ReadingBehind',
    );
    const own = { ...bond, holder: world.address('alder') };
    expect(world.faultOf(observed(world, { bonds: [own, own] }))).toBe('Conflicts');
  });
});
