/** Genesis and log as cluster-scoped objects (rule G7): what each should look like, one at a time. */
import { digest, encodeCanonical, formatEpsilon, formatSym, ownDerived, stateIn, usages, type Actor, type State } from '@scs/protocol';
import { catalogueInForce } from '@scs/protocol/rules/semantics.ts';
import { creditOf } from '@scs/protocol/rules/credits.ts';
import { bondedBy } from '@scs/protocol/rules/economy.ts';
import { joinedIndex } from '@scs/protocol/rules/vault-selection.ts';
import type { ScpKind } from '../../kube/kinds.ts';
import { odometersOf } from './odometers.ts';
import { proved } from './proof.ts';
import { flatRule } from './flat-rule.ts';
import { settlementNames, settlementObject } from './settlement-object.ts';
import type { Sources, Wanted } from './wanted.ts';

export type ClusterKind = Extract<
  ScpKind,
  'PolicyVersion' | 'Epoch' | 'Settlement' | 'Actor' | 'Domain' | 'CanonicalAttribute' | 'QueryAttribute'
>;
export const clusterKinds: readonly ClusterKind[] = [
  'PolicyVersion',
  'Epoch',
  'Settlement',
  'Actor',
  'Domain',
  'CanonicalAttribute',
  'QueryAttribute',
];
export type { Sources, Wanted } from './wanted.ts';

/** Objects of which there come more and more: so many are shown, the newest. */
const SHOWN = { epochs: 48 } as const;

const iso = (ms: number): string => new Date(ms).toISOString();
const sanitized = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '');
/** Catalogue names have underscores, Kubernetes names have not. */
export const catalogueName = (name: string): string => sanitized(name);
/** The address makes it unique whatever people call themselves. */
export const actorName = ({ name, address }: Pick<Actor, 'name' | 'address'>): string =>
  `${sanitized(name).slice(0, 50) || 'actor'}-${address.slice(2, 10)}`;

const policyVersion = ({ genesis, state }: Sources, name: string): Wanted | undefined => {
  const { policy } = genesis;
  if (name !== `v${policy.version}`) return undefined;
  const { query, shares } = policy.fees;
  const { answerMs, executionMs, verificationMs, challengeMs, maxTaskMs } = policy.windows;
  return {
    spec: {
      version: policy.version,
      digest: digest('policy', encodeCanonical(policy)),
      fees: {
        base: formatSym(query.base),
        perVault: formatSym(query.perVault),
        perSizeBand: query.perSizeBand.map(formatSym),
        perEpsilon: formatSym(query.perEpsilon),
        shares,
      },
      privacy: {
        minimumResultCardinality: policy.privacy.minimumResultCardinality,
        maxEpsilonPerTask: formatEpsilon(policy.privacy.maxEpsilonPerTask),
        subjectLimits: usages.map((usage) => ({ usage, microRho: String(policy.privacy.subjectLimitMicroRho[usage]) })),
        actorShareBasisPoints: policy.privacy.actorShareBasisPoints,
        ...(policy.privacy.deltaExponent && { deltaExponent: policy.privacy.deltaExponent }),
        ...(policy.privacy.replenishEpochs && { replenishEpochs: policy.privacy.replenishEpochs }),
      },
      windows: { answerMs, executionMs, verificationMs, challengeMs, maxTaskMs },
      epochLengthMs: policy.epoch.lengthMs,
      measurements: policy.enclave.measurements,
    },
    status: { observedGeneration: 1, state: state.must('meta').policyVersion === policy.version ? 'Active' : 'Superseded', sinceEpoch: 0 },
  };
};

const epoch = ({ state, leaf }: Sources, name: string): Wanted | undefined => {
  const record = state.get('epoch', name.replace(/^epoch-/, ''));
  if (!record || record.number <= state.must('meta').epoch - SHOWN.epochs) return undefined;
  const { number, policyVersion: version, start, end, tasks } = record;
  return {
    spec: { number, policyVersion: version, start: iso(start) },
    status: {
      observedGeneration: 1,
      state: end === null ? 'Open' : 'Closed',
      ...(end !== null && { end: iso(end) }),
      tasks,
      ...proved(leaf(`epoch/${number}`)),
    },
  };
};

/** What an enterprise has at stake, and to its credit; nothing while there is nothing. */
const enterpriseStanding = (state: Sources['state'], address: string) => {
  const [bonded, credits, offences] = [
    bondedBy(state, 'enterprise', address),
    creditOf(state, address),
    state.get('conduct', address)?.offences,
  ];
  return {
    ...(bonded > 0n && { bonded: formatSym(bonded) }),
    ...(credits > 0n && { credits: formatSym(credits) }),
    ...(offences !== undefined && { offences }),
  };
};

const actor = ({ genesis, state, leaf }: Sources, name: string): Wanted | undefined => {
  const listed = genesis.actors.find((a) => actorName(a) === name);
  const record = listed && state.get('actor', listed.address);
  if (!record) return undefined;
  const { address, publicKey, role, enterprise, kubernetesUsers } = record;
  return {
    labels: { 'scp.symphony.foundation/role': role },
    spec: {
      address,
      publicKey,
      role,
      displayName: record.name,
      kubernetesUsers,
      ...(enterprise && { enterprise: { namespace: enterprise.namespace, contributesCompute: enterprise.contributesCompute } }),
    },
    status: {
      observedGeneration: 1,
      state: record.state,
      ...(enterprise && enterpriseStanding(state, address)),
      ...proved(leaf(`actor/${address}`)),
    },
  };
};

const domain = ({ genesis, state, leaf }: Sources, name: string): Wanted | undefined => {
  const found = catalogueInForce(state).domains.find((d) => catalogueName(d.name) === name);
  return (
    found && {
      spec: found,
      status: {
        observedGeneration: 1,
        vaults: (state.get('index', joinedIndex(found.name)) ?? []).length,
        odometers: odometersOf(state, found, genesis.policy),
        ...proved(leaf(`domain/${found.name}`)),
      },
    }
  );
};
/** S1: where it is in its life, under the version in force; its leaf says which definition the masters certified. */
const attributeStatus = ({ state, leaf }: Sources, key: string, life: string): Wanted['status'] => ({
  observedGeneration: 1,
  state: life,
  semanticVersion: state.must('meta').semanticVersion,
  ...proved(leaf(key)),
});
const canonicalAttribute = (sources: Sources, name: string): Wanted | undefined => {
  const found = catalogueInForce(sources.state).canonicalAttributes.find((a) => catalogueName(a.name) === name);
  if (!found) return undefined;
  const { state, ...spec } = found;
  return { spec, status: attributeStatus(sources, `canonical/${found.name}`, state) };
};
/** S3: `NAMESPACE.VAULT--NAME`, which no name of the catalogue becomes: theirs have no two dashes in a row, an own name has none. */
export const ownObjectName = (vault: string, name: string): string => `${vault.replace('/', '.')}--${catalogueName(name)}`;
const ownAttribute = ({ state, leaf }: Sources, objectName: string): Wanted | undefined => {
  const at = objectName.lastIndexOf('--');
  const vault = objectName.slice(0, at).replace('.', '/');
  const found = state.get('own', vault)?.attributes.find(({ definition }) => ownObjectName(vault, definition.name) === objectName);
  const life = found && stateIn(found, state.must('meta').epoch);
  const derived = found && life && ownDerived(vault, found.definition, life);
  if (derived === undefined || typeof derived === 'string') return undefined;
  const { state: _state, derivation, ...rest } = derived.attribute;
  return {
    spec: { ...rest, vault, derivation: { ...flatRule(derivation), from: found!.definition.local } },
    status: { observedGeneration: 1, state: life!, ...proved(leaf(`own/${vault}`)) },
  };
};
const queryAttribute = (sources: Sources, name: string): Wanted | undefined => {
  if (name.includes('--')) return ownAttribute(sources, name);
  const found = catalogueInForce(sources.state).queryAttributes.find((a) => catalogueName(a.name) === name);
  if (!found) return undefined;
  const { state, derivation, ...rest } = found;
  return { spec: { ...rest, derivation: flatRule(derivation) }, status: attributeStatus(sources, `attribute/${found.name}`, state) };
};

const builders: { readonly [K in ClusterKind]: (sources: Sources, name: string) => Wanted | undefined } = {
  PolicyVersion: policyVersion,
  Epoch: epoch,
  Settlement: settlementObject,
  Actor: actor,
  Domain: domain,
  CanonicalAttribute: canonicalAttribute,
  QueryAttribute: queryAttribute,
};
/** What the object of that name should be; undefined when there should be none. */
export const wantedObject = (sources: Sources, kind: ClusterKind, name: string): Wanted | undefined => builders[kind](sources, name);

const numbers = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);

/** Names of all objects that should exist now. */
export const wantedNames = ({ genesis, state }: Sources): readonly (readonly [ClusterKind, string])[] => {
  const { epoch: current } = state.must('meta');
  return [
    ['PolicyVersion', `v${genesis.policy.version}`],
    ...numbers(Math.max(0, current - SHOWN.epochs + 1), current).map((n) => ['Epoch', `epoch-${n}`] as const),
    ...settlementNames(state).map((name) => ['Settlement', name] as const),
    ...genesis.actors.map((a) => ['Actor', actorName(a)] as const),
    ...catalogueNames(state),
    ...ownNames(state),
  ];
};
const domainNames = (state: State) => catalogueInForce(state).domains.map((d) => ['Domain', catalogueName(d.name)] as const);
const ownNamesOf = (state: State, vault: string) => {
  const { epoch } = state.must('meta');
  const shown = state.get('own', vault)?.attributes.filter((record) => stateIn(record, epoch) !== undefined) ?? [];
  return shown.map(({ definition }) => ['QueryAttribute', ownObjectName(vault, definition.name)] as const);
};
const ownNames = (state: State): readonly (readonly [ClusterKind, string])[] => {
  const joined = catalogueInForce(state).domains.flatMap(({ name }) => state.get('index', joinedIndex(name)) ?? []);
  return [...new Set(joined)].flatMap((vault) => ownNamesOf(state, vault));
};
const catalogueNames = (state: State): readonly (readonly [ClusterKind, string])[] => [
  ...domainNames(state),
  ...catalogueInForce(state).canonicalAttributes.map((a) => ['CanonicalAttribute', catalogueName(a.name)] as const),
  ...catalogueInForce(state).queryAttributes.map((a) => ['QueryAttribute', catalogueName(a.name)] as const),
];

/** The objects that show a record of the state; those of genesis never change. */
export const objectsOfKey = (
  key: string,
  { genesis, state }: Pick<Sources, 'genesis' | 'state'>,
): readonly (readonly [ClusterKind, string])[] => {
  const slash = key.indexOf('/');
  const [kind, name] = [key.slice(0, slash), key.slice(slash + 1)];
  // S3: what Vaults said of their own attributes begins with it.
  if (kind === 'epoch') return [['Epoch', `epoch-${name}`], ...ownNames(state)];
  if (kind === 'own') return ownNamesOf(state, name);
  if (kind === 'settlement') return [['Settlement', `settlement-${name}`]];
  const holder =
    kind === 'actor' || kind === 'credit' || kind === 'conduct' ? name : kind === 'bond' ? name.replace(/^enterprise\//, '') : undefined;
  if (holder !== undefined) return genesis.actors.filter((a) => a.address === holder).map((a) => ['Actor', actorName(a)] as const);
  if (kind === 'odometer') return [['Domain', catalogueName(name.slice(name.lastIndexOf('/') + 1))]];
  if (kind === 'vault' || kind === 'replenishment') return domainNames(state);
  // A change of the catalogue: all of it is of another semantic version from then on.
  return kind === 'semantics' ? catalogueNames(state) : [];
};
