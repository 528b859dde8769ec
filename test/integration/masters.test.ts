/** Three masters on a real API server, one whole query, with the proposer gone in the middle (rules N1, N6, T2, T4, G7, P4). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { createAuthority, issue } from '@scs/proto/authority.ts';
import { enterpriseIdentity } from '@scs/proto/tls.ts';
import { API_VERSION, decodeCanonical, encodeCommand, leafFault, utf8, type CertifiedLeaf, type Task } from '@scs/protocol';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { enterprises } from '@scs/protocol/testing/genesis.ts';
import { aTask, type TaskBuilder } from '@scs/protocol/testing/task.ts';
import { ConfigMap, scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { Enterprise } from './masters/enterprise.ts';
import { Group, until } from './masters/group.ts';

type TaskObject = KubeObject & Pick<Task, 'spec' | 'status'>;
let group: Group;
let agents: Enterprise[];

beforeAll(async () => {
  group = await Group.start('masters');
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

const submit = async (task: TaskBuilder): Promise<TaskObject> => {
  const { name, spec } = task.expiring(new Date(Date.now() + 3_600_000).toISOString()).signed(group.genesis);
  const user = group.clusterAs(group.plane.user('roastery', ['system:masters']), 'kubectl');
  // a new admission policy may not know the new kind yet: then nothing is created
  return until('the task is created', () =>
    user.create<TaskObject>({ apiVersion: API_VERSION, kind: 'Task', metadata: { name, namespace: 'roastery' }, spec }),
  );
};
const read = (name: string): Promise<TaskObject | undefined> =>
  group.admin.get<TaskObject>({ kind: scpKind('Task'), namespace: 'roastery', name });
const untilState = (name: string, state: string, timeoutMs = 40_000): Promise<TaskObject> =>
  until(
    `task ${name} is ${state}`,
    async () => {
      const task = await read(name);
      if (task?.status?.state === 'rejected' && state !== 'rejected')
        throw new Error(`rejected: ${task.status.reason}: ${task.status.message}`);
      return task?.status?.state === state ? task : undefined;
    },
    timeoutMs,
  );
const condition = (task: TaskObject, type: string) => task.status?.conditions?.find((c) => c.type === type);
const holds = (text: string | undefined): string | undefined => {
  const leaf = decodeCanonical(utf8(text ?? '')) as CertifiedLeaf;
  return leafFault(leaf, group.genesisDigest, { generation: 0n, keys: group.genesis.masters.map((m) => m.publicKey) })?.code;
};

describe('one query', () => {
  test('T2, N1: goes through every state to completed although its proposer stops on the way; status, events, result and proof are there', async () => {
    await submit(aTask().named('coffee'));
    await untilState('coffee', 'awaiting_settlement');
    const gone = group.holder()!;
    await group.stopMaster(gone);
    const task = await untilState('coffee', 'completed', 60_000);
    await group.startMaster(gone);

    expect(task.status?.history?.map((h) => h.state)).toEqual([
      'accepted',
      'resolving',
      'dispatched',
      'verifying',
      'awaiting_settlement',
      'completed',
    ]);
    expect(['Accepted', 'Resolved', 'Dispatched', 'Verified', 'Completed'].map((type) => condition(task, type)?.status)).toEqual(
      Array.from({ length: 5 }, () => 'True'),
    );
    expect(condition(task, 'AwaitingSettlement')).toMatchObject({ status: 'False', reason: 'Settled' });
    expect(task.status?.fee).toMatchObject({ maximum: '10', locked: '0' });
    expect(task.status?.settlement?.transaction).toMatch(/^0x/);
    expect(task.status?.proof?.key).toBe(`task/${task.metadata.uid}`);

    const files = await until('the result', async () => {
      const map = await group.admin.get<KubeObject & { data?: Record<string, string>; binaryData?: Record<string, string> }>({
        kind: ConfigMap,
        namespace: 'roastery',
        name: 'coffee-result',
      });
      return map?.data?.['settlement.json'] && map.data['provisional'] === 'false' ? map : undefined;
    });
    expect(Buffer.from(files.binaryData?.['result.sealed'] ?? '', 'base64').toString()).toBe(`sealed result of ${task.metadata.uid}`);
    expect(['task.leaf', 'envelope.leaf', 'batch.leaf'].map((name) => holds(files.data?.[name]))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(decodeCanonical(utf8(files.data!['evidence.json']!))).toMatchObject({ aggregate: {}, slices: [{}, {}, {}] });
    expect(files.metadata.ownerReferences?.[0]?.uid).toBe(task.metadata.uid);
    const events = await group.admin.list<KubeObject & { reason?: string; regarding?: { name?: string } }>(
      { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event', namespaced: true },
      { namespace: 'roastery' },
    );
    expect(events.items.filter((e) => e.regarding?.name === 'coffee').map((e) => e.reason)).toEqual(
      expect.arrayContaining(['Accepted', 'Dispatched', 'AwaitingSettlement', 'Completed']),
    );
  }, 120_000);

  test('N6: a forged status is repaired', async () => {
    const task = await untilState('coffee', 'completed');
    const forger = group.clusterAs(group.plane.user('forger', ['system:masters']), 'forger');
    await forger.applyStatus<TaskObject>({
      apiVersion: API_VERSION,
      kind: 'Task',
      metadata: { name: 'coffee', namespace: 'roastery' },
      spec: task.spec,
      status: {
        state: 'rejected',
        reason: 'Forged',
        message: 'a lie',
        conditions: [{ type: 'Forged', status: 'True', reason: 'Forged', message: 'x', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      },
    });
    const repaired = await until('the status is repaired', async () => {
      const now = await read('coffee');
      return now?.status?.state === 'completed' && now.status.reason === undefined && condition(now, 'Forged') === undefined
        ? now
        : undefined;
    });
    expect(repaired.status?.history).toEqual(task.status?.history);
  }, 60_000);

  test('G7: projections of genesis and log are there, and edits of them are repaired', async () => {
    const name = 'product-group';
    const attribute = await until('the attribute', () =>
      group.admin.get<KubeObject & { spec?: { name?: string } }>({ kind: scpKind('QueryAttribute'), name }),
    );
    expect(attribute.spec?.name).toBe('product_group');
    const forger = group.clusterAs(group.plane.kubeconfig, 'forger');
    await forger.apply({
      apiVersion: API_VERSION,
      kind: 'QueryAttribute',
      metadata: { name },
      spec: { ...attribute.spec, groupable: true },
    } as KubeObject);
    await until('the edit is repaired', async () => {
      const now = await group.admin.get<KubeObject & { spec?: { groupable?: boolean } }>({ kind: scpKind('QueryAttribute'), name });
      return now?.spec?.groupable === false ? now : undefined;
    });
    await group.admin.delete({ kind: scpKind('PolicyVersion'), name: 'v1' });
    await until('it is made again', () => group.admin.get({ kind: scpKind('PolicyVersion'), name: 'v1' }));
    const settlement = await until('the settlement', async () => {
      const found = await group.admin.get<KubeObject & { status?: { state?: string; transaction?: string } }>({
        kind: scpKind('Settlement'),
        name: 'settlement-1',
      });
      return found?.status?.state === 'finalized' ? found : undefined;
    });
    expect(settlement.status?.transaction).toMatch(/^0x/);
  }, 60_000);
});

describe('who may call what (N5, N10)', () => {
  const codeOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => 'answered',
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    );
  test('an enterprise may not speak as a master, nor propose what masters read themselves', async () => {
    const clients = group.clientsOf('alder', 0);
    expect(await codeOf(clients.peers.fetchBlob({ task: 'x', name: 'y' }))).toBe(status.PERMISSION_DENIED);
    expect(await codeOf(clients.peers.storeBlob({ task: 'x', name: 'y', blob: utf8('z') }))).toBe(status.PERMISSION_DENIED);
    expect(await codeOf(clients.public.submit({ command: encodeCommand({ type: 'tick' }) }))).toBe(status.PERMISSION_DENIED);
    expect(await codeOf(clients.public.submit({ command: utf8('nonsense') }))).toBe(status.INVALID_ARGUMENT);
    expect(await codeOf(clients.public.status({}))).toBe('answered');
    clients.public.close();
    clients.peers.close();
  });
  test('a certificate that no registered authority issued is nobody’s, whatever it says', async () => {
    const identity = enterpriseIdentity(actorKey('alder').address);
    const seed = 'ab'.repeat(32);
    const notBefore = new Date(Date.now() - 60_000);
    const forged = await issue(await createAuthority(seed, identity, notBefore, 1), seed, identity, notBefore, 1);
    const clients = group.clientsOf('alder', 0, forged);
    expect(await codeOf(clients.public.status({}, { timeoutMs: 3_000 }))).not.toBe('answered');
    clients.public.close();
    clients.peers.close();
  });
});

test('T6: a refusal says why, and what to change', async () => {
  await submit(aTask().named('dear').maxFee('500'));
  const task = await untilState('dear', 'rejected');
  expect(task.status).toMatchObject({ reason: 'EscrowInsufficient' });
  expect(condition(task, 'Accepted')).toMatchObject({ status: 'False', reason: 'EscrowInsufficient' });
}, 60_000);

test('T4: deleting the Task cancels it', async () => {
  await Promise.all(agents.map((a) => a.stop()));
  agents = [];
  const task = await submit(aTask().named('gone'));
  await untilState('gone', 'resolving');
  await group.admin.delete({ kind: scpKind('Task'), namespace: 'roastery', name: 'gone' });
  const uid = task.metadata.uid!;
  await until('the log has cancelled it', () => {
    const master = group.masters.find((m) => m?.log.isPrimary());
    return master?.log.state().get('task', uid)?.rejection?.code === 'Cancelled' ? true : undefined;
  });
}, 60_000);
