import { expect, test } from 'vitest';
import type { Slice, TaskRecord } from '@scs/protocol';
import type { Pod } from '../kube/objects.ts';
import { decideSlice } from './decide-slice.ts';
import { SLICE_LABEL, slicePod, sliceName, NODE_LABELS } from './slice-objects.ts';
import { readConfig } from './config.ts';

const enterprise = `0x${'a'.repeat(64)}`;
const other = `0x${'b'.repeat(64)}`;
const slice = (role: 'slice' | 'aggregator' = 'slice', attempt = 0): Slice => ({
  apiVersion: 'scp.symphony.foundation/v1alpha1',
  kind: 'Slice',
  metadata: { name: `coffee-u1-${role === 'slice' ? 'shoppers' : 'aggregator'}`, namespace: 'alder', uid: 'slice-uid', generation: 1 },
  spec: {
    taskUid: 'u1',
    taskName: 'coffee',
    taskNamespace: 'roastery',
    role,
    ...(role === 'slice' && { vault: 'shoppers' }),
    envelopeDigest: '0'.repeat(64),
    deadline: '2026-01-01T00:00:00Z',
  },
  status: { attempt },
});
const record = (
  state: TaskRecord['state'],
  part: TaskRecord['parts'][number]['state'] = 'reserved',
  aggregator = enterprise,
): TaskRecord => ({
  uid: 'u1',
  name: 'coffee',
  namespace: 'roastery',
  spec: {
    class: 'query',
    submitter: other,
    usage: 'marketing',
    privacy: { epsilon: '0.5', minimumResultCardinality: 20 },
    coordination: { quorum: 1 },
    maxFee: '1',
    resultKey: '0'.repeat(64),
    deadlineSeconds: 600,
  },
  state,
  history: [],
  policyVersion: 1,
  semanticVersion: '0'.repeat(64),
  epoch: 0,
  deadline: 0,
  finalDeadline: 0,
  maxFee: 0n,
  locked: 0n,
  parts: [{ vault: 'alder/shoppers', enterprise, key: '0'.repeat(64), sizeBand: 0, state: part }],
  aggregators: [aggregator],
  aggregator: 0,
});
const pod = (phase: string, more: object = {}): Pod => ({
  metadata: { name: 'coffee-u1-shoppers-1', uid: 'p' },
  status: { phase, ...more },
});
const decide = (input: Partial<Parameters<typeof decideSlice>[0]>) =>
  decideSlice({ slice: slice(), record: record('dispatched'), enterprise, pod: undefined, notBefore: 0, ...input }, 1_000);

test.each`
  rule     | what                                     | input                                                                                                                          | act         | reason                     | gone
  ${'N10'} | ${'no certified task, nothing runs'}     | ${{ record: undefined, pod: pod('Running') }}                                                                                  | ${'delete'} | ${'TaskUnknown'}           | ${false}
  ${'M1'}  | ${'a dispatched task gets a pod'}        | ${{}}                                                                                                                          | ${'create'} | ${'PodCreated'}            | ${false}
  ${'B6'}  | ${'a pod that is gone is followed'}      | ${{ slice: slice('slice', 3) }}                                                                                                | ${'create'} | ${'PodCreated'}            | ${false}
  ${'B6'}  | ${'but not at once, again and again'}    | ${{ slice: slice('slice', 3), notBefore: 5_000 }}                                                                              | ${'keep'}   | ${'BackingOff'}            | ${false}
  ${'M1'}  | ${'an evicted pod is cleared away'}      | ${{ pod: pod('Failed', { reason: 'Evicted' }) }}                                                                               | ${'delete'} | ${'Evicted'}               | ${false}
  ${'A2'}  | ${'no TEE node: says so and waits'}      | ${{ pod: pod('Pending', { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'x' }] }) }} | ${'keep'}   | ${'Unschedulable'}         | ${false}
  ${'M1'}  | ${'images mended: made again'}           | ${{ pod: pod('Pending'), outdated: true }}                                                                                     | ${'delete'} | ${'ImagesChanged'}         | ${false}
  ${'T3'}  | ${'verified: the pod goes'}              | ${{ record: record('verifying', 'released'), pod: pod('Running') }}                                                            | ${'delete'} | ${'TaskMovedOn'}           | ${false}
  ${'T4'}  | ${'completed: the slice goes too'}       | ${{ record: record('completed', 'released') }}                                                                                 | ${'delete'} | ${'TaskMovedOn'}           | ${true}
  ${'M4'}  | ${'a late Vault is not run'}             | ${{ record: record('dispatched', 'late'), pod: pod('Running') }}                                                               | ${'delete'} | ${'TaskMovedOn'}           | ${false}
  ${'M4'}  | ${'another enterprise aggregates now'}   | ${{ slice: slice('aggregator'), record: record('dispatched', 'reserved', other), pod: pod('Running') }}                        | ${'delete'} | ${'TaskMovedOn'}           | ${false}
  ${'A1'}  | ${'running, not attested yet'}           | ${{ pod: pod('Running') }}                                                                                                     | ${'keep'}   | ${'WaitingForAttestation'} | ${false}
  ${'B3'}  | ${'released: the pod stays to reseal'}   | ${{ record: record('dispatched', 'released'), pod: pod('Running') }}                                                           | ${'keep'}   | ${'OutputReleased'}        | ${false}
  ${'N10'} | ${'a Slice that the agent did not make'} | ${{ slice: { ...slice(), metadata: { ...slice().metadata, name: 'forged' } } }}                                                | ${'delete'} | ${'NotOurs'}               | ${false}
`('$rule: $what', ({ input, act, reason, gone }) => {
  const decision = decide(input);
  expect([decision.pod, decision.status.reason, decision.deleteSlice]).toEqual([act, reason, gone]);
});

const config = readConfig({
  SCS_NAMESPACE: 'alder',
  SCS_GENESIS: 'g',
  SCS_KEYS: 'k',
  SCS_TLS: 't',
  SCS_MASTERS: 'a:1,b:1,c:1',
  SCS_IMAGE_VAULT: 'v',
  SCS_IMAGE_SIDECAR: 's',
  SCS_IMAGE_EXECUTOR: 'e',
});

test('A2: a slice pod holds no token, no privilege and memory only, and runs on TEE nodes', () => {
  const { spec } = slicePod(slice(), 1, config, enterprise, true);
  expect(spec?.automountServiceAccountToken).toBe(false);
  expect(
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms.map(
      (t) => t.matchExpressions?.[0]?.key,
    ),
  ).toEqual([...NODE_LABELS]);
  expect(spec?.volumes?.filter((v) => v.emptyDir).every((v) => v.emptyDir?.medium === 'Memory')).toBe(true);
  for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])])
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  expect(spec?.initContainers?.[0]?.restartPolicy).toBe('Always');
});

test('names are deterministic, short, and valid for a pod with its attempt', () => {
  const name = sliceName({ name: `${'x'.repeat(27)}.-y`, uid: '12345678-0000' }, 'vault.with.dots-and-a-long-name');
  expect(`${name}-99`).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
  expect(`${name}-99`.length).toBeLessThanOrEqual(63);
});

test('M1: no two Vaults of a task share a Slice, nor one with the aggregator', () => {
  const names = ['loyalty-records-north', 'loyalty-records-north-2', 'loyalty-records-south', 'a.b', 'a-b', 'aggregator', undefined];
  expect(new Set(names.map((vault) => sliceName({ name: 'coffee', uid: '12345678-0000' }, vault))).size).toBe(names.length);
});

test('a missing setting is named', () => expect(() => readConfig({ SCS_NAMESPACE: 'alder' })).toThrow(/SCS_MASTERS/));
test('the label that finds a slice by its pod', () =>
  expect(slicePod(slice(), 2, config, enterprise, false).metadata.labels?.[SLICE_LABEL]).toBe('coffee-u1-shoppers'));
