import { describe, expect, test } from 'vitest';
import { Genesis } from './genesis.ts';
import { aGenesis } from './testing/genesis.ts';

describe('genesis', () => {
  const genesis = aGenesis();
  const withReserve = (treasuryReserve: bigint): boolean =>
    Genesis.safeParse({
      ...genesis,
      actors: genesis.actors.map((a) => ({ ...a, allocation: 0n })),
      chain: { ...genesis.chain, treasuryReserve },
    }).success;

  test('K2: a withdrawal ripens after the longest task with its challenge window', () => {
    expect(Genesis.safeParse({ ...genesis, chain: { ...genesis.chain, escrowDelaySeconds: 1n } }).success).toBe(false);
  });

  // 1.08 * 1.05 * 1.03 * 1.015 = 1.1856: what the schedule makes of one base unit.
  test('K7: supply and schedule fit the 64 bits in which the chain counts', () => {
    expect(withReserve((2n ** 63n * 1000n) / 593n)).toBe(false);
    expect(withReserve(2n ** 63n)).toBe(true);
    const two = genesis.actors.slice(0, 2).map((a) => ({ ...a, allocation: 2n ** 63n }));
    expect(Genesis.safeParse({ ...genesis, actors: two }).success).toBe(false);
  });
});
