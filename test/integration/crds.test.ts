import { KubeConfig } from '@kubernetes/client-node';
import { type ActorObject, type Slice, type Task, TaskSpec, type Vault } from '@scs/protocol';
import { customResourceDefinition } from '@scs/protocol/resources/crd.ts';
import { definitions } from '@scs/protocol/resources/definitions.ts';
import { type Cluster, createCluster } from '@scs/operator/kube/client.ts';
import { setCondition } from '@scs/operator/kube/conditions.ts';
import { startInformer } from '@scs/operator/kube/informer.ts';
import { CustomResourceDefinition, scpKind, type ScpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { type Kubectl, kubectlOf } from '../cluster/kubectl.ts';

/** The CRDs on a real API server: defaults, bounds, CEL, immutability, columns, texts, waiting, selecting. */
let controlPlane: ControlPlane;
let cluster: Cluster;
let kubectl: Kubectl;

type Crd = KubeObject & { status?: { conditions?: { type: string; status: string; message: string }[] } };
const isTrue = (crd: Crd, type: string): boolean => crd.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

beforeAll(async () => {
  controlPlane = await startControlPlane({ name: 'crds' });
  const config = new KubeConfig();
  config.loadFromFile(controlPlane.kubeconfig);
  cluster = createCluster(config, { fieldManager: 'scs-test' });
  kubectl = await kubectlOf(controlPlane.kubeconfig);
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'retail' } });
  const established = Promise.withResolvers<void>();
  const ready = new Set<string>();
  const crds = startInformer<Crd>({
    cluster,
    kind: CustomResourceDefinition,
    onChange: ({ object }) => {
      if (isTrue(object, 'Established')) ready.add(object.metadata.name);
      if (definitions.every((d) => ready.has(`${d.plural}.scp.symphony.foundation`))) established.resolve();
    },
  });
  for (const definition of definitions) await cluster.apply(customResourceDefinition(definition) as KubeObject);
  await established.promise;
  await crds.stop();
});
afterAll(() => controlPlane.stop());

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  );

const apiVersion = 'scp.symphony.foundation/v1alpha1';
const address = `0x${'a'.repeat(64)}`;
const digest = 'd'.repeat(64);

/** The least that a submitter has to write. */
const minimalSpec = {
  class: 'query',
  submitter: address,
  usage: 'marketing',
  query: {
    domain: 'retail.purchase',
    where: [
      { attribute: 'product_group', in: ['coffee'] },
      { attribute: 'purchase_day', from: '2030-01-01', until: '2030-04-01' },
    ],
    groupBy: 'age_group',
  },
  privacy: { epsilon: '0.5', minimumResultCardinality: 20 },
  maxFee: '25',
  resultKey: 'b'.repeat(64),
} as const;
type Json = Record<string, unknown>;
const aTask = (name: string, spec: Json = { ...minimalSpec }): KubeObject & { spec: Json } => ({
  apiVersion,
  kind: 'Task',
  metadata: { namespace: 'retail', name },
  spec,
});
const aVault = (name: string, spec: Json = {}): KubeObject & { spec: Json } => ({
  apiVersion,
  kind: 'Vault',
  metadata: { namespace: 'retail', name },
  spec: { enterprise: address, domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['query'] }], sizeBand: 3, ...spec },
});
const aSlice = (name: string, spec: Json = {}): KubeObject & { spec: Json } => ({
  apiVersion,
  kind: 'Slice',
  metadata: { namespace: 'retail', name },
  spec: {
    taskUid: 'u1',
    taskName: 'coffee',
    taskNamespace: 'retail',
    role: 'slice',
    vault: 'north',
    envelopeDigest: digest,
    deadline: '2030-01-01T00:00:00Z',
    ...spec,
  },
});
const aPredicate = (predicate: Json): Json => ({ ...minimalSpec, query: { domain: 'd', where: [predicate] } });

test('no CRD has anything to complain about: schemas are structural, names accepted', async () => {
  const { items } = await cluster.list<Crd>(CustomResourceDefinition);
  const complaints = items.flatMap((crd) =>
    (crd.status?.conditions ?? []).filter((c) => c.type === 'NonStructuralSchema' || c.status !== 'True'),
  );
  expect(complaints).toEqual([]);
  expect(items).toHaveLength(definitions.length);
});

test('N5: the API server fills in the same defaults as the schema that actors sign over', async () => {
  const stored = await cluster.create(aTask('defaults', { ...minimalSpec, query: { domain: 'retail.purchase' } }));
  expect(stored.spec).toEqual(TaskSpec.parse({ ...minimalSpec, query: { domain: 'retail.purchase' } }));
  expect(stored.spec).toMatchObject({ coordination: { quorum: 2 }, deadlineSeconds: 600, query: { where: [], count: 'subjects' } });
  const vault = await cluster.create(aVault('defaults'));
  expect(vault.spec).toMatchObject({ actors: [], storage: { size: '1Gi' }, sources: [], limits: [] });
});

describe('refused', () => {
  test.each<[string, KubeObject, string]>([
    ['a class that does not exist', aTask('x', { ...minimalSpec, class: 'mine' }), 'spec.class'],
    ['no submitter', aTask('x', { ...minimalSpec, submitter: undefined }), 'spec.submitter'],
    ['an address of another form', aTask('x', { ...minimalSpec, submitter: '0xABC' }), 'spec.submitter'],
    ['an amount as a number', aTask('x', { ...minimalSpec, maxFee: 25 }), 'spec.maxFee'],
    ['an amount with too many digits', aTask('x', { ...minimalSpec, maxFee: '1.123456789' }), 'spec.maxFee'],
    ['a deadline out of bounds', aTask('x', { ...minimalSpec, deadlineSeconds: 9 }), 'spec.deadlineSeconds'],
    ['a day that is none', aTask('x', aPredicate({ attribute: 'a', from: 'monday' })), 'from'],
    [
      'too many predicates',
      aTask('x', { ...minimalSpec, query: { domain: 'd', where: Array(17).fill({ attribute: 'a', in: ['b'] }) } }),
      'spec.query.where',
    ],
    ['a size band out of bounds', aVault('x', { sizeBand: 32 }), 'spec.sizeBand'],
    ['no domain', aVault('x', { domains: [] }), 'spec.domains'],
    ['a domain twice', aVault('x', { domains: Array(2).fill({ name: 'd', usages: ['marketing'], classes: ['query'] }) }), 'Duplicate'],
    ['rights that nobody can use', aVault('x', { rights: { tlsSecret: 's' } }), 'set oidc or subjectKeys'],
    [
      'an issuer without keys',
      aVault('x', { rights: { tlsSecret: 's', oidc: { issuer: 'https://id.example', audience: 'vault' } } }),
      'set one of jwksUrl and jwks',
    ],
    ['an actor twice', aVault('x', { actors: [address, address] }), 'Duplicate'],
    ['a deadline that is no time', aSlice('x', { deadline: 'soon' }), 'spec.deadline'],
  ])('bounds: %s', async (_, object, path) => {
    expect(await failureOf(cluster.create(object))).toMatchObject({ code: 'Invalid', status: 422, message: expect.stringContaining(path) });
  });

  test.each<[string, KubeObject, string]>([
    ['a query task without a query', aTask('x', { ...minimalSpec, query: undefined }), 'needs spec.query'],
    ['a query in a task of another class', aTask('x', { ...minimalSpec, class: 'train' }), 'spec.query is for tasks of class query'],
    [
      'no epsilon at all',
      aTask('x', { ...minimalSpec, privacy: { epsilon: '0.00', minimumResultCardinality: 20 } }),
      'epsilon must be above zero',
    ],
    ['a predicate that names nothing', aTask('x', aPredicate({ attribute: 'a' })), 'either groups (in) or a range'],
    [
      'a predicate that names groups and days',
      aTask('x', aPredicate({ attribute: 'a', in: ['b'], from: '2030-01-01' })),
      'either groups (in) or a range',
    ],
    [
      'a range that ends before it begins',
      aTask('x', aPredicate({ attribute: 'a', from: '2030-02-01', until: '2030-01-01' })),
      'from must be before until',
    ],
    ['a name too long to name others after', aTask('x'.repeat(64)), '63 characters at most'],
    ['a Vault whose name is no DNS label', aVault('north.east'), 'must be a DNS label'],
    [
      'sources without a volume',
      aVault('x', { sources: [{ domain: 'retail.purchase', format: 'csv', path: 'a.csv' }] }),
      'sources need importVolumeClaim',
    ],
    [
      'a source of a domain not offered',
      aVault('x', { importVolumeClaim: 'c', sources: [{ domain: 'other', format: 'csv', path: 'a.csv' }] }),
      'must belong to one of spec.domains',
    ],
    [
      'a journal both here and there',
      aVault('x', { journal: { volumeClaim: 'c', s3: { bucket: 'abc', region: 'r' } }, cloudSecret: 's' }),
      'one of volumeClaim and s3',
    ],
    ['backups nowhere', aVault('x', { backup: {} }), 'one of volumeClaim and s3'],
    ['a bucket without credentials', aVault('x', { backup: { s3: { bucket: 'abc', region: 'r' } } }), 'need cloudSecret'],
    ['a slice without a Vault', aSlice('x', { vault: undefined }), 'a slice names its Vault'],
    ['an aggregator with a Vault', aSlice('x', { role: 'aggregator' }), 'an aggregator names none'],
  ])('CEL: %s, and says what to change', async (_, object, message) => {
    expect(await failureOf(cluster.create(object))).toMatchObject({ code: 'Invalid', message: expect.stringContaining(message) });
  });

  test('unknown fields, by create, by apply and by kubectl', async () => {
    const wrong = aTask('x', { ...minimalSpec, epsilom: '0.5' });
    expect(await failureOf(cluster.create(wrong))).toMatchObject({ code: 'BadRequest', message: expect.stringContaining('spec.epsilom') });
    expect(await failureOf(cluster.apply(wrong))).toMatchObject({ code: 'Invalid', message: expect.stringContaining('epsilom') });
    await expect(kubectl.apply(wrong)).rejects.toThrow('epsilom');
  });
});

describe('immutable', () => {
  test("T7: a task's spec stays, whoever asks; labels and status may change", async () => {
    const task = await cluster.create(aTask('frozen'));
    for (const change of [{ maxFee: '26' }, { ttlSecondsAfterFinished: 5 }, { usage: 'analytics' }]) {
      const failure = await failureOf(cluster.replace({ ...task, spec: { ...task.spec, ...change } }));
      expect(failure).toMatchObject({ code: 'Invalid', message: expect.stringContaining('spec is immutable') });
    }
    await cluster.replace({ ...task, metadata: { ...task.metadata, labels: { team: 'a' } } });
    await cluster.applyStatus({
      apiVersion,
      kind: 'Task',
      metadata: { namespace: 'retail', name: 'frozen' },
      status: { state: 'accepted' },
    } as KubeObject);
    const stored = await cluster.get<Task>({ kind: scpKind('Task'), namespace: 'retail', name: 'frozen' });
    expect(stored).toMatchObject({ metadata: { generation: 1, labels: { team: 'a' } }, status: { state: 'accepted' } });
  });

  test("a Vault's enterprise and storage stay; what it offers may change", async () => {
    const vault = await cluster.create(aVault('north'));
    const refusal = await failureOf(cluster.replace({ ...vault, spec: { ...vault.spec, enterprise: `0x${'c'.repeat(64)}` } }));
    expect(refusal).toMatchObject({ code: 'Invalid', message: expect.stringContaining('one enterprise for good') });
    expect(await failureOf(cluster.replace({ ...vault, spec: { ...vault.spec, storage: { size: '2Gi' } } }))).toMatchObject({
      code: 'Invalid',
    });
    const changed = await cluster.replace({ ...vault, spec: { ...vault.spec, sizeBand: 4, actors: [address] } });
    expect(changed.metadata.generation).toBe(2);
  });

  test("a Slice's spec stays", async () => {
    const slice = await cluster.create(aSlice('coffee-north'));
    expect(await failureOf(cluster.replace({ ...slice, spec: { ...slice.spec, vault: 'south' } }))).toMatchObject({ code: 'Invalid' });
  });
});

test('status cannot be set with the object, and its bounds hold', async () => {
  const stored = await cluster.create({ ...aTask('bold'), status: { state: 'completed' } } as KubeObject & { status?: unknown });
  expect(stored.status).toBeUndefined();
  const status = { state: 'paid' };
  const failure = await failureOf(
    cluster.applyStatus({ apiVersion, kind: 'Task', metadata: { namespace: 'retail', name: 'bold' }, status } as KubeObject),
  );
  expect(failure).toMatchObject({ code: 'Invalid', message: expect.stringContaining('status.state') });
});

describe('kubectl', () => {
  const identity = { apiVersion, kind: 'Task', metadata: { namespace: 'retail', name: 'shown' } };
  const condition = setCondition(
    [],
    { type: 'Completed', status: 'True', reason: 'Settled', message: 'Batch 7 is final.', observedGeneration: 1 },
    Date.UTC(2030, 0, 1),
  );

  beforeAll(async () => {
    await cluster.create(aTask('shown'));
    const status = {
      state: 'completed',
      epoch: 4,
      fee: { maximum: '25', locked: '0', quoted: '12.5', charged: '12.25' },
      settlement: { batch: 7 },
      history: [{ state: 'accepted', height: 1, time: '2030-01-01T00:00:00Z' }],
      conditions: condition,
    };
    await cluster.applyStatus({ ...identity, status } as KubeObject);
    await cluster.create(aSlice('shown-north'));
  });

  const columns = async (...args: readonly string[]): Promise<string[][]> =>
    (await kubectl('get', ...args))
      .trim()
      .split('\n')
      .map((line) => line.split(/\s{2,}/));

  test('get shows the columns, wide ones too', async () => {
    const [head, row] = await columns('task', 'shown', '-n', 'retail');
    expect(head).toEqual(['NAME', 'CLASS', 'STATE', 'REASON', 'FEE', 'AGE']);
    expect(row?.slice(0, 3)).toEqual(['shown', 'query', 'completed']);
    expect(row).toContain('12.25');
    const [wide] = await columns('tk', 'shown', '-n', 'retail', '-o', 'wide');
    expect(wide).toEqual(['NAME', 'CLASS', 'DOMAIN', 'USAGE', 'STATE', 'REASON', 'EPOCH', 'FEE', 'SETTLEMENT', 'AGE']);
    const [slices] = await columns('sl', '-n', 'retail');
    expect(slices).toEqual(['NAME', 'ROLE', 'TASK', 'VAULT', 'STATE', 'REASON', 'AGE']);
  });

  test('get scp shows the whole category', async () => {
    const all = await kubectl('get', 'scp', '-A', '-o', 'name');
    expect(all).toContain('task.scp.symphony.foundation/shown');
    expect(all).toContain('slice.scp.symphony.foundation/shown-north');
  });

  test('wait --for=condition works', async () => {
    expect(await kubectl('wait', '--for=condition=Completed', 'task/shown', '-n', 'retail', '--timeout=5s')).toContain('condition met');
  });

  test.each(definitions.map((d) => [d.kind, d] as const))(
    'explain %s has a text for the kind and for its fields',
    async (_, definition) => {
      const text = await kubectl('explain', `${definition.plural}.scp.symphony.foundation`, '--recursive=false');
      expect(text.replace(/\s+/g, ' ')).toContain(definition.description.slice(0, 60));
      const spec = await kubectl('explain', `${definition.plural}.scp.symphony.foundation.spec`);
      expect(spec).not.toContain('<no description>');
    },
  );

  test('explain tells the bounds in words', async () => {
    expect(await kubectl('explain', 'task.spec.privacy.epsilon')).toContain('Differential-privacy epsilon');
    expect(await kubectl('explain', 'task.status.conditions.reason')).toContain('Stable PascalCase code');
  });

  test('selectable fields select, in lists and watches', async () => {
    const { items } = await cluster.list<Task>(scpKind('Task'), { namespace: 'retail', fieldSelector: 'status.state=completed' });
    expect(items.map((t) => t.metadata.name)).toEqual(['shown']);
    const { items: slices } = await cluster.list<Slice>(scpKind('Slice'), { fieldSelector: 'spec.taskUid=u1,spec.role=slice' });
    expect(slices.map((s) => s.metadata.name)).toContain('shown-north');
    expect(await failureOf(cluster.list(scpKind('Vault'), { fieldSelector: 'spec.sizeBand=3' }))).toMatchObject({ code: 'BadRequest' });
  });
});

test('conditions of several writers live side by side', async () => {
  await cluster.apply(aVault('shared'));
  const config = new KubeConfig();
  config.loadFromFile(controlPlane.kubeconfig);
  const masters = createCluster(config, { fieldManager: 'scs-masters' });
  const status = (type: string): KubeObject =>
    ({
      apiVersion,
      kind: 'Vault',
      metadata: { namespace: 'retail', name: 'shared' },
      status: { conditions: setCondition([], { type, status: 'True', reason: 'Ready', message: '' }, 0) },
    }) as KubeObject;
  await cluster.applyStatus(status('Ready'));
  await masters.applyStatus(status('Registered'));
  await cluster.applyStatus(status('Ready'));
  const stored = await cluster.get<Vault>({ kind: scpKind('Vault'), namespace: 'retail', name: 'shared' });
  expect(stored?.status?.conditions?.map((c) => c.type)).toEqual(['Ready', 'Registered']);
});

describe('G7: projections', () => {
  const samples: Partial<Record<ScpKind, Json>> = {
    PolicyVersion: {
      version: 1,
      fees: {
        base: '1',
        perVault: '0.5',
        perSizeBand: ['0', '0.1'],
        perEpsilon: '2',
        shares: { operators: 6000, executors: 1000, verifiers: 1000, dividends: 1500, treasury: 500 },
      },
      privacy: {
        minimumResultCardinality: 10,
        maxEpsilonPerTask: '4',
        subjectLimits: [{ usage: 'marketing', microRho: '500000' }],
        actorShareBasisPoints: 5000,
      },
      windows: { answerMs: 1000, executionMs: 1000, verificationMs: 1000, challengeMs: 1000, maxTaskMs: 9000 },
      epochLengthMs: 60_000,
      measurements: ['ab'.repeat(48)],
    },
    Epoch: { number: 1, policyVersion: 1, start: '2030-01-01T00:00:00Z' },
    Settlement: { number: 1, epoch: 1, taskCount: 3, tasksRoot: digest },
    Actor: { address, publicKey: digest, role: 'enterprise', displayName: 'North', enterprise: { namespace: 'north' } },
    Domain: { name: 'retail.purchase', parent: 'retail', overlapBound: 3, description: 'Purchases.' },
    CanonicalAttribute: { name: 'purchase.day', domain: 'retail.purchase', type: 'date', directlyQueryable: false, description: 'Day.' },
    QueryAttribute: {
      name: 'age_group',
      domain: 'retail.purchase',
      derivation: { kind: 'bucket', from: 'household.age', buckets: ['under_45', '45_and_over'], otherwise: 'unknown' },
      granularity: { minimumBuckets: 1 },
      groupable: true,
      description: 'Age.',
    },
  };

  test.each(Object.entries(samples))('%s is taken as its schema says, of the whole cluster', async (kind, spec) => {
    const stored = await cluster.apply({ apiVersion, kind, metadata: { name: 'sample' }, spec } as KubeObject);
    expect(stored.metadata.namespace).toBeUndefined();
    expect(stored).toMatchObject({ spec });
  });

  test.each([
    { kind: 'boolean', from: 'purchase.store', buckets: ['true'], otherwise: 'false' },
    { kind: 'threshold', from: 'purchase.cents', buckets: ['low', 'high'] },
    { kind: 'hash', from: 'purchase.store', groups: 8 },
  ])('S2, S3, S4: a query attribute of kind $kind, of a Vault and across domains, too', async (derivation) => {
    const crossDomain = { from: 'bank.account', approved: true, why: 'proposal 7' };
    const spec = { ...samples.QueryAttribute, name: 'alder/shoppers/x', vault: 'alder/shoppers', derivation, crossDomain };
    const stored = await cluster.apply({
      apiVersion,
      kind: 'QueryAttribute',
      metadata: { name: `alder.shoppers--${derivation.kind}` },
      spec,
    } as KubeObject);
    expect(stored).toMatchObject({ spec });
  });

  test.each<[ScpKind, Json, string]>([
    [
      'PolicyVersion',
      {
        fees: {
          ...(samples.PolicyVersion?.['fees'] as Json),
          shares: { operators: 1, executors: 1, verifiers: 1, dividends: 1, treasury: 1 },
        },
      },
      'must sum to 10000',
    ],
    ['Actor', { role: 'submitter' }, 'spec.enterprise is for enterprises'],
    ['QueryAttribute', { derivation: { kind: 'aggregate', from: 'purchase.day' } }, 'a unit is for derivations of kind aggregate'],
  ])('%s: CEL', async (kind, change, message) => {
    const object = { apiVersion, kind, metadata: { name: 'wrong' }, spec: { ...samples[kind], ...change } } as KubeObject;
    expect(await failureOf(cluster.create(object))).toMatchObject({ code: 'Invalid', message: expect.stringContaining(message) });
  });

  test('defaults of an actor', async () => {
    const stored = await cluster.get<ActorObject>({ kind: scpKind('Actor'), name: 'sample' });
    expect(stored?.spec).toMatchObject({ kubernetesUsers: [], enterprise: { contributesCompute: false } });
  });
});
