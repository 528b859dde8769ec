import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { actorKey, testKey } from '@scs/protocol/testing/keys.ts';
import type { Cluster } from '@scs/operator/kube/client.ts';
import { isApiError } from '@scs/operator/kube/errors.ts';
import { scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../cluster/api.ts';
import { kubectlOf } from '../cluster/kubectl.ts';
import { clusterOf, type Installed, installCharts, scp, SUBMITTERS } from './charts/installed.ts';

/** N5: who presents a Task is stamped and checked by the API server. */
const STAMP = `${scp}/submitted-by`;
let installed: Installed;
let cluster: Cluster;
afterAll(() => installed.stop());

const roastery = actorKey('roastery').address;
const specOf = (submitter: string) => ({
  class: 'query',
  submitter,
  usage: 'marketing',
  query: { domain: 'retail.purchase', groupBy: 'age_group' },
  privacy: { epsilon: '0.5', minimumResultCardinality: 20 },
  maxFee: '25',
  resultKey: 'b'.repeat(64),
});
const aTask = (name: string, submitter = actorKey('nobody yet').address, stamp?: string): KubeObject =>
  ({
    apiVersion: `${scp}/v1alpha1`,
    kind: 'Task',
    metadata: { namespace: SUBMITTERS, name, ...(stamp !== undefined && { annotations: { [STAMP]: stamp } }) },
    spec: specOf(submitter),
  }) as KubeObject;
const an = (name: string, users: readonly string[], role = 'submitter'): KubeObject =>
  ({
    apiVersion: `${scp}/v1alpha1`,
    kind: 'Actor',
    metadata: { name, labels: { [`${scp}/role`]: role } },
    spec: { ...testActor(name), role, kubernetesUsers: users },
  }) as KubeObject;
const testActor = (name: string) => ({ address: actorKey(name).address, publicKey: testKey(name).publicKey, displayName: name });
const as = (user: string): Cluster => clusterOf(installed.plane.user(user, ['submitters']));
/** A new policy takes up to a second to act, and a new kind a little longer: masters wait for the same (ARCHITECTURE). */
const inForce = (what: string, probe: () => Promise<unknown>): Promise<unknown> =>
  until(
    what,
    () =>
      probe().then(
        () => undefined,
        (thrown: unknown) => {
          if (isApiError(thrown, 'Forbidden')) return true;
          throw thrown;
        },
      ),
    { timeoutMs: 120_000 },
  );

beforeAll(async () => {
  installed = await installCharts('admission');
  cluster = installed.cluster;
  await cluster.apply(an('roastery', ['roastery', 'robot']));
  await inForce('the stamp checked', () => cluster.create(aTask('probe', roastery, 'somebody'), { dryRun: true }));
  await inForce('the presenter checked', () => cluster.create(aTask('probe', roastery), { dryRun: true }));
});

test('a Task is stamped with who sent it, and the stamp is what masters read', async () => {
  const task = await as('roastery').create(aTask('stamped', roastery));
  expect(task.metadata.annotations).toEqual({ [STAMP]: 'roastery' });
});

test('a forged stamp is refused, and told what to do', async () => {
  await expect(as('stranger').create(aTask('forged', undefined, 'roastery'))).rejects.toMatchObject({
    code: 'Forbidden',
    message: expect.stringContaining(`annotation ${STAMP} is set by the API server: you are stranger. Leave it out.`) as unknown,
  });
});

test('naming oneself is no forgery', async () => {
  const task = await as('roastery').create(aTask('honest', roastery, 'roastery'));
  expect(task.metadata.annotations).toEqual({ [STAMP]: 'roastery' });
});

test.each([
  ['another name', { [STAMP]: 'robot' }],
  ['none', {}],
])('a stamp stays: %s is refused, whoever asks', async (_, annotations) => {
  const name = `stays-${Object.keys(annotations).length}`;
  const task = await as('roastery').create(aTask(name, roastery));
  for (const who of [as('roastery'), as('robot'), cluster])
    await expect(who.replace({ ...task, metadata: { ...task.metadata, annotations } })).rejects.toMatchObject({
      code: 'Forbidden',
      message: expect.stringContaining(`annotation ${STAMP} can't be changed`) as unknown,
    });
});

test.each([
  ['client-side', []],
  ['server-side', ['--server-side']],
])('kubectl apply of the same manifest twice, %s, by another user of the actor too', async (way, flags) => {
  const manifest = aTask(`twice-${way}`, roastery);
  for (const user of ['roastery', 'roastery', 'robot']) {
    const mine = await kubectlOf(installed.plane.user(user, ['submitters']));
    const file = join(installed.plane.folder, `${way}.json`);
    writeFileSync(file, JSON.stringify(manifest));
    await mine('apply', ...flags, '-f', file);
  }
  const task = await cluster.get({ kind: scpKind('Task'), namespace: SUBMITTERS, name: `twice-${way}` });
  expect(task?.metadata.annotations?.[STAMP]).toBe('roastery');
});

test("somebody else's actor is refused by the API server, with advice", async () => {
  await expect(as('stranger').create(aTask('stolen', roastery))).rejects.toMatchObject({
    code: 'Forbidden',
    message: expect.stringContaining(
      'user stranger may not present tasks of actor roastery. Use one of the users registered for it, or your own actor in spec.submitter.',
    ) as unknown,
  });
  // The administrator of the API server included: who holds its rights still can't present for others unnoticed.
  await expect(cluster.create(aTask('stolen', roastery))).rejects.toMatchObject({ code: 'Forbidden' });
});

test('with many actors each checks its own tasks only; one without users checks none', async () => {
  for (const name of ['mill', 'bakery']) await cluster.apply(an(name, [name]));
  await cluster.apply(an('open', []));
  await inForce('new actors checked', () => as('stranger').create(aTask('probe', actorKey('bakery').address), { dryRun: true }));
  for (const name of ['mill', 'bakery', 'roastery']) await as(name).create(aTask(`of-${name}`, actorKey(name).address), { dryRun: true });
  await expect(as('mill').create(aTask('x', actorKey('bakery').address), { dryRun: true })).rejects.toMatchObject({ code: 'Forbidden' });
  await as('stranger').create(aTask('unrelated'), { dryRun: true });
  await as('stranger').create(aTask('of-open', actorKey('open').address), { dryRun: true });
});
