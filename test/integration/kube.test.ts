import { KubeConfig } from '@kubernetes/client-node';
import { type Change, type Informer, startInformer } from '@scs/operator/kube/informer.ts';
import { type Cluster, createCluster } from '@scs/operator/kube/client.ts';
import { ApiError } from '@scs/operator/kube/errors.ts';
import { setCondition } from '@scs/operator/kube/conditions.ts';
import { createEventRecorder } from '@scs/operator/kube/events.ts';
import { ConfigMap, CustomResourceDefinition, Event, Namespace, Secret, type ResourceKind } from '@scs/operator/kube/kinds.ts';
import type { ConfigMap as ConfigMapObject, KubeEvent, KubeObject } from '@scs/operator/kube/objects.ts';
import { createWorkQueue } from '@scs/operator/kube/work-queue.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';

/** operator/src/kube against a real etcd and kube-apiserver: what a scripted server only claims, the real one does. */
let controlPlane: ControlPlane;
let cluster: Cluster;
let other: Cluster;

const clusterOf = (kubeconfig: string, fieldManager: string): Cluster => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return createCluster(config, { fieldManager });
};

beforeAll(async () => {
  controlPlane = await startControlPlane({ name: 'kube' });
  cluster = clusterOf(controlPlane.kubeconfig, 'scs-one');
  other = clusterOf(controlPlane.kubeconfig, 'scs-two');
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'work' } });
});
afterAll(() => controlPlane.stop());

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  );
const aConfigMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): ConfigMapObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'work', name, ...(labels === undefined ? {} : { labels }) },
  data,
});

/** Changes as they are told, and a way to wait for one that fits. */
function heard<T extends KubeObject>() {
  const changes: Change<T>[] = [];
  const waiters = new Set<() => void>();
  return {
    changes,
    onChange: (change: Change<T>): void => {
      changes.push(change);
      for (const look of waiters) look();
    },
    until: (fits: (changes: readonly Change<T>[]) => boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!fits(changes)) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
  };
}

describe('objects', () => {
  test('get, create, replace, delete and their refusals', async () => {
    const ref = { kind: ConfigMap, namespace: 'work', name: 'life' };
    expect(await cluster.get(ref)).toBeUndefined();
    const created = await cluster.create(aConfigMap('life', { a: '1' }));
    expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z$/);
    expect(await failureOf(cluster.create(aConfigMap('life')))).toMatchObject({ code: 'AlreadyExists', status: 409 });
    await cluster.replace({ ...created, data: { a: '2' } });
    expect(await failureOf(cluster.replace({ ...created, data: { a: '3' } }))).toMatchObject({ code: 'Conflict' });
    expect(await cluster.delete(ref, { uid: '00000000-0000-0000-0000-000000000000' })).toBe('gone');
    expect(await cluster.get(ref)).toBeDefined();
    expect(await cluster.delete(ref, { uid: created.metadata.uid! })).toBe('deleted');
    expect(await cluster.delete(ref)).toBe('gone');
  });

  test('lists page by page, of one snapshot, with the kind on each item', async () => {
    const names = Array.from({ length: 23 }, (_, i) => `page-${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((name) => cluster.apply(aConfigMap(name, {}, { test: 'page' }))));
    const { items, resourceVersion } = await cluster.list<ConfigMapObject>(ConfigMap, {
      namespace: 'work',
      labelSelector: 'test=page',
      limit: 5,
    });
    expect(items.map((i) => i.metadata.name)).toEqual(names);
    expect(items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(Number(resourceVersion)).toBeGreaterThan(0);
  });

  test('apply twice gives the same object; a field of another manager is a Conflict unless forced', async () => {
    const first = await cluster.apply(aConfigMap('shared', { a: '1' }));
    const second = await cluster.apply(aConfigMap('shared', { a: '1' }));
    expect(second.metadata).toMatchObject({ uid: first.metadata.uid, resourceVersion: first.metadata.resourceVersion });
    expect(await failureOf(other.apply(aConfigMap('shared', { a: '2' }), { force: false }))).toMatchObject({ code: 'Conflict' });
    await other.apply(aConfigMap('shared', { b: '2' }), { force: false });
    expect((await other.apply(aConfigMap('shared', { a: '3', b: '2' }))).data).toEqual({ a: '3', b: '2' });
    await other.apply(aConfigMap('shared', { b: '2' })); // gives a up again
    expect((await cluster.get<ConfigMapObject>({ kind: ConfigMap, namespace: 'work', name: 'shared' }))?.data).toEqual({ b: '2' });
  });

  test('a dry run says what would be, and leaves nothing', async () => {
    expect((await cluster.apply(aConfigMap('dry', { a: '1' }), { dryRun: true })).data).toEqual({ a: '1' });
    expect(await cluster.get({ kind: ConfigMap, namespace: 'work', name: 'dry' })).toBeUndefined();
  });

  test('an unknown field is refused, by apply and by create', async () => {
    const wrong = { ...aConfigMap('strict'), surprise: 1 };
    expect(await failureOf(cluster.apply(wrong))).toMatchObject({ code: 'Invalid', message: expect.stringContaining('surprise') });
    expect(await failureOf(cluster.create(wrong))).toMatchObject({ code: 'BadRequest', message: expect.stringContaining('surprise') });
    expect(await cluster.get({ kind: ConfigMap, namespace: 'work', name: 'strict' })).toBeUndefined();
  });

  test('a user without rights is Forbidden, and can ask beforehand', async () => {
    const nobody = clusterOf(controlPlane.user('nobody'), 'scs-nobody');
    expect(await failureOf(nobody.list(Secret, { namespace: 'work' }))).toMatchObject({ code: 'Forbidden', status: 403 });
    expect(await nobody.accessReview({ verb: 'list', kind: Secret, namespace: 'work' })).toBe(false);
    expect(await cluster.accessReview({ verb: 'list', kind: Secret, namespace: 'work' })).toBe(true);
  });
});

const widget: ResourceKind = { group: 'example.org', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
type Widget = KubeObject & { spec?: { size: number }; status?: { conditions?: ReturnType<typeof setCondition> } };
const aWidget = (rest: Partial<Widget> = {}): Widget => ({
  apiVersion: 'example.org/v1',
  kind: 'Widget',
  metadata: { namespace: 'work', name: 'w' },
  ...rest,
});

describe('status', () => {
  beforeAll(async () => {
    const condition = {
      type: 'object',
      properties: { type: { type: 'string' } },
      required: ['type'],
      'x-kubernetes-preserve-unknown-fields': true,
    };
    const conditions = { type: 'array', items: condition, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] };
    const properties = {
      spec: { type: 'object', properties: { size: { type: 'integer' } } },
      status: { type: 'object', properties: { conditions } },
    };
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.org' },
      spec: {
        group: widget.group,
        scope: 'Namespaced',
        names: { plural: widget.plural, kind: widget.kind, singular: 'widget', listKind: 'WidgetList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties } },
            subresources: { status: {} },
          },
        ],
      },
    };
    await cluster.apply(crd);
    // Established is set by the API server a moment later; a watch tells when.
    const told = heard<KubeObject & { status?: { conditions?: { type: string; status: string }[] } }>();
    const crds = startInformer({ cluster, kind: CustomResourceDefinition, onChange: told.onChange });
    await told.until((changes) =>
      changes.some((c) => c.object.status?.conditions?.some((each) => each.type === 'Established' && each.status === 'True') ?? false),
    );
    await crds.stop();
  });

  test('two managers each keep their own condition, and neither touches the spec', async () => {
    await cluster.apply(aWidget({ spec: { size: 3 } }), { kind: widget });
    const now = Date.UTC(2030, 0, 1);
    const mine = setCondition([], { type: 'Ready', status: 'True', reason: 'Ready', message: '' }, now);
    const theirs = setCondition([], { type: 'Attested', status: 'False', reason: 'Waiting', message: '' }, now);
    await cluster.applyStatus(aWidget({ status: { conditions: mine } }), { kind: widget });
    await other.applyStatus(aWidget({ status: { conditions: theirs } }), { kind: widget });
    const stored = await cluster.get<Widget>({ kind: widget, namespace: 'work', name: 'w' });
    expect(stored?.spec).toEqual({ size: 3 });
    expect(stored?.status?.conditions?.map((c) => [c.type, c.status])).toEqual([
      ['Ready', 'True'],
      ['Attested', 'False'],
    ]);
  });
});

/** The same stream, with a way to break it as a dying connection would: what came is kept, and then there is an error. */
async function* cuttable<E>(stream: AsyncIterable<E>, give: (cut: () => void) => void): AsyncGenerator<E> {
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // a stream that ends by itself is never broken
  give(() => broken.reject(new ApiError('Network', 0, 'the connection broke')));
  const events = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([events.next(), broken.promise]);
    if (next.done === true) return;
    yield next.value;
  }
}

describe('informer', () => {
  test('lists, watches, resumes where its stream was cut, and repairs itself by resync', async () => {
    await cluster.apply(aConfigMap('inf-a', { v: '1' }, { test: 'inf' }));
    const told = heard<ConfigMapObject>();
    let cut = (): void => {};
    const fragile: Cluster = { ...cluster, rawWatch: (kind, options) => cuttable(cluster.rawWatch(kind, options), (way) => (cut = way)) };
    const informer: Informer<ConfigMapObject> = startInformer<ConfigMapObject>({
      cluster: fragile,
      kind: ConfigMap,
      namespace: 'work',
      labelSelector: 'test=inf',
      pageSize: 1,
      onChange: told.onChange,
      backoff: { baseMs: 10, capMs: 50 },
    });
    await informer.hasSynced();
    expect(informer.list().map((o) => o.metadata.name)).toEqual(['inf-a']);
    await cluster.apply(aConfigMap('inf-b', {}, { test: 'inf' }));
    await told.until((changes) => changes.length === 2);
    cut();
    await cluster.apply(aConfigMap('inf-a', { v: '2' }, { test: 'inf' })); // while nobody listens
    await cluster.delete({ kind: ConfigMap, namespace: 'work', name: 'inf-b' });
    await told.until((changes) => changes.length === 4);
    expect(told.changes.map((c) => [c.type, c.object.metadata.name])).toEqual([
      ['added', 'inf-a'],
      ['added', 'inf-b'],
      ['modified', 'inf-a'],
      ['deleted', 'inf-b'],
    ]);
    expect(informer.get('work', 'inf-a')?.data).toEqual({ v: '2' });
    expect(informer.get('work', 'inf-a')?.metadata).not.toHaveProperty('managedFields');
    await informer.stop();
  });

  test('a resourceVersion that the API server no longer knows (or not yet) does not stop it', async () => {
    const watch = cluster.rawWatch(ConfigMap, { namespace: 'work', resourceVersion: '1', timeoutSeconds: 1 });
    const outcome = await failureOf(
      (async () => {
        for await (const event of watch) if (event.type !== 'BOOKMARK') return;
      })(),
    );
    expect(outcome === 'no failure' || (outcome as { code?: string }).code === 'Gone').toBe(true);
  });

  test('an object that changes while informer and queue work ends as it should', async () => {
    const reconciled: string[] = [];
    const done = Promise.withResolvers<void>();
    let failOnce = true;
    let informer: Informer<ConfigMapObject> | undefined;
    const queue = createWorkQueue<string>({
      concurrency: 2,
      backoff: { baseMs: 5, capMs: 20 },
      reconcile: async (key) => {
        if (failOnce) {
          failOnce = false;
          throw new Error('the first try fails');
        }
        const [namespace, name = ''] = key.split('/');
        const object = informer?.get(namespace, name);
        if (object === undefined || object.data?.['copy'] === object.data?.['original']) return;
        await cluster.apply(aConfigMap(name, { copy: object.data?.['original'] ?? '' }, { test: 'loop' }));
        reconciled.push(object.data?.['original'] ?? '');
      },
    });
    informer = startInformer<ConfigMapObject>({
      cluster,
      kind: ConfigMap,
      namespace: 'work',
      labelSelector: 'test=loop',
      onChange: ({ object }) => {
        if (object.data?.['copy'] === '3') done.resolve();
        queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
      },
    });
    for (const original of ['1', '2', '3']) await other.apply(aConfigMap('looped', { original }, { test: 'loop' }), { force: true });
    await done.promise;
    await informer.stop();
    expect(await queue.stop()).toBe(0);
    expect(reconciled.at(-1)).toBe('3');
  });
});

describe('events', () => {
  test('an event and its series are accepted as events.k8s.io/v1', async () => {
    const regarding = await cluster.apply(aConfigMap('watched'));
    const recorder = createEventRecorder({ cluster, controller: 'scp.symphony.foundation/test', instance: 'test-0' });
    const occurrence = { regarding, type: 'Warning', reason: 'Tested', action: 'Test', note: 'ü'.repeat(2000) } as const;
    recorder.record(occurrence);
    await recorder.flush();
    for (let i = 0; i < 3; i += 1) recorder.record(occurrence);
    await recorder.flush();
    recorder.record({ ...occurrence, regarding: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'work' } } });
    await recorder.flush();
    expect(recorder.counts()).toMatchObject({ failed: 0, dropped: 0 });
    const { items } = await cluster.list<KubeEvent>(Event, { namespace: 'work' });
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ reason: 'Tested', reportingInstance: 'test-0', series: { count: expect.any(Number) } });
    expect(
      (await cluster.list<KubeEvent>(Event, { namespace: 'default' })).items.some(
        (e) => e.regarding?.kind === 'Namespace' && e.reason === 'Tested',
      ),
    ).toBe(true);
  });
});

test('a namespace is an object of the whole cluster', async () => {
  expect((await cluster.get({ kind: Namespace, name: 'work' }))?.metadata.namespace).toBeUndefined();
});
