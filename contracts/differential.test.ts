/**
 * The contracts against a model written from the rules (K2, K5, K6, K7, K8, K9, N9, P3, P4, P5, G1, G3, G4): random operations, each
 * must end in the same abort or leave the same balances, and no SYM may come or go but by the schedule. SCS_DIFFERENTIAL_OPERATIONS
 * sets how many, SCS_DIFFERENTIAL_SEED the first seed.
 */
import { setImmediate } from 'node:timers/promises';
import { testKey } from '@scs/protocol/testing/keys.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fundedAccount, startDevnet } from './devnet/testing/devnet.ts';
import type { TestDevnet } from './devnet/testing/devnet.ts';
import { publishScs } from './publish.ts';
import { committeeKeys, genesisOfModel, recoveryKeys } from './testing/certified.ts';
import { differ, type Stage } from './testing/differential.ts';

const OPERATIONS = Number(process.env['SCS_DIFFERENTIAL_OPERATIONS'] ?? 100_000);
const SEED = Number(process.env['SCS_DIFFERENTIAL_SEED'] ?? 1);
/** One sequence; then the next seed starts from new contracts' state. */
const LENGTH = 1_000;

const accounts = Array.from({ length: 6 }, (_, i) => testKey(`differential account ${i}`).address).toSorted();
const allocation = 10_000_000n;
const [delay, window] = [3_600n, 600n];
const reserves = [0n, 5_000n, 50_000_000n] as const;

let devnet: TestDevnet;
let stages: readonly Stage[];

/** Published and initialised by the SDK; every sequence runs on top, in memory. */
const publish = async (reserve: bigint): Promise<Stage> => {
  const publisher = await fundedAccount(devnet.aptos, 10_000_000_000);
  const genesis = {
    digest: genesisOfModel,
    masters: committeeKeys(0),
    recoveryKeys,
    simulated: true,
    allocations: accounts.map((address) => ({ address, amount: allocation })),
    treasuryReserve: reserve,
    escrowDelaySeconds: delay,
    escrowWindowSeconds: window,
  };
  const { contract } = await publishScs({ aptos: devnet.aptos, publisher, genesis });
  return { chain: devnet.chain, contract, terms: { accounts, allocation, reserve, delay, window } };
};
// All of it before the first sequence: those keep the event loop to themselves, and no connection would survive them.
beforeAll(async () => {
  devnet = await startDevnet();
  stages = await Promise.all(reserves.map(publish));
});
afterAll(() => devnet.stop());

const sequences = Array.from({ length: Math.ceil(OPERATIONS / LENGTH) }, (_, i) => ({
  seed: SEED + i,
  length: Math.min(LENGTH, OPERATIONS - i * LENGTH),
}));
const timeoutMs = 60_000 + OPERATIONS * 60;

test(
  `K9: ${OPERATIONS} random operations end in the contracts as in the model`,
  async () => {
    const seen = new Map<string, number>();
    for (const { seed, length } of sequences) {
      for (const [outcome, count] of differ(stages[seed % stages.length]!, seed, length))
        seen.set(outcome, (seen.get(outcome) ?? 0) + count);
      await setImmediate();
    }
    if (process.env['SCS_DIFFERENTIAL_SHOW'] !== undefined)
      console.log(
        [...seen]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([o, n]) => `${n} ${o}`)
          .join('\n'),
      );
    if (OPERATIONS < 2_000) return;
    // The sequences go where money is: each way of moving it happened, and so did each kind of refusal.
    for (const kind of ['deposit', 'withdraw', 'claim', 'settle', 'reward_nodes', 'mint_due', 'advance', 'stake', 'stake_master'])
      expect(seen.get(`${kind} done`), kind).toBeGreaterThan(0);
    for (const kind of ['govern', 'open_recovery', 'cancel_recovery', 'complete_recovery'])
      if (OPERATIONS >= 20_000) expect(seen.get(`${kind} done`), kind).toBeGreaterThan(0);
    for (const kind of [
      'publish_dividends',
      'claim_dividends',
      'roll_over',
      'request_unbond',
      'cancel_unbond',
      'withdraw_stake',
      'slash',
      'report',
    ])
      expect(seen.get(`${kind} done`), kind).toBeGreaterThan(0);
  },
  timeoutMs,
);
