/** The tables of docs/economics.md, run against the rules (K1, K2, K3, K7, K10, G3, S5). */
import { describe, expect, test } from 'vitest';
import { formatSym, parseEpsilon, parseSym } from './amounts.ts';
import { utf8 } from './encoding/bytes.ts';
import { mintedBy } from './inflation.ts';
import type { Policy } from './policy.ts';
import { freeOf } from './rules/escrow.ts';
import { queryPrice } from './rules/pricing.ts';
import { decodeBatch, batchKey } from './settlement-layout.ts';
import { distribute, settlementSums, splitFee } from './settlement.ts';
import { offences, penaltyOf, type Offence } from './staking.ts';
import { list, tablesIn } from './testing/document-tables.ts';
import { aGenesis, aPolicy, vaultNames } from './testing/genesis.ts';
import { aggregateCommand } from './testing/statements.ts';
import { aTask } from './testing/task.ts';
import { World } from './testing/world.ts';

const { rowsOf } = tablesIn('economics.md');

const prices = new Map(rowsOf('Prices').map((row) => [row['parameter']!, row['value']!]));
const price = (name: string): bigint => parseSym(prices.get(name) ?? '');
const share = (name: string): number => Number(prices.get(`${name}, basis points`));
const shares = {
  operators: share('operators'),
  executors: share('executors'),
  verifiers: share('verifiers'),
  dividends: share('dividends'),
  treasury: share('treasury'),
};
const policy: Policy = {
  ...aPolicy(),
  fees: {
    query: {
      base: price('base'),
      perVault: price('per Vault'),
      perSizeBand: [0, 1, 2, 3].map((band) => price(`size band ${band}`)),
      perEpsilon: price('one epsilon'),
    },
    shares,
  },
};

test.each(rowsOf('Quote'))('K1: bands $size bands of the Vaults cost $quote', (row) => {
  const vaults = list(row['size bands of the Vaults']!).map((band) => ({ sizeBand: Number(band) }));
  expect(formatSym(queryPrice(policy, vaults, parseEpsilon(row['epsilon']!)))).toBe(row['quote']);
});

const [first] = vaultNames as [string];
const aWorld = (): World => World.ready(aGenesis({ policy }));
const escrowOf = (world: World) => world.state.must('escrow', world.address('roastery'));
const finish = (world: World, uid: string, released = vaultNames): void => {
  world.ready(uid);
  world.release(uid, [...released]);
  if (released.length < vaultNames.length) world.advance(policy.windows.executionMs);
  world.aggregatorReady(uid);
  world.aggregate(uid);
  world.followUp();
};

describe('K2: lock, charge, free', () => {
  const world = aWorld();
  let uid = '';
  const steps: Readonly<Record<string, () => void>> = {
    admitted: () => (uid = world.submit(aTask())),
    answered: () => world.answer(uid),
    verified: () => finish(world, uid),
    settled: () => world.settle(),
  };
  test.each(rowsOf('Lock, charge, free'))('$step: locked $locked, free $free', ({ step, state, locked, free }) => {
    steps[step!]!();
    const escrow = escrowOf(world);
    expect({ state: world.task(uid).state, locked: formatSym(escrow.locked), free: formatSym(freeOf(escrow)) }).toEqual({
      state,
      locked,
      free,
    });
  });
});

const dispatched = (task = aTask()): { world: World; uid: string } => {
  const world = aWorld();
  const uid = world.submit(task);
  world.answer(uid);
  return { world, uid };
};
const released = (vaults: readonly string[]): { world: World; uid: string } => {
  const { world, uid } = dispatched();
  world.ready(uid);
  world.release(uid, [...vaults]);
  return { world, uid };
};
const completed = (vaults = vaultNames): { world: World; uid: string } => {
  const { world, uid } = dispatched();
  finish(world, uid, vaults);
  return { world, uid };
};
const endings: Readonly<Record<string, () => { world: World; uid: string }>> = {
  'all three deliver': () => completed(),
  // Suppression happens inside the enclave: nothing that the masters see differs, which is the rule.
  'the result is suppressed': () => completed(),
  'one Vault refuses before dispatch': () => {
    const world = aWorld();
    const uid = world.submit(aTask());
    world.refuse(uid, first);
    world.answer(uid);
    const others = world.vaultsIn(uid, 'reserved');
    world.ready(uid);
    world.release(uid, others);
    world.aggregatorReady(uid);
    world.aggregate(uid);
    world.followUp();
    return { world, uid };
  },
  'one Vault never releases': () => completed(vaultNames.slice(1)),
  'maxFee is 5': () => {
    const world = aWorld();
    return { world, uid: world.submit(aTask().maxFee('5')) };
  },
  'no Vault releases': () => {
    const it = dispatched();
    it.world.advance(policy.windows.executionMs);
    return it;
  },
  'cancelled after one release': () => {
    const it = released([first]);
    it.world.block({ type: 'task.cancel', uid: it.uid });
    return it;
  },
  'one release, the quorum is two': () => {
    const it = released([first]);
    it.world.advance(policy.windows.executionMs);
    return it;
  },
  'all release, nobody aggregates': () => {
    const it = released(vaultNames);
    it.world.advance(policy.windows.maxTaskMs);
    return it;
  },
};
test.each(rowsOf('How it may end'))('K10, S5: $what happens: $ends as, pays $charge', (row) => {
  const { world, uid } = endings[row['what happens']!]!();
  world.settle();
  const task = world.task(uid);
  const got = { state: task.state, charge: formatSym(task.charge ?? 0n), free: formatSym(freeOf(escrowOf(world))) };
  expect(got).toEqual({ state: row['ends as'], charge: row['charge'], free: row['free'] });
  expect(escrowOf(world).locked).toBe(0n);
});

const address = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`;
describe('K3: who gets a charge', () => {
  test.each(rowsOf('Who gets a charge'))('$charge base units into five pots', (row) => {
    const who = { operators: [address(1)], executors: [address(2)], verifiers: [address(3)] };
    const { credits, dividends, treasury } = splitFee(BigInt(row['charge']!), shares, who);
    const of = (n: number): bigint => credits.find(({ account }) => account === address(n))?.amount ?? 0n;
    expect([of(1), of(2), of(3), dividends, treasury].map(String)).toEqual(
      ['operators', 'executors', 'verifiers', 'dividends', 'treasury'].map((pot) => row[pot]),
    );
  });
  test.each(rowsOf('Who gets a charge', 1))('$pot by $weights', ({ pot, weights, 'each gets': gets }) => {
    const parts = list(weights!).map((weight, i) => ({ account: address(i + 1), weight: BigInt(weight) }));
    const given = new Map(distribute(BigInt(pot!), parts).map(({ account, amount }) => [account, amount]));
    expect(parts.map(({ account }) => String(given.get(account) ?? 0n))).toEqual(list(gets!));
  });
});

test.each(rowsOf('Minting'))('K7: after $seconds seconds $minted are minted', ({ seconds, minted, supply }) => {
  const genesis = parseSym('100000000');
  const amount = mintedBy(genesis, BigInt(seconds!));
  expect([amount, genesis + amount].map(formatSym)).toEqual([minted, supply]);
});

const isOffence = (name: string): name is Offence => name in offences;
test.each(rowsOf('Slashing'))('G3: $offence after $earlier takes $taken of $held', ({ held, offence, earlier, taken, expelled }) => {
  if (!isOffence(offence!)) throw new Error(`no such offence: ${offence}`);
  const penalty = penaltyOf(parseSym(held!), offence, Number(earlier));
  expect([formatSym(penalty.amount), penalty.expelled ? 'yes' : 'no']).toEqual([taken, expelled]);
});

test('K1, K6: two results give the same public figures', () => {
  const figures = (result: string) => {
    const { world, uid } = released(vaultNames);
    world.aggregatorReady(uid);
    world.block(aggregateCommand(world, world.task(uid), world.aggregator(uid).address, utf8(result)));
    world.settle();
    const { quote, charge } = world.task(uid);
    const amounts = decodeBatch(world.state.map.get(batchKey(1n))!)
      .credits.map(({ amount }) => amount)
      .toSorted((a, b) => Number(a - b));
    return { quote, charge, amounts, sums: settlementSums(decodeBatch(world.state.map.get(batchKey(1n))!)) };
  };
  expect(figures('what one Vault holds')).toEqual(figures('the same with one subject more'));
});
