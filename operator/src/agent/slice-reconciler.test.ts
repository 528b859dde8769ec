import { expect, test } from 'vitest';
import { World } from '@scs/protocol/testing/world.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import type { Slice } from '@scs/protocol';
import type { Pod } from '../kube/objects.ts';
import { readConfig } from './config.ts';
import { podName, sliceObject, slicePod } from './slice-objects.ts';
import { SliceReconciler, type SliceContext } from './slice-reconciler.ts';

const config = readConfig({
  SCS_NAMESPACE: 'alder',
  SCS_GENESIS: '/g',
  SCS_KEYS: '/k',
  SCS_TLS: '/t',
  SCS_MASTERS: 'a:1,b:1,c:1',
  SCS_IMAGE_VAULT: 'v',
  SCS_IMAGE_SIDECAR: 's',
  SCS_IMAGE_EXECUTOR: 'e',
});
const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scs-agent', uid: 'deployment' };

/** A dispatched task's slice whose first pod was made; what is watched does not show that pod. */
const reconcileWith = async (stored: (made: Pod) => Pod | undefined): Promise<readonly string[]> => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.answer(uid);
  const record = world.task(uid);
  const enterprise = world.address('alder');
  const named = sliceObject('alder', record, 'slice', 'shoppers', owner);
  const slice: Slice = { ...named, metadata: { ...named.metadata, uid: 'slice-uid', generation: 1 }, status: { attempt: 1 } };
  const made = slicePod(slice, 1, config, enterprise, true);
  const created: string[] = [];
  const context: SliceContext = {
    cluster: {
      get: async <T>({ name }: { name: string }) => (name === made.metadata.name ? (stored(made) as T | undefined) : undefined),
      create: async (object) => {
        created.push(object.metadata.name);
        return object;
      },
      apply: async (object) => object,
      applyStatus: async (object) => object,
      delete: async () => 'deleted',
    },
    config,
    events: { record: () => undefined },
    tasks: { find: async () => ({ record, leaf: { key: '', value: '', siblings: [], certificate: { head: {} as never, votes: [] } } }) },
    enterprise,
    simulated: true,
    owner,
    now: () => 0,
    slices: () => [slice],
    pods: () => [],
  };
  await new SliceReconciler(context).reconcile(slice, new AbortController().signal);
  expect(made.metadata.name).toBe(podName(slice.metadata.name, 1));
  return created.map((name) => name.slice(slice.metadata.name.length));
};

test('no second pod while the first one lives, though the watch does not show it yet', async () => {
  expect(await reconcileWith((pod) => ({ ...pod, status: { phase: 'Running' } }))).toEqual([]);
});

test.each([
  ['is gone', () => undefined],
  ['has failed', (pod: Pod) => ({ ...pod, status: { phase: 'Failed' } })],
  ['is being deleted', (pod: Pod) => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })],
  ['is another owner’s', (pod: Pod) => ({ ...pod, metadata: { ...pod.metadata, ownerReferences: [] } })],
] as const)('another pod follows one that %s', async (_, stored) => {
  expect(await reconcileWith(stored)).toEqual(['-2']);
});
