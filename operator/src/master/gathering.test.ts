/** What the proposer gathers: Tasks, gone Tasks, the chain; and that nothing is admitted before the stamp is enforced (N5, T4, K2). */
import { describe, expect, test } from 'vitest';
import { parseSym, type Command } from '@scs/protocol';
import { aGenesis, GENESIS_TIME } from '@scs/protocol/testing/genesis.ts';
import { actorKey, masterKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { fakeClock } from '../kube/clock.ts';
import type { Cluster } from '../kube/client.ts';
import { ApiError } from '../kube/errors.ts';
import { AdmissionProbe } from './admission-probe.ts';
import { silentLogger } from './log/testing/silent-logger.ts';
import { Proposer } from './proposer.ts';
import { chainAway } from './settlement/chain-away.ts';
import { ChainReader } from './settlement/chain-reader.ts';
import { SettlementEffects } from './settlement/effects.ts';
import { simulatedChain } from './settlement/simulated-chain.ts';
import { SUBMITTED_BY, type TaskObject } from './task-objects.ts';

const genesis = aGenesis();
const committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };
const objectOf = (task = aTask().named('fresh').signed(genesis)): TaskObject => ({
  metadata: { uid: task.uid, namespace: task.namespace, name: task.name, annotations: { [SUBMITTED_BY]: task.user } },
  spec: task.spec,
});

const proposerOn = (world: World) => {
  const clock = fakeClock(world.time);
  const there = new Map<string, TaskObject>();
  let mayAdmit = true;
  let requests = 0;
  let lastReadAt = 0;
  const proposer = new Proposer({
    maxEscrowAgeMs: genesis.policy.settlement.maxEscrowAgeMs,
    state: () => world.state,
    tasks: () => ({ byUid: (uid) => there.get(uid), read: async (_ns, name) => [...there.values()].find((t) => t.metadata.name === name) }),
    reader: () => ({ candidate: () => undefined, drop: () => {}, request: () => void (requests += 1), lastReadAt: () => lastReadAt }),
    mayAdmit: () => mayAdmit,
    wake: () => {},
    clock,
    logger: silentLogger,
  });
  const types = (): string[] => proposer.take(world.state, clock.now()).map((c: Command) => c.type);
  return {
    clock,
    there,
    proposer,
    types,
    forbid: () => void (mayAdmit = false),
    requests: () => requests,
    read: () => void (lastReadAt = clock.now() + 1),
  };
};

describe('proposer', () => {
  test('a Task that appears is proposed until the log has it', () => {
    const world = World.ready(genesis);
    const { proposer, types } = proposerOn(world);
    const task = aTask().named('fresh').signed(genesis);
    proposer.changed({ type: 'added', object: objectOf(task) });
    expect(types()).toEqual(['task.admit']);
    world.block(task);
    expect(types()).toEqual([]);
  });

  test('N5: nothing is admitted before a forged stamp was refused', () => {
    const { proposer, types, forbid } = proposerOn(World.ready(genesis));
    proposer.changed({ type: 'added', object: objectOf() });
    forbid();
    expect(types()).toEqual([]);
  });

  test('K2: an escrow that does not cover maxFee yet is read again before the task is judged', () => {
    const world = World.ready(genesis);
    const { proposer, types, requests, read } = proposerOn(world);
    proposer.changed({ type: 'added', object: objectOf(aTask().named('dear').maxFee('500').signed(genesis)) });
    expect(types()).toEqual([]);
    expect(requests()).toBe(1);
    read();
    expect(types()).toEqual([]); // for a moment it isn't looked at again
  });

  test('K2: while the chain is away admission goes on within the limit, then waits with a reason, and goes on again', () => {
    const world = World.ready(genesis);
    const { proposer, types, clock } = proposerOn(world);
    const { maxEscrowAgeMs } = genesis.policy.settlement;
    const away = () => chainAway(world.state, clock.now(), maxEscrowAgeMs)?.reason;
    clock.advance(maxEscrowAgeMs);
    proposer.changed({ type: 'added', object: objectOf() });
    expect([types(), away()]).toEqual([['task.admit'], undefined]);
    clock.advance(1);
    expect([types(), away()]).toEqual([[], 'ChainAway']);
    clock.advance(3_600_000);
    expect(types()).toEqual([]); // not rejected for want of a reading, however long
    world.time = clock.now();
    world.observe();
    clock.advance(200);
    expect([types(), away()]).toEqual([['task.admit'], undefined]);
  });

  test('T4: a Task that is gone is cancelled, once the API server itself says so', async () => {
    const world = World.ready(genesis);
    const { proposer, types, there } = proposerOn(world);
    const task = aTask().named('gone').signed(genesis);
    world.submit(task);
    const object = objectOf(task);
    there.set(task.uid, object);
    await proposer.checkGone(task.uid);
    expect(types()).toEqual([]);
    there.clear();
    await proposer.checkGone(task.uid);
    expect(types()).toEqual(['task.cancel']);
    world.block({ type: 'task.cancel', uid: task.uid });
    expect(types()).toEqual([]);
  });

  test('what was refused comes back after a while, not at once', () => {
    const world = World.ready(genesis);
    const { proposer, types, clock } = proposerOn(world);
    proposer.changed({ type: 'added', object: objectOf() });
    const [command] = proposer.take(world.state, clock.now());
    proposer.refused(command!, 'TaskNotSeen', 'not here yet');
    expect(types()).toEqual([]);
    clock.advance(2_000);
    expect(types()).toEqual(['task.admit']);
  });
});

describe('chain reader', () => {
  const readerOn = (world: World) => {
    const clock = fakeClock(world.time);
    const chain = simulatedChain({ genesis: world.genesisDigest, committee, startMs: BigInt(GENESIS_TIME + 1_000) });
    const reader = new ChainReader({
      chain,
      genesis: world.genesis,
      accounts: [actorKey('roastery').address],
      state: () => world.state,
      active: () => true,
      maxAgeMs: genesis.policy.settlement.maxEscrowAgeMs,
      clock,
      logger: silentLogger,
      onReading: () => {},
    });
    return { clock, chain, reader };
  };
  const turn = async (reader: ChainReader, clock: ReturnType<typeof fakeClock>): Promise<void> => {
    const over = new AbortController();
    const running = reader.run(over.signal);
    await clock.untilSleeping();
    over.abort();
    await running;
  };
  test('K2: proposes escrows that changed, as of one version', async () => {
    const world = new World(genesis);
    const { clock, chain, reader } = readerOn(world);
    chain.deposit(actorKey('roastery').address, parseSym('3'));
    await turn(reader, clock);
    expect(reader.candidate()).toMatchObject({ ledgerVersion: 1n, escrows: [{ balance: parseSym('3'), withdrawing: 0n }], settled: [] });
    world.block(reader.candidate()!);
    reader.drop();
    await turn(reader, clock);
    expect(reader.candidate()).toBeUndefined();
  });
  test('a chain that is away gives no reading', async () => {
    const { clock, chain, reader } = readerOn(new World(genesis));
    chain.fail([{ code: 'ChainUnavailable', detail: 'away' }]);
    await turn(reader, clock);
    expect(reader.candidate()).toBeUndefined();
    expect(reader.lastReadAt()).toBe(0);
  });
});

test('P4: a batch whose landing was not heard of is landed again, once', async () => {
  const world = World.ready(genesis);
  const uid = world.submit(aTask().named('paid').signed(genesis));
  world.answer(uid);
  world.ready(uid);
  world.release(uid);
  world.aggregatorReady(uid);
  world.aggregate(uid);
  world.followUp();
  world.advance(genesis.policy.windows.challengeMs + genesis.policy.settlement.maxDelayMs + 1_000);
  const clock = fakeClock(world.time);
  const landed: string[] = [];
  const calls: string[] = [];
  const effects = new SettlementEffects({
    chain: {
      settle: async ({ leaf }) => {
        calls.push(leaf.key);
        if (calls.length === 1) throw new Error('the answer was lost');
        return { txHash: '0x1', version: 7n };
      },
      appoint: async () => {},
      land: async () => {},
      mintDue: async () => {},
      report: async () => {},
    },
    log: {
      state: () => world.state,
      leaf: (key) => ({
        key,
        value: '',
        siblings: [],
        certificate: { head: { genesis: '', generation: 0n, height: 0n, stateRoot: '', block: '' }, votes: [] },
      }),
      isPrimary: () => true,
    },
    clock,
    logger: silentLogger,
    random: () => 0,
    onLanded: (what) => landed.push(what),
  });
  const over = new AbortController();
  const running = effects.run(over.signal);
  for (let i = 0; i < 4; i += 1) {
    await clock.untilSleeping();
    clock.advance(1_000);
  }
  over.abort();
  await running;
  expect(calls).toEqual(['batch/1', 'batch/1']);
  expect(landed).toEqual(['batch/1']);
});

describe('N5: the admission policy is proven before anything is admitted', () => {
  const denied = new ApiError(
    'Forbidden',
    403,
    `ValidatingAdmissionPolicy 'scs-check-stamp' denied request: annotation ${SUBMITTED_BY} is set by the API server`,
  );
  const answers = {
    enforced: (forged: boolean, task: TaskObject) => {
      if (forged) throw denied;
      return { ...task, metadata: { ...task.metadata, annotations: { [SUBMITTED_BY]: 'me' } } };
    },
    absent: (_forged: boolean, task: TaskObject) => task,
    'without the stamp': (forged: boolean, task: TaskObject) => {
      if (forged) throw denied;
      return task;
    },
    'a want of rights': () => {
      throw new ApiError('Forbidden', 403, 'user master cannot create resource tasks');
    },
  };
  test.each([
    ['enforced', undefined],
    ['absent', 'AdmissionPolicyMissing'],
    ['without the stamp', 'AdmissionPolicyMissing'],
    ['a want of rights', 'AdmissionPolicyMissing'],
  ] as const)('%s', async (how, reason) => {
    const clock = fakeClock();
    const create = async (task: TaskObject): Promise<TaskObject> =>
      answers[how](task.metadata.annotations?.[SUBMITTED_BY] !== undefined, task);
    const probe = new AdmissionProbe({ create } as Pick<Cluster, 'create'> as Cluster, ['roastery'], clock, silentLogger);
    expect(probe.notAdmitting()?.reason).toBe('AdmissionPolicyUnproven');
    const over = new AbortController();
    const running = probe.run(over.signal);
    await clock.untilSleeping();
    over.abort();
    await running;
    expect(probe.notAdmitting()?.reason).toBe(reason);
  });
});
