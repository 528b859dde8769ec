/** M4 and the ways a task can end, one stage after the other. */
import { describe, expect, test } from 'vitest';
import { parseSym } from '../amounts.ts';
import { decodeEnvelope, envelopeDigest, envelopeKey } from '../envelope.ts';
import { explain } from '../rejection.ts';
import { decodePlan } from '../testing/plans.ts';
import { aGenesis, vaultNames } from '../testing/genesis.ts';
import { actorKey, digestOf } from '../testing/keys.ts';
import { answerCommand, releaseCommand } from '../testing/statements.ts';
import { aTask, type TaskBuilder } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { rankAggregators } from './dispatch.ts';
import { statementFits } from '../evidence.ts';
import { receiptOf } from './release.ts';

const [alder, birch, cedar] = vaultNames as [string, string, string];
const odometer = (world: World, vault: string) => world.state.must('odometer', `${vault}/marketing/retail.purchase`);
const locked = (world: World) => world.state.must('escrow', world.address('roastery')).locked;
const submitted = (task: TaskBuilder = aTask()) => {
  const world = World.ready();
  return { world, uid: world.submit(task) };
};
const dispatched = (task?: TaskBuilder) => {
  const it = submitted(task);
  it.world.answer(it.uid);
  return it;
};
const partStates = (world: World, uid: string) => world.task(uid).parts.map(({ state }) => state);

describe('M4: the Vaults answer', () => {
  test('the task is dispatched when all have reserved, and the lock is lowered to the quote (K2)', () => {
    const { world, uid } = dispatched();
    expect(world.task(uid)).toMatchObject({ state: 'dispatched', quote: parseSym('5.25'), locked: parseSym('5.25') });
    expect(locked(world)).toBe(parseSym('5.25'));
  });

  test('at the deadline it goes on with the quorum; the Vault that was silent is absent, its budget free, its late answer too late', () => {
    const { world, uid } = submitted();
    world.answer(uid, [alder, cedar]);
    expect(world.task(uid).state).toBe('resolving');
    expect(world.faultOf({ type: 'task.dispatch', uid })).toBe('NotDue');
    const before = world.task(uid);
    world.advance(60_000);
    expect(world.task(uid)).toMatchObject({ state: 'dispatched', quote: parseSym('4.5') });
    expect(partStates(world, uid)).toEqual(['reserved', 'absent', 'reserved']);
    expect(odometer(world, birch).reserved).toBe(0n);
    expect(world.faultOf(answerCommand(world, before, birch, 1n))).toBe('TooLate');
  });

  test('a refusal lowers the quote and frees that odometer; two refusals of three end a quorum of two at once', () => {
    const { world, uid } = submitted();
    world.refuse(uid, birch, 'ConsentStoreBusy');
    expect(odometer(world, birch).reserved).toBe(0n);
    world.refuse(uid, cedar);
    const task = world.task(uid);
    expect(task).toMatchObject({ state: 'rejected', locked: 0n, charge: 0n });
    expect(task.rejection).toMatchObject({ code: 'QuorumUnreachable', quorum: 2, possible: 1 });
    expect(explain(task.rejection!)).toContain('ConsentStoreBusy');
    expect(odometer(world, alder).reserved).toBe(0n);
    expect(locked(world)).toBe(0n);
  });

  test('when every Vault refuses, the reason is VaultRefused (T6)', () => {
    const { world, uid } = submitted(aTask().quorum(1));
    for (const vault of vaultNames) world.refuse(uid, vault);
    expect(world.task(uid).rejection?.code).toBe('VaultRefused');
  });

  test('too few answers at the deadline: rejected, nothing charged', () => {
    const { world, uid } = submitted();
    world.answer(uid, [alder]);
    world.advance(60_000);
    expect(world.task(uid)).toMatchObject({ state: 'rejected', rejection: { code: 'QuorumUnreachable', possible: 1 }, charge: 0n });
  });

  test("the task's own end comes before the Vaults': timed_out (T3)", () => {
    const { world, uid } = submitted(aTask().deadline(10));
    world.answer(uid, [alder, birch]);
    world.advance(10_000);
    const task = world.task(uid);
    expect(task).toMatchObject({ state: 'timed_out', rejection: { code: 'DeadlineExceeded' }, charge: 0n, locked: 0n });
    expect(explain(task.rejection!)).toContain(cedar);
  });

  test('a task that nobody resolves is rejected at its deadline (T3: accepted has no timed_out)', () => {
    const world = World.ready();
    const command = aTask().signed(world.genesis);
    world.block(command);
    world.time += 60_000;
    world.block({ type: 'tick' });
    expect(world.task(command.uid)).toMatchObject({ state: 'rejected', rejection: { code: 'DeadlineExceeded' } });
  });

  test('nobody else to aggregate: NoAggregator (M2)', () => {
    const genesis = aGenesis();
    const alone = genesis.actors.map((a) => (a.enterprise ? { ...a, enterprise: { ...a.enterprise, contributesCompute: false } } : a));
    const world = World.ready(aGenesis({ actors: alone }));
    const uid = world.submit(aTask());
    world.answer(uid);
    expect(world.task(uid)).toMatchObject({ state: 'rejected', rejection: { code: 'NoAggregator' }, locked: 0n });
  });
});

describe('E1, E2: the envelope', () => {
  test('holds everything that the planes downstream rely on, and its digest is in the record', () => {
    const { world, uid } = dispatched();
    const task = world.task(uid);
    const envelope = decodeEnvelope(world.state.map.get(envelopeKey(uid))!);
    expect(envelopeDigest(envelope)).toBe(task.envelope);
    expect(envelope).toMatchObject({
      genesis: world.genesisDigest,
      uid,
      submitter: world.address('roastery'),
      quote: task.quote,
      quorum: 2n,
      deadline: BigInt(task.finalDeadline),
      aggregators: task.aggregators,
    });
    expect(envelope.vaults.map(({ vault, reservedMicroRho }) => [vault, reservedMicroRho])).toEqual(vaultNames.map((v) => [v, 125_000n]));
    expect(decodePlan(envelope.plan)).toEqual(task.plan);
  });
  test("C3: it refers to snapshot and consents by the commitments of each Vault's answer", () => {
    const { world, uid } = dispatched();
    const { vaults } = decodeEnvelope(world.state.map.get(envelopeKey(uid))!);
    for (const [i, { snapshotCommitment, consentCommitment }] of vaults.entries())
      expect(world.task(uid).parts[i]).toMatchObject({ snapshotCommitment, consentCommitment });
  });
  test('E2: nothing after its dispatch changes it', () => {
    const { world, uid } = dispatched();
    const bytes = world.state.map.get(envelopeKey(uid));
    world.runTo(uid, 'completed');
    expect(world.state.map.get(envelopeKey(uid))).toBe(bytes);
  });
});

describe('M2, M4: the aggregators', () => {
  test('never the submitter; without a Vault in the task first; the order differs from task to task', () => {
    const { world, uid } = submitted(aTask().quorum(1));
    world.answer(uid, [alder]);
    const task = world.task(uid);
    const [birchAddress, cedarAddress, alderAddress] = ['birch', 'cedar', 'alder'].map((name) => actorKey(name).address);
    expect(rankAggregators(world.state, task, world.genesis.policy).at(-1)).toBe(alderAddress);
    const bySubmitter = { ...task, spec: { ...task.spec, submitter: birchAddress! } };
    expect(rankAggregators(world.state, bySubmitter, world.genesis.policy)).toEqual([cedarAddress, alderAddress]);
    const firsts = Array.from(
      { length: 20 },
      (_, i) => rankAggregators(world.state, { ...task, uid: digestOf(`${i}`) }, world.genesis.policy)[0],
    );
    expect(new Set(firsts)).toEqual(new Set([birchAddress, cedarAddress]));
  });

  test('one that brings no evidence in time is replaced along the list; its evidence is then refused', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid);
    world.aggregatorReady(uid);
    const [first, second] = world.task(uid).aggregators!;
    const replace = { type: 'aggregator.replace', uid, failed: first! } as const;
    expect(world.faultOf(replace)).toBe('NotDue');
    world.time += 60_000;
    world.block(replace);
    expect(world.aggregator(uid).address).toBe(second);
    expect(world.task(uid).aggregatorEnclave).toBeUndefined();
    expect(world.faultOf(replace)).toBe('AlreadyDecided');
    world.aggregatorReady(uid);
    world.aggregate(uid);
    world.followUp();
    expect(world.task(uid).state).toBe('awaiting_settlement');
  });

  test('a tick does the same; when all fail to the end, the task times out and pays for what left (K10)', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid);
    const { aggregators } = world.task(uid);
    world.advance(60_000);
    expect(world.aggregator(uid).address).toBe(aggregators![1]);
    world.advance(600_000);
    const task = world.task(uid);
    expect(task).toMatchObject({ state: 'timed_out', charge: parseSym('4.25'), locked: parseSym('4.25') });
    expect(explain(task.rejection!)).toContain('aggregator');
  });

  test('a single possible aggregator gets more time instead', () => {
    const genesis = aGenesis();
    const actors = genesis.actors.map((a) =>
      a.enterprise && a.name !== 'alder' ? { ...a, enterprise: { ...a.enterprise, contributesCompute: false } } : a,
    );
    const world = World.ready(aGenesis({ actors }));
    const uid = world.submit(aTask());
    world.answer(uid);
    world.ready(uid);
    world.release(uid);
    world.aggregatorReady(uid);
    world.advance(60_000);
    world.aggregate(uid);
    expect(world.task(uid).state).toBe('verifying');
  });
});

describe('B3, M4: releases', () => {
  test('a decided release commits the budget and can be proven from the record alone', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid, [alder]);
    expect(odometer(world, alder)).toMatchObject({ reserved: 0n, spent: 125_000n });
    expect(odometer(world, birch)).toMatchObject({ reserved: 125_000n, spent: 0n });
    const task = world.task(uid);
    const part = task.parts[0]!;
    expect(statementFits(part.key, 'slice.release', world.genesisDigest, receiptOf(task, part), part.release!.signature)).toBe(true);
    expect(receiptOf(task, task.parts[1]!)).toBeUndefined();
  });

  test('survivors are fixed when all have released', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid, [cedar, alder]);
    expect(world.task(uid).survivors).toBeUndefined();
    world.release(uid, [birch]);
    expect(world.task(uid).survivors).toEqual(vaultNames);
  });

  test('or at the deadline with the quorum: the third is late, its release refused, its reservation free, and it is not paid', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid, [alder, cedar]);
    const late = releaseCommand(world, world.task(uid), birch, 9n);
    world.advance(180_000);
    expect(world.task(uid).survivors).toEqual([alder, cedar]);
    expect(partStates(world, uid)).toEqual(['released', 'late', 'released']);
    expect(world.faultOf(late)).toBe('TooLate');
    expect(odometer(world, birch)).toMatchObject({ reserved: 0n, spent: 0n });
    world.aggregatorReady(uid);
    world.aggregate(uid);
    expect(world.task(uid).charge).toBe(parseSym('4.5'));
  });

  test('fewer than the quorum at the deadline: rejected, and the one that released is paid (K10)', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid, [alder]);
    world.advance(180_000);
    expect(world.task(uid)).toMatchObject({
      state: 'rejected',
      rejection: { code: 'QuorumUnreachable', possible: 1 },
      charge: parseSym('2.75'),
      locked: parseSym('2.75'),
    });
    expect(locked(world)).toBe(parseSym('2.75'));
  });

  test('no release at all: rejected and free', () => {
    const { world, uid } = dispatched();
    world.advance(180_000);
    expect(world.task(uid)).toMatchObject({ state: 'rejected', charge: 0n, locked: 0n });
    expect(partStates(world, uid)).toEqual(['late', 'late', 'late']);
  });
});

describe('T4: cancel', () => {
  const cancel = (uid: string) => ({ type: 'task.cancel', uid }) as const;
  test('before any release: rejected(Cancelled), free, and no release after it', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    const release = releaseCommand(world, world.task(uid), alder, 9n);
    world.block(cancel(uid));
    expect(world.task(uid)).toMatchObject({ state: 'rejected', rejection: { code: 'Cancelled' }, charge: 0n, locked: 0n });
    expect(world.faultOf(release)).toBe('TooLate');
    expect(world.faultOf(cancel(uid))).toBe('AlreadyDecided');
  });
  test('with a quorum released: runs on with those, stops the others, and the charge stands', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid, [alder, birch]);
    const release = releaseCommand(world, world.task(uid), cedar, 9n);
    world.block(cancel(uid));
    expect(world.task(uid)).toMatchObject({ state: 'dispatched', cancelRequested: true, survivors: [alder, birch] });
    expect(world.faultOf(release)).toBe('TooLate');
    world.aggregatorReady(uid);
    world.aggregate(uid);
    world.settle();
    expect(world.task(uid)).toMatchObject({ state: 'completed', charge: parseSym('4.5') });
  });
  test('with fewer released: rejected, pays for those, and settles with its state unchanged (K10)', () => {
    const { world, uid } = dispatched();
    world.ready(uid);
    world.release(uid, [alder]);
    world.block(cancel(uid));
    world.settle();
    expect(world.task(uid)).toMatchObject({ state: 'rejected', charge: parseSym('2.75'), locked: 0n, batch: 1n });
    expect(world.task(uid).transaction).toBeDefined();
  });
  test('after verification it changes nothing', () => {
    const { world, uid } = submitted();
    world.runTo(uid, 'awaiting_settlement');
    world.block(cancel(uid));
    world.settle();
    expect(world.task(uid)).toMatchObject({ state: 'completed', cancelRequested: true });
    expect(world.faultOf(cancel(uid))).toBe('AlreadyDecided');
    expect(world.faultOf(cancel('ab'))).toBe('TaskUnknown');
  });
});
