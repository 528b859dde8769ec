/**
 * The contracts against a model written from the rules (K2, K6, K7, K8, K9, N9, P3, P4, P5, G1, G3, G4): random operations, each must
 * end in the same abort or leave the same balances, and no SYM may come or go but by the schedule. SCS_DIFFERENTIAL_OPERATIONS sets
 * how many, SCS_DIFFERENTIAL_SEED the first seed.
 */
import { setImmediate } from 'node:timers/promises';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { testKey } from '@scs/protocol/testing/keys.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bcsVector, u64Bytes } from './devnet/bytes.ts';
import { fundedAccount, startDevnet } from './devnet/testing/devnet.ts';
import type { TestDevnet } from './devnet/testing/devnet.ts';
import { publishScs } from './publish.ts';
import { committeeKeys, genesisOfModel, recoveryKeys } from './testing/certified.ts';
import { debts, escrowed, everything, genesisSupply, initialModel, staked } from './testing/model-state.ts';
import type { ModelState } from './testing/model-state.ts';
import { promised, step } from './testing/model.ts';
import type { Operation } from './testing/operation.ts';
import { dice, randomOperation } from './testing/random-operations.ts';
import { vmContracts } from './testing/vm-contracts.ts';
import type { VmContracts } from './testing/vm-contracts.ts';

const OPERATIONS = Number(process.env['SCS_DIFFERENTIAL_OPERATIONS'] ?? 2_000);
const SEED = Number(process.env['SCS_DIFFERENTIAL_SEED'] ?? 1);
/** One sequence; then the next seed starts from new contracts' state. */
const LENGTH = 1_000;
const ALL_EVERY = 25;

const accounts = Array.from({ length: 6 }, (_, i) => testKey(`differential account ${i}`).address).toSorted();
const addresses = accounts.map((a) => fromHex(a.slice(2)));
const allocation = 10_000_000n;
const [delay, window] = [3_600n, 600n];

const reserves = [0n, 5_000n, 50_000_000n] as const;
interface Published {
  readonly contract: string;
  readonly reserve: bigint;
}
let devnet: TestDevnet;
let published: readonly Published[];

/** Published and initialised by the SDK; every sequence runs on top, in memory. */
const publish = async (reserve: bigint): Promise<Published> => {
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
  return { contract, reserve };
};
// All of it before the first sequence: those keep the event loop to themselves, and no connection would survive them.
beforeAll(async () => {
  devnet = await startDevnet();
  published = await Promise.all(reserves.map(publish));
});
afterAll(() => devnet.stop());

const contractsOf = ({ contract, reserve }: Published): { state: ModelState; vm: VmContracts } => {
  const later = vmContracts(devnet.chain, contract, accounts, BigInt(Math.ceil(devnet.chain.nowUs() / 1_000_000)));
  const startedAt = later.view('inflation', 'schedule')[0]!;
  const state = initialModel({ accounts, allocation, reserve, delay, window, startedAt });
  return { state, vm: vmContracts(devnet.chain, contract, accounts, startedAt) };
};

/** Totals of every contract; from them conservation follows. */
const checkTotals = (s: ModelState, vm: VmContracts): void => {
  const [supply, ...parts] = vm.view('settlement', 'supply');
  expect(parts).toEqual([escrowed(s), s.rewards, s.reserve, s.dividends, staked(s), s.pot]);
  expect(supply).toBe(everything(s));
  expect(supply).toBe(genesisSupply(s.terms) + s.minted);
};
const checkAccount = (s: ModelState, vm: VmContracts, who: number): void => {
  const address = addresses[who]!;
  const e = s.escrows[who]!;
  expect(vm.view('sym', 'balance', address)).toEqual([s.hands[who]]);
  const live = e.withdrawing > 0n && s.now < e.expiresAt;
  const request = live ? [e.withdrawing, e.ripensAt, e.expiresAt] : [0n, 0n, 0n];
  expect(vm.view('escrow', 'account', address)).toEqual([e.balance, ...request, e.debt]);
};
const checkAll = (s: ModelState, vm: VmContracts): void => {
  accounts.forEach((_, who) => {
    checkAccount(s, vm, who);
    expect(vm.view('rewards', 'claimable', addresses[who]!)).toEqual([s.claimable[who]]);
    for (const role of [0, 1, 2]) {
      const b = s.bonds.get(`${role}/${who}`);
      const expected = b
        ? [b.bonded, b.since, b.unbonding, b.ripensAt, BigInt(b.offences), b.expelled ? 1n : 0n]
        : [0n, 0n, 0n, 0n, 0n, 0n];
      expect(vm.view('staking', 'bond', Uint8Array.of(role), addresses[who]!)).toEqual(expected);
    }
  });
  expect(vm.view('treasury', 'totals')).toEqual([s.reserve, s.dividends, s.rewardsOwed, s.dividendsOwed, debts(s)]);
  expect(vm.view('dividends', 'promised')).toEqual([promised(s)]);
  expect(vm.view('settlement', 'next_number')).toEqual([s.nextBatch]);
  expect(vm.view('settlement', 'observe', bcsVector(addresses)).slice(1, 7)).toEqual(s.escrows.map((e) => e.balance));
  const { recovery } = s;
  const underWay = recovery ? [1n, BigInt(recovery.generation), BigInt(recovery.height), recovery.ripensAt] : [0n, 0n, 0n, 0n];
  expect(vm.view('recovery', 'pending')).toEqual([BigInt(s.recoveryRound), ...underWay]);
  expect(vm.view('committee', 'highest')).toEqual([BigInt(s.highest)]);
  expect(vm.view('governance', 'current')).toEqual([s.nextEpoch, s.policyVersion, s.protocolVersion]);
  for (let generation = 0; generation <= s.generation; generation++)
    for (const master of [0, 1, 2])
      expect(vm.view('accountability', 'equivocated', u64Bytes(BigInt(generation)), Uint8Array.of(master))[0]).toBe(
        s.convicted.has(`${generation}/${master}`) ? 1n : 0n,
      );
};

const told = (op: Operation): string => JSON.stringify(op, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
/** Whose hands and escrow the operation may change. */
const touched = (op: Operation): number[] => {
  if (op.kind === 'settle') return op.batch.debits.map(({ account }) => accounts.indexOf(account));
  return 'who' in op ? [op.who] : [];
};
/** Runs one sequence; returns how often each kind ended how. */
const differ = (seed: number, length: number): Map<string, number> => {
  const { state, vm } = contractsOf(published[seed % published.length]!);
  const d = dice(BigInt(seed));
  const seen = new Map<string, number>();
  for (let i = 0; i < length; i++) {
    const op = randomOperation(d, state);
    const expected = step(state, op);
    const got = vm.step(op);
    const where = `seed ${seed}, operation ${i}: ${told(op)}`;
    expect(got, where).toBe(expected);
    try {
      checkTotals(state, vm);
      for (const who of touched(op)) checkAccount(state, vm, who);
      if (i % ALL_EVERY === 0 || i === length - 1) checkAll(state, vm);
    } catch (error) {
      throw new Error(where, { cause: error });
    }
    const outcome = `${op.kind} ${expected ?? 'done'}`;
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  return seen;
};

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
      for (const [outcome, count] of differ(seed, length)) seen.set(outcome, (seen.get(outcome) ?? 0) + count);
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
