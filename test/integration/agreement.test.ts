/**
 * The masters with MinBFT on a real API server, each with its counter in a process of its own (rules N1, N2, N6-N9): tasks go through
 * while the primary goes, two go and come back, counters die one by one and all at once, and everybody loses power.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { API_VERSION, decodeCanonical, leafFault, utf8, type CertifiedLeaf, type Task } from '@scs/protocol';
import { enterprises } from '@scs/protocol/testing/genesis.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import type { MinbftLog } from '@scs/operator/master/consensus/runtime/minbft-log.ts';
import { ConfigMap, scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { Enterprise } from './masters/enterprise.ts';
import { Group, until } from './masters/group.ts';

type TaskObject = KubeObject & Pick<Task, 'spec' | 'status'>;
let group: Group;
let agents: Enterprise[];

beforeAll(async () => {
  group = await Group.start('agreement');
  await Promise.all([0, 1, 2].map((i) => group.startMaster(i)));
  agents = enterprises.map((name) => new Enterprise(group, name));
  await until('a primary', () => group.holder());
  await Promise.all(agents.map((a) => a.register()));
  for (const agent of agents) agent.follow();
}, 120_000);
afterAll(async () => {
  await Promise.all((agents ?? []).map((a) => a.stop()));
  await group?.stop();
}, 60_000);

const submit = async (name: string): Promise<void> => {
  const { spec } = aTask()
    .named(name)
    .epsilon('0.2') // so that the budget lasts for all tasks of this file
    .expiring(new Date(Date.now() + 3_600_000).toISOString())
    .signed(group.genesis);
  const user = group.clusterAs(group.plane.user('roastery', ['system:masters']), 'kubectl');
  await until('the task is created', () =>
    user.create<TaskObject>({ apiVersion: API_VERSION, kind: 'Task', metadata: { name, namespace: 'roastery' }, spec }),
  );
};
const untilState = (name: string, state: string, timeoutMs = 120_000): Promise<TaskObject> =>
  until(
    `task ${name} is ${state}`,
    async () => {
      const task = await group.admin.get<TaskObject>({ kind: scpKind('Task'), namespace: 'roastery', name });
      return task?.status?.state === state ? task : undefined;
    },
    timeoutMs,
  );
const logOf = (index: number): MinbftLog => group.masters[index]!.log as MinbftLog;
const settled = async (name: string): Promise<void> => {
  const task = await untilState(name, 'completed');
  expect(task.status?.settlement?.transaction).toMatch(/^0x/);
};
/** The proof that goes with a result holds for whoever knows genesis alone. */
const provable = async (name: string): Promise<void> => {
  const files = await until('the settled result', async () => {
    const map = await group.admin.get<KubeObject & { data?: Record<string, string> }>({
      kind: ConfigMap,
      namespace: 'roastery',
      name: `${name}-result`,
    });
    return map?.data?.['settlement.json'] ? map : undefined;
  });
  const leaf = decodeCanonical(utf8(files.data?.['task.leaf'] ?? '')) as CertifiedLeaf;
  const committee = { generation: 0n, keys: group.genesis.masters.map((m) => m.publicKey) };
  expect(leafFault(leaf, group.genesisDigest, committee)).toBeUndefined();
};
const healthy = (): Promise<true> =>
  until('three masters without a condition', () => ([0, 1, 2].every((i) => logOf(i).condition() === undefined) ? true : undefined), 90_000);

test('N1, T2: a query goes through; its certificates are those that everybody checks', async () => {
  await healthy();
  expect([0, 1, 2].map((i) => logOf(i).agreement().formation)).toEqual([1, 1, 1]);
  await submit('plain');
  await settled('plain');
  await provable('plain');
}, 240_000);

test('N7: the primary goes in the middle of a task, and comes back', async () => {
  await submit('one');
  await untilState('one', 'awaiting_settlement');
  const gone = group.holder()!;
  await group.stopMaster(gone);
  await settled('one');
  await group.startMaster(gone);
  await healthy();
  await provable('one');
}, 240_000);

test('two masters go and come back: what was begun ends', async () => {
  const [a, b] = [1, 2];
  await submit('two');
  await untilState('two', 'dispatched');
  await Promise.all([group.stopMaster(a), group.stopMaster(b)]);
  await group.startMaster(a);
  await group.startMaster(b);
  await settled('two');
}, 240_000);

test('N8: a counter dies; its master has another admitted, and then the first primary’s', async () => {
  await submit('three');
  for (const index of [2, 0]) {
    const { counter } = logOf(index).agreement();
    await group.counters[index]!.kill();
    group.counters[index]!.start();
    await until(
      'its successor counts',
      () => {
        const { counter: now, machine } = logOf(index).agreement();
        return now !== counter && logOf(index).condition() === undefined && machine?.own.key === now ? true : undefined;
      },
      90_000,
    );
  }
  await settled('three');
}, 240_000);

test('N9: all counters and all masters lose power in the middle of a task: they form anew by themselves and finish it', async () => {
  await submit('four');
  await untilState('four', 'dispatched');
  await Promise.all([0, 1, 2].map((i) => group.stopMaster(i)));
  await Promise.all(group.counters.map((c) => c.kill()));
  for (const counter of group.counters) counter.start();
  await Promise.all([0, 1, 2].map((i) => group.startMaster(i)));
  await healthy();
  const formations = [0, 1, 2].map((i) => logOf(i).agreement().formation);
  expect([new Set(formations).size, (formations[0] ?? 0) > 1]).toEqual([1, true]);
  await settled('four');
  await provable('four');
}, 240_000);

test('a master’s disk is replaced: it is told everything, and counts again', async () => {
  await group.stopMaster(1);
  for (const suffix of ['', '-wal', '-shm', '.agreement']) rmSync(`${group.fileOf(1)}${suffix}`, { force: true, recursive: true });
  await group.startMaster(1);
  await healthy();
  await submit('five');
  await settled('five');
  await until('it has caught up', () => (logOf(1).height() === logOf(0).height() ? true : undefined));
}, 240_000);
