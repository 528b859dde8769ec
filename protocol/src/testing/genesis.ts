/** A group as in the demo: three masters, three enterprises with one Vault each, two submitters, simulated enclaves. */
import { parseSym } from '../amounts.ts';
import type { Catalogue } from '../catalogue.ts';
import type { Actor, Genesis } from '../genesis.ts';
import type { Policy } from '../policy.ts';
import { makeChip, simulatedRoot, type SimulatedChip } from '../simulated-enclave.ts';
import { actorKey, digestOf, masterKey, testKey } from './keys.ts';

export const enterprises = ['alder', 'birch', 'cedar'] as const;
export const submitters = ['roastery', 'stranger'] as const;
export const vaultNames: readonly string[] = enterprises.map((name) => `${name}/shoppers`);
export const MEASUREMENT = `${digestOf('measurement')}${digestOf('measurement').slice(0, 32)}`;

const root = simulatedRoot(digestOf('simulated root'));
export const chipOf = (enterprise: string): SimulatedChip => makeChip(root, digestOf(`chip ${enterprise}`));

/** 2026-01-01T00:00:00Z */
export const GENESIS_TIME = 1_767_225_600_000;

export const aPolicy = (): Policy => ({
  version: 1,
  fees: {
    query: {
      base: parseSym('1'),
      perVault: parseSym('0.5'),
      perSizeBand: ['0.1', '0.25', '0.5', '1'].map(parseSym),
      perEpsilon: parseSym('4'),
    },
    shares: { operators: 4000, executors: 2500, verifiers: 1500, dividends: 1500, treasury: 500 },
  },
  privacy: {
    minimumResultCardinality: 10,
    maxEpsilonPerTask: 1_000_000n,
    subjectLimitMicroRho: { personal: 1_500_000n, marketing: 1_500_000n, analytics: 1_500_000n, training: 1_500_000n },
    actorShareBasisPoints: 10_000,
  },
  windows: {
    answerMs: 60_000,
    executionMs: 180_000,
    verificationMs: 60_000,
    challengeMs: 6000,
    clockBoundMs: 300,
    maxTaskMs: 1_800_000,
    aggregatorReplaceMs: 60_000,
  },
  settlement: { maxTasks: 100, maxDelayMs: 6000, maxEscrowAgeMs: 300_000 },
  epoch: { lengthMs: 3_600_000 },
  enclave: { measurements: [MEASUREMENT], minimumTcb: 0n },
});

export const aCatalogue = (): Catalogue => ({
  domains: [
    { name: 'global', overlapBound: 1000, description: 'Root.' },
    { name: 'retail', parent: 'global', overlapBound: 1000, description: 'Family.' },
    { name: 'retail.purchase', parent: 'retail', overlapBound: 3, description: 'Purchases.' },
  ],
  canonicalAttributes: [
    { name: 'purchase.day', domain: 'retail.purchase', type: 'date', state: 'active', directlyQueryable: false, description: 'Day.' },
    {
      name: 'purchase.commodity',
      domain: 'retail.purchase',
      type: 'string',
      state: 'active',
      directlyQueryable: false,
      description: 'Goods.',
    },
    {
      name: 'household.age',
      domain: 'retail.purchase',
      type: 'string',
      state: 'active',
      directlyQueryable: false,
      description: 'Age band.',
    },
  ],
  queryAttributes: [
    {
      name: 'purchase_day',
      domain: 'retail.purchase',
      state: 'active',
      derivation: { kind: 'aggregate', from: 'purchase.day', unit: 'day' },
      granularity: { minimumDays: 7 },
      groupable: false,
      description: 'Day of the purchase.',
    },
    {
      name: 'product_group',
      domain: 'retail.purchase',
      state: 'active',
      derivation: {
        kind: 'bucket',
        from: 'purchase.commodity',
        buckets: [
          { name: 'coffee', values: ['COFFEE'] },
          { name: 'tea', values: ['TEAS', 'DRY TEA'] },
        ],
        otherwise: 'other',
      },
      granularity: { minimumBuckets: 1 },
      groupable: false,
      description: 'Group of goods.',
    },
    {
      name: 'age_group',
      domain: 'retail.purchase',
      state: 'active',
      derivation: {
        kind: 'bucket',
        from: 'household.age',
        buckets: [
          { name: 'under_45', values: ['19-24', '25-34', '35-44'] },
          { name: '45_and_over', values: ['45-54', '55-64', '65+'] },
        ],
        otherwise: 'unknown',
      },
      granularity: { minimumBuckets: 1 },
      groupable: true,
      description: 'Age in two groups.',
    },
  ],
});

/** With a number to measure: cents of a purchase. */
export const aCatalogueOfNumbers = (): Catalogue => {
  const { canonicalAttributes, queryAttributes, ...rest } = aCatalogue();
  const domain = 'retail.purchase';
  const cents = {
    name: 'purchase.cents',
    domain,
    type: 'integer',
    state: 'active',
    directlyQueryable: false,
    description: 'Cents.',
  } as const;
  return {
    ...rest,
    canonicalAttributes: [...canonicalAttributes, cents],
    queryAttributes: [
      ...queryAttributes,
      {
        name: 'spend',
        domain,
        state: 'active',
        derivation: { kind: 'aggregate', from: 'purchase.cents', unit: 'number' },
        granularity: {},
        groupable: false,
        measure: { low: 0, high: 10_000, grid: [0, 1_000, 2_500, 5_000, 10_000] },
        description: 'Spending.',
      },
    ],
  };
};

const enterprise = (name: string): Actor => ({
  address: actorKey(name).address,
  publicKey: actorKey(name).publicKey,
  role: 'enterprise',
  name,
  state: 'active',
  kubernetesUsers: [],
  allocation: parseSym('1000'),
  enterprise: { namespace: name, tlsAuthority: '', contributesCompute: true },
});
const submitter = (name: string): Actor => ({
  address: actorKey(name).address,
  publicKey: actorKey(name).publicKey,
  role: 'submitter',
  name,
  state: 'active',
  kubernetesUsers: [name],
  allocation: parseSym('10000'),
});

/** `overrides` replace whole fields; change the parts with `{ policy: { ...aPolicy(), ... } }`. */
export const aGenesis = (overrides: Partial<Genesis> = {}): Genesis => ({
  protocolVersion: 1,
  name: 'test',
  time: GENESIS_TIME,
  masters: [0, 1, 2].map((i) => ({
    publicKey: masterKey(i).publicKey,
    tlsAuthority: '',
    rewardAddress: testKey(`reward ${i}`).address,
  })),
  recoveryKeys: [0, 1, 2].map((i) => testKey(`recovery ${i}`).publicKey),
  policy: aPolicy(),
  actors: [...enterprises.map(enterprise), ...submitters.map(submitter)],
  catalogue: aCatalogue(),
  chain: {
    chainId: 4,
    contract: testKey('publisher').address,
    treasuryReserve: 0n,
    escrowDelaySeconds: 31_536_000n,
    escrowWindowSeconds: 3600n,
  },
  enclave: { kind: 'simulated', root: root.publicKey },
  ...overrides,
});
