/** One random sequence on the published contracts and on their model: same aborts, same balances, and K9 after each operation. */
import { isDeepStrictEqual } from 'node:util';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { bcsVector, u64Bytes } from '../devnet/bytes.ts';
import type { Chain } from '../devnet/chain.ts';
import { debts, escrowed, everything, genesisSupply, initialModel, staked } from './model-state.ts';
import type { ModelState, Terms } from './model-state.ts';
import { promised, step } from './model.ts';
import type { Operation } from './operation.ts';
import { dice, randomOperation } from './random-operations.ts';
import { vmContracts } from './vm-contracts.ts';
import type { VmContracts } from './vm-contracts.ts';

/** All that can be read is compared so often; what an operation may have changed, after each. */
const ALL_EVERY = 100;

/** Contracts that are published and initialised; every sequence runs on top, in memory. */
export interface Stage {
  readonly chain: Chain;
  readonly contract: string;
  readonly terms: Omit<Terms, 'startedAt'>;
}

const same = (got: unknown, expected: unknown, what: string): void => {
  if (isDeepStrictEqual(got, expected)) return;
  throw new Error(`${what}: the contracts say ${String(got)}, the model says ${String(expected)}`);
};
const flag = (yes: boolean): bigint => (yes ? 1n : 0n);

/** Totals of every contract; from them conservation follows. */
const checkTotals = (s: ModelState, vm: VmContracts): void => {
  const [supply, ...parts] = vm.view('settlement', 'supply');
  same(parts, [escrowed(s), s.rewards, s.reserve, s.dividends, staked(s), s.pot], 'supply');
  same(supply, everything(s), 'parts');
  same(supply, genesisSupply(s.terms) + s.minted, 'genesis and minted');
};
const checkAccount = (s: ModelState, vm: VmContracts, who: number): void => {
  const address = fromHex(s.terms.accounts[who]!.slice(2));
  const e = s.escrows[who]!;
  same(vm.view('sym', 'balance', address), [s.hands[who]], 'hands');
  const live = e.withdrawing > 0n && s.now < e.expiresAt;
  const request = live ? [e.withdrawing, e.ripensAt, e.expiresAt] : [0n, 0n, 0n];
  same(vm.view('escrow', 'account', address), [e.balance, ...request, e.debt], 'escrow');
};
const checkBonds = (s: ModelState, vm: VmContracts, who: number): void => {
  for (const role of [0, 1, 2]) {
    const b = s.bonds.get(`${role}/${who}`);
    const expected = b ? [b.bonded, b.since, b.unbonding, b.ripensAt, BigInt(b.offences), flag(b.expelled)] : Array<bigint>(6).fill(0n);
    same(vm.view('staking', 'bond', Uint8Array.of(role), fromHex(s.terms.accounts[who]!.slice(2))), expected, 'bond');
  }
};
const checkAll = (s: ModelState, vm: VmContracts): void => {
  const addresses = s.terms.accounts.map((a) => fromHex(a.slice(2)));
  addresses.forEach((address, who) => {
    checkAccount(s, vm, who);
    checkBonds(s, vm, who);
    same(vm.view('rewards', 'claimable', address), [s.claimable[who]], 'claimable');
  });
  same(vm.view('treasury', 'totals'), [s.reserve, s.dividends, s.rewardsOwed, s.dividendsOwed, debts(s)], 'treasury');
  same(vm.view('dividends', 'promised'), [promised(s)], 'promised');
  same(vm.view('settlement', 'next_number'), [s.nextBatch], 'next batch');
  same(
    vm.view('settlement', 'observe', bcsVector(addresses)).slice(1, 1 + addresses.length),
    s.escrows.map((e) => e.balance),
    'observe',
  );
  const { recovery } = s;
  const underWay = recovery ? [1n, BigInt(recovery.generation), BigInt(recovery.height), recovery.ripensAt] : [0n, 0n, 0n, 0n];
  same(vm.view('recovery', 'pending'), [BigInt(s.recoveryRound), ...underWay], 'recovery');
  same(vm.view('committee', 'highest'), [BigInt(s.highest)], 'highest');
  same(vm.view('governance', 'current'), [s.nextEpoch, s.policyVersion, s.protocolVersion], 'governance');
  for (let generation = 0; generation <= s.generation; generation++)
    for (const master of [0, 1, 2]) {
      const [convicted] = vm.view('accountability', 'equivocated', u64Bytes(BigInt(generation)), Uint8Array.of(master));
      same(convicted, flag(s.convicted.has(`${generation}/${master}`)), 'equivocated');
    }
};

const told = (op: Operation): string => JSON.stringify(op, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
/** Whose hands and escrow the operation may change. */
const touched = (op: Operation, accounts: readonly string[]): number[] => {
  if (op.kind === 'settle') return op.batch.debits.map(({ account }) => accounts.indexOf(account));
  return 'who' in op ? [op.who] : [];
};
const compare = (op: Operation, s: ModelState, vm: VmContracts, all: boolean): string => {
  const expected = step(s, op) ?? 'done';
  same(vm.step(op) ?? 'done', expected, 'outcome');
  // What an aborted call wrote is thrown away before anybody can read it, so it needs no look; `all` would find it.
  if (expected === 'done' && op.kind !== 'wait') {
    checkTotals(s, vm);
    for (const who of touched(op, s.terms.accounts)) checkAccount(s, vm, who);
  }
  if (all) checkAll(s, vm);
  return `${op.kind} ${expected}`;
};

/**
 * Runs one sequence; returns how often each kind of operation ended how. Throws an Error that names seed, position and operation where
 * the contracts and the model part.
 */
export const differ = ({ chain, contract, terms }: Stage, seed: number, length: number): Map<string, number> => {
  const later = vmContracts(chain, contract, terms.accounts, BigInt(Math.ceil(chain.nowUs() / 1_000_000)));
  const startedAt = later.view('inflation', 'schedule')[0]!;
  const state = initialModel({ ...terms, startedAt });
  const vm = vmContracts(chain, contract, terms.accounts, startedAt);
  const d = dice(BigInt(seed));
  const seen = new Map<string, number>();
  for (let i = 0; i < length; i++) {
    const op = randomOperation(d, state);
    try {
      const outcome = compare(op, state, vm, i % ALL_EVERY === 0 || i === length - 1);
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    } catch (error) {
      throw new Error(`seed ${seed}, operation ${i}: ${told(op)}`, { cause: error });
    }
  }
  return seen;
};
