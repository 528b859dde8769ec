import { describe, expect, test } from 'vitest';
import { parseSym } from '../amounts.ts';
import { hex } from '../encoding/bytes.ts';
import { batchFault, settlementSums } from '../settlement.ts';
import { batchKey, decodeBatch, encodeSettlementLeaf, evidenceDigest, listPath, rootFromPath } from '../settlement-layout.ts';
import { aGenesis, aPolicy } from '../testing/genesis.ts';
import { actorKey, testKey } from '../testing/keys.ts';
import { aggregateCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { taskEvidenceDigest } from './aggregation.ts';
import { contributorsOf, settlementLeafOf } from './settle.ts';

const policy = aPolicy();
const withSettlement = (change: Partial<typeof policy.settlement>) =>
  aGenesis({ policy: { ...policy, settlement: { ...policy.settlement, ...change } } });
const batchOf = (world: World, number = 1n) => decodeBatch(world.state.map.get(batchKey(number))!);

/** The window has ended, the batch is decided, the chain has not seen it. */
const settled = (world = World.ready()) => {
  const uid = world.submit(aTask());
  world.runTo(uid, 'awaiting_settlement');
  world.advance(12_300);
  return { world, uid };
};

describe('P1: when a task enters a batch', () => {
  test('not before its challenge window has ended, then after the delay', () => {
    const world = World.ready();
    const uid = world.submit(aTask());
    world.runTo(uid, 'awaiting_settlement');
    expect(world.task(uid)).toMatchObject({ verifiedEpoch: 0, deadline: world.time + 6000 });
    world.advance(5999);
    expect(world.task(uid).readyAt).toBeUndefined();
    world.advance(1);
    expect(world.task(uid).readyAt).toBe(world.time);
    world.advance(5999);
    expect(world.task(uid).batch).toBeUndefined();
    world.advance(1);
    expect(world.task(uid).batch).toBe(1n);
    expect(world.state.must('settlement', '1')).toMatchObject({ state: 'finalizing', tasks: [uid], epoch: 0 });
  });

  test('at once when there are enough, and no more in one batch than the policy says', () => {
    const world = World.ready(withSettlement({ maxTasks: 2 }));
    const uids = [1, 2, 3].map(() => world.submit(aTask().maxFee('6')));
    for (const uid of uids) world.runTo(uid, 'awaiting_settlement');
    world.advance(6000);
    expect(uids.map((uid) => world.task(uid).batch)).toEqual([1n, 1n, undefined]);
    world.advance(6000);
    expect(world.task(uids[2]!).batch).toBe(2n);
  });

  test('P1, G2: a batch holds tasks of one epoch, the one open when they were verified', () => {
    const world = World.ready(aGenesis({ policy: { ...policy, epoch: { lengthMs: 2000 } } }));
    const first = world.submit(aTask().maxFee('6'));
    world.runTo(first, 'awaiting_settlement');
    world.advance(2000);
    const second = world.submit(aTask().maxFee('6'));
    world.runTo(second, 'awaiting_settlement');
    world.advance(14_000);
    expect([world.task(first).verifiedEpoch, world.task(second).verifiedEpoch]).toEqual([0, 1]);
    expect([batchOf(world, 1n).epoch, batchOf(world, 2n).epoch]).toEqual([0n, 1n]);
    expect(world.state.must('epoch', '0')).toMatchObject({ end: policy.version * 2000 + world.genesis.time, tasks: 1 });
    expect(world.state.must('epoch', '1')).toMatchObject({ number: 1, tasks: 1 });
  });
});

describe('P3, K3: what a batch says', () => {
  test("takes the charge from the submitter's escrow and gives it to operators, executors, masters, dividends and treasury", () => {
    const { world, uid } = settled();
    const batch = batchOf(world);
    const charge = parseSym('5.25');
    expect(batchFault(batch)).toBeUndefined();
    expect(batch.debits).toEqual([{ account: world.address('roastery'), amount: charge }]);
    expect(settlementSums(batch)).toMatchObject({ debits: charge, dividends: 78_750_000n, treasury: 26_250_000n });
    const aggregator = world.aggregator(uid);
    const credit = (account: string) => batch.credits.find((c) => c.account === account)!.amount;
    expect(credit(testKey('reward 0').address)).toBe(26_250_000n);
    const others = ['alder', 'birch', 'cedar'].filter((name) => name !== aggregator.name).map((name) => actorKey(name).address);
    expect(credit(aggregator.address) > credit(others[0]!)).toBe(true);
  });

  test('anyone can prove a task in it, before and after it lands', () => {
    const { world, uid } = settled();
    const before = encodeSettlementLeaf(settlementLeafOf(world.task(uid)));
    world.observe();
    const leaf = encodeSettlementLeaf(settlementLeafOf(world.task(uid)));
    expect(hex(leaf)).toBe(hex(before));
    expect(hex(rootFromPath(0, 1, leaf, listPath(0, [leaf]))!)).toBe(batchOf(world).tasksRoot);
  });

  test('the leaf carries the digest of all evidence', () => {
    const world = World.ready();
    const uid = world.submit(aTask());
    world.answer(uid);
    world.ready(uid);
    world.release(uid);
    world.aggregatorReady(uid);
    const command = aggregateCommand(world, world.task(uid), world.aggregator(uid).address);
    world.block(command);
    expect(settlementLeafOf(world.task(uid)).evidence).toBe(taskEvidenceDigest(command.aggregate, command.slices));
    expect(world.task(uid).sealedResult).toBe(command.aggregate.evidence.sealedResult);
  });

  test('K10: a failed task settles with what was released: no aggregator is paid, the receipts are its evidence', () => {
    const world = World.ready();
    const uid = world.submit(aTask());
    world.answer(uid);
    world.ready(uid);
    world.release(uid, ['alder/shoppers']);
    world.block({ type: 'task.cancel', uid });
    const task = world.task(uid);
    expect(contributorsOf(task, world.genesis)).toMatchObject({
      operators: [world.address('alder')],
      executors: [world.address('alder')],
    });
    const evidence = [{ vault: 'alder/shoppers', evidence: task.parts[0]!.release!.evidence }];
    expect(settlementLeafOf(task)).toMatchObject({ quote: parseSym('5.25'), charge: parseSym('2.75'), refund: parseSym('2.5') });
    expect(settlementLeafOf(task).evidence).toBe(evidenceDigest(encodeCanonical(evidence)));
    world.settle();
    expect(world.task(uid)).toMatchObject({ state: 'rejected', locked: 0n, batch: 1n });
  });
  test('a task without a charge has no leaf', () => {
    const world = World.ready();
    expect(() => settlementLeafOf(world.task(world.submit(aTask())))).toThrow('no charge');
  });
});

describe('P2, P4, K2: the chain is observed', () => {
  test('a landed batch completes its tasks, frees their locks and finalizes the settlement', () => {
    const { world, uid } = settled();
    world.observe();
    const { transaction, state, locked } = world.task(uid);
    expect([state, locked]).toEqual(['completed', 0n]);
    expect(world.state.must('settlement', '1')).toMatchObject({ state: 'finalized', transaction });
    expect(world.state.must('escrow', world.address('roastery'))).toMatchObject({ balance: parseSym('94.75'), locked: 0n });
    expect(world.state.must('meta').chain).toMatchObject({ settled: 1n });
  });

  test('a batch that landed after the escrow was read counts against the balance at once', () => {
    const { world, uid } = settled();
    const { ledgerVersion } = world.state.must('meta').chain!;
    const transaction = `0x${'ab'.repeat(32)}`;
    const landed = { batch: 1n, tasksRoot: batchOf(world).tasksRoot, transaction, version: ledgerVersion + 5n };
    world.block({ type: 'chain.observed', ledgerVersion: ledgerVersion + 6n, time: world.time, escrows: [], settled: [landed] });
    expect(world.task(uid).state).toBe('completed');
    expect(world.state.must('escrow', world.address('roastery'))).toMatchObject({ balance: parseSym('94.75'), locked: 0n });
  });

  test('P4: a batch lands once and in order; another root, or one newer than the reading, is no observation of this chain', () => {
    const { world } = settled();
    const chain = world.state.must('meta').chain!;
    const observed = (change: object) => ({
      type: 'chain.observed' as const,
      ledgerVersion: chain.ledgerVersion + 6n,
      time: world.time,
      escrows: [],
      settled: [
        { batch: 1n, tasksRoot: batchOf(world).tasksRoot, transaction: `0x${'ab'.repeat(32)}`, version: chain.ledgerVersion, ...change },
      ],
    });
    expect(world.faultOf(observed({ tasksRoot: 'ab'.repeat(32) }))).toBe('BatchMismatch');
    expect(world.faultOf(observed({ batch: 2n }))).toBe('BatchMismatch');
    expect(world.faultOf(observed({ version: chain.ledgerVersion + 7n }))).toBe('BatchMismatch');
    world.block(observed({}));
    expect(world.faultOf({ ...observed({}), ledgerVersion: chain.ledgerVersion + 9n })).toBe('AlreadyDecided');
  });
});

test('a task that waits on the chain stays as it is, however long; nothing settles it twice', () => {
  const { world, uid } = settled();
  world.advance(7_200_000);
  expect(world.task(uid)).toMatchObject({ state: 'awaiting_settlement', batch: 1n });
  expect(world.state.must('meta').nextBatch).toBe(2n);
  world.observe();
  expect(world.task(uid).state).toBe('completed');
});
