/** The custom resources: what the API server is told of each beyond its schema. CRDs are made of this and of nothing else (`crd.ts`). */
import type { z } from 'zod';
import {
  ActorSpec,
  ActorStatus,
  CanonicalAttributeSpec,
  CanonicalAttributeStatus,
  DomainSpec,
  DomainStatus,
  EpochSpec,
  EpochStatus,
  PolicyVersionSpec,
  PolicyVersionStatus,
  QueryAttributeSpec,
  QueryAttributeStatus,
  SettlementSpec,
  SettlementStatus,
} from './projections.ts';
import { SliceSpec, SliceStatus } from './slice.ts';
import { TaskSpec, TaskStatus } from './task.ts';
import { VaultSpec, VaultStatus } from './vault.ts';

/** A cross-field rule in CEL. `message` is what a user reads who breaks it. */
export interface Validation {
  readonly rule: string;
  readonly message: string;
}
/** A column of `kubectl get`; with priority 1 only of `kubectl get -o wide`. */
export interface Column {
  readonly name: string;
  readonly jsonPath: string;
  readonly type?: 'string' | 'integer' | 'number' | 'date' | 'boolean';
  readonly priority?: 1;
  readonly description: string;
}
export interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly description: string;
  readonly spec: z.ZodObject;
  readonly status: z.ZodObject;
  readonly columns: readonly Column[];
  readonly selectable: readonly string[];
  /** CEL rules by path; '' is the object itself, `[]` an array's items. A rule with `oldSelf` forbids a change. */
  readonly validations: Readonly<Record<string, readonly Validation[]>>;
  /** Arrays whose items have a key, or are a set; by path. Conditions are known to be a map by type. */
  readonly lists?: Readonly<Record<string, { readonly keys: readonly string[] } | 'set'>>;
}

const age: Column = { name: 'Age', jsonPath: '.metadata.creationTimestamp', type: 'date', description: 'Time since creation.' };
const state: Column = { name: 'State', jsonPath: '.status.state', description: 'Where it stands.' };
const reason = (jsonPath = '.status.reason'): Column => ({ name: 'Reason', jsonPath, description: 'Why, as a stable code.' });
const nameAtMost = (length: number): Validation => ({
  rule: `self.metadata.name.size() <= ${length}`,
  message: `metadata.name can have ${length} characters at most: names of other objects are made of it`,
});
const immutable = (what: string, instead: string): Validation => ({ rule: 'self == oldSelf', message: `${what} is immutable: ${instead}` });

export const Task: Definition = {
  kind: 'Task',
  plural: 'tasks',
  shortNames: ['tk'],
  namespaced: true,
  description:
    'A question to the data of several Vaults, with the consent of those it is about, within their privacy budget, paid from escrow. ' +
    'The spec is immutable and signed by the actor who pays; the status is what the masters certified.',
  spec: TaskSpec,
  status: TaskStatus,
  columns: [
    { name: 'Class', jsonPath: '.spec.class', description: 'parse, query, compute or train.' },
    { name: 'Domain', jsonPath: '.spec.query.domain', priority: 1, description: 'Domain that is asked.' },
    { name: 'Usage', jsonPath: '.spec.usage', priority: 1, description: 'Usage category that subjects consented to.' },
    state,
    reason(),
    { name: 'Epoch', jsonPath: '.status.epoch', type: 'integer', priority: 1, description: 'Epoch of admission.' },
    { name: 'Fee', jsonPath: '.status.fee.charged', description: 'SYM charged.' },
    {
      name: 'Settlement',
      jsonPath: '.status.settlement.batch',
      type: 'integer',
      priority: 1,
      description: 'Number of the settlement batch.',
    },
    age,
  ],
  selectable: ['.spec.class', '.spec.submitter', '.spec.usage', '.status.state'],
  validations: {
    '': [nameAtMost(63)],
    spec: [
      immutable('spec', 'it is signed and judged once (T7); delete the task to cancel it, and submit another'),
      { rule: "self.class != 'query' || has(self.query)", message: 'a task of class query needs spec.query' },
      { rule: "self.class == 'query' || !has(self.query)", message: 'spec.query is for tasks of class query' },
    ],
    'spec.privacy': [{ rule: "self.epsilon.matches('[1-9]')", message: 'epsilon must be above zero' }],
    'spec.query.where[]': [
      {
        rule: 'has(self.__in__) != (has(self.from) || has(self.until))',
        message: 'a predicate names either groups (in) or a range of days (from, until)',
      },
      { rule: '!has(self.from) || !has(self.until) || self.from < self.until', message: 'from must be before until' },
    ],
  },
};

export const Vault: Definition = {
  kind: 'Vault',
  plural: 'vaults',
  shortNames: ['vt'],
  namespaced: true,
  description:
    "An enterprise's store of records, consents and privacy ledgers, and what it permits. It is deny-by-default, and governance can only narrow it. " +
    'Records, consents and people are never in this object.',
  spec: VaultSpec,
  status: VaultStatus,
  columns: [
    state,
    { name: 'Size', jsonPath: '.spec.sizeBand', type: 'integer', description: 'Public size band.' },
    {
      name: 'Registered',
      jsonPath: '.status.registeredAtHeight',
      type: 'integer',
      description: 'Height at which the masters registered it.',
    },
    { name: 'Enterprise', jsonPath: '.spec.enterprise', priority: 1, description: 'Account address of the enterprise.' },
    { name: 'Key', jsonPath: '.status.publicKey', priority: 1, description: "The Vault's Ed25519 key." },
    age,
  ],
  selectable: ['.spec.enterprise', '.status.state'],
  validations: {
    '': [
      {
        rule: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message: 'metadata.name must be a DNS label of at most 40 characters: a Service and a StatefulSet are named after it',
      },
    ],
    'spec.enterprise': [immutable('spec.enterprise', 'a Vault belongs to one enterprise for good')],
    'spec.storage': [immutable('spec.storage', "a volume can't be exchanged under the records; make another Vault")],
    spec: [
      {
        rule: '!has(self.sources) || has(self.importVolumeClaim) || self.sources.all(s, has(s.s3))',
        message: 'sources need importVolumeClaim, or each a bucket (s3)',
      },
      {
        rule:
          'has(self.cloudSecret) || !(has(self.encryption) || (has(self.journal) && has(self.journal.s3)) || ' +
          '(has(self.backup) && has(self.backup.s3)) || (has(self.sources) && self.sources.exists(s, has(s.s3))))',
        message: 's3 and kms need cloudSecret',
      },
      {
        rule: '!has(self.sources) || self.sources.all(s, self.domains.exists(d, d.name == s.domain))',
        message: 'each source must belong to one of spec.domains',
      },
    ],
    'spec.journal': [{ rule: 'has(self.volumeClaim) != has(self.s3)', message: 'set one of volumeClaim and s3' }],
    'spec.backup': [{ rule: 'has(self.volumeClaim) != has(self.s3)', message: 'set one of volumeClaim and s3' }],
    'spec.rights': [
      {
        rule: 'has(self.oidc) || (has(self.subjectKeys) && self.subjectKeys)',
        message: 'set oidc or subjectKeys: else no subject can sign in',
      },
    ],
    'spec.rights.oidc': [{ rule: 'has(self.jwksUrl) != has(self.jwks)', message: 'set one of jwksUrl and jwks' }],
  },
  lists: {
    'spec.domains': { keys: ['name'] },
    'spec.domains[].usages': 'set',
    'spec.domains[].classes': 'set',
    'spec.rights.auditorKeys': 'set',
    'spec.actors': 'set',
    'spec.measurements': 'set',
    'spec.limits': { keys: ['usage'] },
  },
};

export const Slice: Definition = {
  kind: 'Slice',
  plural: 'slices',
  shortNames: ['sl'],
  namespaced: true,
  description:
    "One Vault's part of a task, or the task's aggregator: a pod with an attested enclave, made by the enterprise's agent from a certified command. " +
    'Making one by hand runs nothing.',
  spec: SliceSpec,
  status: SliceStatus,
  columns: [
    { name: 'Role', jsonPath: '.spec.role', description: 'slice or aggregator.' },
    { name: 'Task', jsonPath: '.spec.taskName', description: 'Name of the task.' },
    { name: 'Vault', jsonPath: '.spec.vault', description: 'Vault that it reads.' },
    state,
    reason(),
    { name: 'Attempt', jsonPath: '.status.attempt', type: 'integer', priority: 1, description: 'Which attempt this is.' },
    { name: 'Pod', jsonPath: '.status.pod', priority: 1, description: 'Pod that runs it.' },
    age,
  ],
  selectable: ['.spec.taskUid', '.spec.role', '.status.state'],
  validations: {
    '': [nameAtMost(63)],
    spec: [
      immutable('spec', 'it follows from a certified command'),
      { rule: "(self.role == 'slice') == has(self.vault)", message: 'a slice names its Vault, an aggregator names none' },
    ],
  },
};

const projection = (
  kind: string,
  plural: string,
  shortNames: readonly string[],
  description: string,
  schemas: { spec: z.ZodObject; status: z.ZodObject },
  columns: readonly Column[],
  selectable: readonly string[],
  validations: Definition['validations'] = {},
): Definition => ({
  kind,
  plural,
  shortNames,
  namespaced: false,
  description: `${description} Written by the masters from genesis and log; editing it changes nothing and is repaired (G7).`,
  ...schemas,
  columns: [...columns, age],
  selectable,
  validations,
});

export const PolicyVersion = projection(
  'PolicyVersion',
  'policyversions',
  ['pv-scp'],
  'Every number that governance sets: fees, privacy thresholds, windows, measurements. A task is judged under the version at its admission for good (G1).',
  { spec: PolicyVersionSpec, status: PolicyVersionStatus },
  [
    { name: 'Version', jsonPath: '.spec.version', type: 'integer', description: 'Number of the policy version.' },
    state,
    { name: 'Since', jsonPath: '.status.sinceEpoch', type: 'integer', description: 'First epoch of its force.' },
  ],
  ['.status.state'],
  {
    'spec.fees.shares': [
      {
        rule: 'self.operators + self.executors + self.verifiers + self.dividends + self.treasury == 10000',
        message: 'shares must sum to 10000 basis points',
      },
    ],
  },
);

export const Epoch = projection(
  'Epoch',
  'epochs',
  ['ep-scp'],
  'A window of settlement, reward and replay (G2).',
  { spec: EpochSpec, status: EpochStatus },
  [
    { name: 'Number', jsonPath: '.spec.number', type: 'integer', description: 'Number of the epoch.' },
    state,
    { name: 'Policy', jsonPath: '.spec.policyVersion', type: 'integer', description: 'Policy version in force.' },
    { name: 'Tasks', jsonPath: '.status.tasks', type: 'integer', description: 'Tasks verified in it.' },
  ],
  ['.status.state'],
);

export const Settlement = projection(
  'Settlement',
  'settlements',
  ['stl'],
  'A batch of tasks of one epoch and its transaction on chain, the only basis for rewards and payouts (P1, P2).',
  { spec: SettlementSpec, status: SettlementStatus },
  [
    { name: 'Epoch', jsonPath: '.spec.epoch', type: 'integer', description: 'Epoch of its tasks.' },
    { name: 'Tasks', jsonPath: '.spec.taskCount', type: 'integer', description: 'Number of tasks.' },
    state,
    { name: 'Taken', jsonPath: '.status.taken', description: 'SYM taken from escrows.' },
    { name: 'Transaction', jsonPath: '.status.transaction', priority: 1, description: 'Hash of the transaction.' },
  ],
  ['.status.state'],
);

export const Actor = projection(
  'Actor',
  'actors',
  ['act'],
  'A key with a role: an enterprise, a submitter or a producer (N3-N5).',
  { spec: ActorSpec, status: ActorStatus },
  [
    { name: 'Name', jsonPath: '.spec.displayName', description: 'Name for people.' },
    { name: 'Role', jsonPath: '.spec.role', description: 'What the actor is.' },
    state,
    { name: 'Namespace', jsonPath: '.spec.enterprise.namespace', priority: 1, description: "Namespace of an enterprise's agent." },
  ],
  ['.spec.role', '.status.state'],
  {
    spec: [
      { rule: "has(self.enterprise) == (self.role == 'enterprise')", message: 'spec.enterprise is for enterprises, and needed there' },
    ],
  },
);

export const Domain = projection(
  'Domain',
  'domains',
  ['dom'],
  'A domain of the semantic catalogue: global, family, concrete or sub-domain (S4).',
  { spec: DomainSpec, status: DomainStatus },
  [
    { name: 'Domain', jsonPath: '.spec.name', description: 'Name in the catalogue.' },
    { name: 'Parent', jsonPath: '.spec.parent', description: 'Domain above.' },
    { name: 'Vaults', jsonPath: '.status.vaults', type: 'integer', description: 'Vaults registered in it.' },
  ],
  ['.spec.parent'],
);

export const CanonicalAttribute = projection(
  'CanonicalAttribute',
  'canonicalattributes',
  ['ca'],
  'An attribute of the semantic catalogue, of exactly one domain (S1).',
  { spec: CanonicalAttributeSpec, status: CanonicalAttributeStatus },
  [
    { name: 'Attribute', jsonPath: '.spec.name', description: 'Name in the catalogue.' },
    { name: 'Domain', jsonPath: '.spec.domain', description: 'Domain that it belongs to.' },
    { name: 'Type', jsonPath: '.spec.type', description: 'Type of its values.' },
    state,
  ],
  ['.spec.domain', '.status.state'],
);

export const QueryAttribute = projection(
  'QueryAttribute',
  'queryattributes',
  ['qa'],
  'What tasks may name: derived from a canonical attribute, never finer than its granularity (S2).',
  { spec: QueryAttributeSpec, status: QueryAttributeStatus },
  [
    { name: 'Attribute', jsonPath: '.spec.name', description: 'Name in the catalogue.' },
    { name: 'Domain', jsonPath: '.spec.domain', description: 'Domain that it belongs to.' },
    { name: 'From', jsonPath: '.spec.derivation.from', description: 'Canonical attribute that it derives from.' },
    { name: 'Groupable', jsonPath: '.spec.groupable', type: 'boolean', description: 'Whether results may be grouped by it.' },
    { name: 'Vault', jsonPath: '.spec.vault', priority: 1, description: 'The Vault whose own it is.' },
    {
      name: 'Across',
      jsonPath: '.spec.crossDomain.approved',
      type: 'boolean',
      priority: 1,
      description: 'Whether governance lets it derive from another domain.',
    },
    state,
  ],
  ['.spec.domain', '.status.state'],
  {
    'spec.derivation': [
      {
        rule: "(self.kind in ['bucket', 'boolean', 'threshold']) == has(self.buckets)",
        message: 'buckets are for derivations of kind bucket, boolean and threshold, and needed there',
      },
      { rule: "(self.kind == 'aggregate') == has(self.unit)", message: 'a unit is for derivations of kind aggregate, and needed there' },
    ],
  },
);

export const definitions: readonly Definition[] = [
  Task,
  Vault,
  Slice,
  PolicyVersion,
  Epoch,
  Settlement,
  Actor,
  Domain,
  CanonicalAttribute,
  QueryAttribute,
];
