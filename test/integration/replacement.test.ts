/**
 * G5, P5, N8: another durable key takes a master's seat while tasks run, on a real API server, each master with its counter in a process of
 * its own. The agents keep the genesis file of before, and learn the next committee from the masters.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  API_VERSION,
  committeeOf,
  decodeBlock,
  decodeCanonical,
  encodeLogged,
  leafFault,
  replayNext,
  replayStart,
  utf8,
  type CertifiedLeaf,
  type Task,
} from '@scs/protocol';
import { enterprises } from '@scs/protocol/testing/genesis.ts';
import { replacementCommand } from '@scs/protocol/testing/replacement.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { ConfigMap, scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { linksOf } from '@scs/operator/master/links.ts';
import { openMasterFile } from '@scs/operator/master/log/sqlite-disk.ts';
import { Enterprise } from './masters/enterprise.ts';
import { Group, until } from './masters/group.ts';

type TaskObject = KubeObject & Pick<Task, 'spec' | 'status'>;
const EPOCH_MS = 30_000;
let group: Group;
let agents: Enterprise[];
beforeAll(async () => {
  group = await Group.start('replacement', EPOCH_MS);
  await Promise.all([0, 1, 2].map((i) => group.startMaster(i)));
  agents = enterprises.map((name) => new Enterprise(group, name));
  await until('a primary', () => group.holder(), 90_000);
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
    .epsilon('0.2')
    .expiring(new Date(Date.now() + 3_600_000).toISOString())
    .signed(group.genesis);
  const user = group.clusterAs(group.plane.user('roastery', ['system:masters']), 'kubectl');
  await until('the task is created', () =>
    user.create<TaskObject>({ apiVersion: API_VERSION, kind: 'Task', metadata: { name, namespace: 'roastery' }, spec }),
  );
};
const settled = (name: string): Promise<TaskObject> =>
  until(
    `task ${name} is settled`,
    async () => {
      const task = await group.admin.get<TaskObject>({ kind: scpKind('Task'), namespace: 'roastery', name });
      return task?.status?.state === 'completed' && task.status.settlement?.transaction ? task : undefined;
    },
    120_000,
  );
/** The leaf that goes with a settled result. */
const leafOf = (name: string): Promise<CertifiedLeaf> =>
  until('the settled result', async () => {
    const map = await group.admin.get<KubeObject & { data?: Record<string, string> }>({
      kind: ConfigMap,
      namespace: 'roastery',
      name: `${name}-result`,
    });
    return map?.data?.['settlement.json'] ? (decodeCanonical(utf8(map.data['task.leaf'] ?? '')) as CertifiedLeaf) : undefined;
  });
const conditionOf = (index: number): string | undefined => group.masters[index]?.log.condition()?.code;

test('tasks go on across it, each proven by the masters of its time; the log replays from genesis on the new machine', async () => {
  const before = group.genesis;
  await submit('before');
  await settled('before');
  const old = await leafOf('before');

  const terms = { tlsAuthority: await group.authorityOf(7, 1), generation: 1n };
  const masters = group.mastersFor('alder');
  const command = replacementCommand(group.genesisDigest, { master: 1, key: 7, terms });
  const decided = await masters.submit(command);
  expect(decided.ok || decided.code).toBe(true);
  masters.close();
  await submit('across');
  await until(
    'the generation is over',
    () => (['GenerationOver', 'MasterReplaced', 'GenerationOver'].every((code, i) => conditionOf(i) === code) ? true : undefined),
    90_000,
  );
  const links = linksOf(group.genesis, group.masters[2]!.log);
  const last = group.masters[0]!.log.height();
  await Promise.all([0, 1, 2].map((i) => group.stopMaster(i)));
  await group.handOver(links, 1, 7);
  await Promise.all([0, 1, 2].map((i) => group.startMaster(i)));
  await until('the three form a group', () => ([0, 1, 2].every((i) => conditionOf(i) === undefined) ? true : undefined), 90_000);

  await settled('across');
  await submit('after');
  await settled('after');
  const leaf = await leafOf('after');
  const now = committeeOf(group.genesis);
  expect([old, leaf, await leafOf('across')].map((l) => leafFault(l, group.genesisDigest, now))).toEqual([undefined, undefined, undefined]);
  expect([leaf.certificate.head.generation, leaf.certificate.head.height > last]).toEqual([1n, true]);
  expect(leafFault(leaf, group.genesisDigest, committeeOf(before))).toMatchObject({ code: 'WrongGeneration' });

  await until('the new machine has all of it', () => (group.masters[1]!.log.height() > last ? true : undefined));
  await group.stopMaster(1);
  const { disk } = openMasterFile({ file: group.fileOf(1), genesis: group.genesisDigest, master: 1 });
  let at = replayStart(group.genesis);
  for (const { bytes, certificate } of disk.blocks(1n, 100_000)) {
    const step = replayNext(at, encodeLogged({ block: decodeBlock(bytes), certificate }), group);
    if (!step.ok) throw new Error(`${step.fault.code}: ${step.fault.message}`);
    at = step.replayed;
  }
  disk.close();
  expect(at.blocks).toBeGreaterThan(last);
}, 400_000);
