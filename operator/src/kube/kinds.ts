import type { KubeObject } from './objects.ts';

/** Where the API server keeps a kind of object. */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** One object: its kind, name, and namespace where the kind has one. */
export interface ObjectRef {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly namespace?: string;
}

const inNamespace = (group: string, version: string, plural: string, kind: string): ResourceKind => ({
  group,
  version,
  plural,
  kind,
  namespaced: true,
});
const inCluster = (group: string, version: string, plural: string, kind: string): ResourceKind => ({
  group,
  version,
  plural,
  kind,
  namespaced: false,
});

export const Pod = inNamespace('', 'v1', 'pods', 'Pod');
export const ConfigMap = inNamespace('', 'v1', 'configmaps', 'ConfigMap');
export const Secret = inNamespace('', 'v1', 'secrets', 'Secret');
export const Service = inNamespace('', 'v1', 'services', 'Service');
export const PersistentVolumeClaim = inNamespace('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim');
export const Namespace = inCluster('', 'v1', 'namespaces', 'Namespace');
export const Node = inCluster('', 'v1', 'nodes', 'Node');
export const StatefulSet = inNamespace('apps', 'v1', 'statefulsets', 'StatefulSet');
export const NetworkPolicy = inNamespace('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy');
export const Event = inNamespace('events.k8s.io', 'v1', 'events', 'Event');
export const CustomResourceDefinition = inCluster('apiextensions.k8s.io', 'v1', 'customresourcedefinitions', 'CustomResourceDefinition');

export const scpGroup = 'scp.symphony.foundation';
export const scpVersion = 'v1alpha1';

/** Task, Vault and Slice live in namespaces; all the others are projections for the whole cluster (G7). */
const scpKinds = {
  Task: inNamespace(scpGroup, scpVersion, 'tasks', 'Task'),
  Vault: inNamespace(scpGroup, scpVersion, 'vaults', 'Vault'),
  Slice: inNamespace(scpGroup, scpVersion, 'slices', 'Slice'),
  PolicyVersion: inCluster(scpGroup, scpVersion, 'policyversions', 'PolicyVersion'),
  Epoch: inCluster(scpGroup, scpVersion, 'epochs', 'Epoch'),
  Settlement: inCluster(scpGroup, scpVersion, 'settlements', 'Settlement'),
  Actor: inCluster(scpGroup, scpVersion, 'actors', 'Actor'),
  Domain: inCluster(scpGroup, scpVersion, 'domains', 'Domain'),
  CanonicalAttribute: inCluster(scpGroup, scpVersion, 'canonicalattributes', 'CanonicalAttribute'),
  QueryAttribute: inCluster(scpGroup, scpVersion, 'queryattributes', 'QueryAttribute'),
} as const;
export type ScpKind = keyof typeof scpKinds;
export const scpKind = (kind: ScpKind): ResourceKind => scpKinds[kind];

const known: readonly ResourceKind[] = [
  Pod,
  ConfigMap,
  Secret,
  Service,
  PersistentVolumeClaim,
  Namespace,
  Node,
  StatefulSet,
  NetworkPolicy,
  Event,
  CustomResourceDefinition,
  ...Object.values(scpKinds),
];

export const apiVersionOf = ({ group, version }: ResourceKind): string => (group === '' ? version : `${group}/${version}`);

/** The kind of an object that names its apiVersion and kind. Throws a TypeError for a kind not listed above: a mistake in our code. */
export function kindOf(object: KubeObject): ResourceKind {
  const kind = known.find((k) => k.kind === object.kind && apiVersionOf(k) === object.apiVersion);
  if (kind === undefined) throw new TypeError(`no ResourceKind is known for ${object.apiVersion ?? '?'} ${object.kind ?? '?'}`);
  return kind;
}

export const refOf = (object: KubeObject, kind: ResourceKind = kindOf(object)): ObjectRef => ({
  kind,
  name: object.metadata.name,
  ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
});

/** DNS-like names only: nothing that could walk to another path. */
const segment = (name: string): string => {
  if (name === '' || name === '.' || name === '..') throw new TypeError('an object needs a name');
  return encodeURIComponent(name);
};

/** URL path of a collection; without a namespace, of all namespaces. */
export function collectionPath(kind: ResourceKind, namespace?: string): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  return kind.namespaced && namespace !== undefined ? `${root}/namespaces/${segment(namespace)}/${kind.plural}` : `${root}/${kind.plural}`;
}

/** URL path of one object, or of its subresource. Throws a TypeError if the namespace is missing. */
export function objectPath({ kind, name, namespace }: ObjectRef, subresource?: 'status' | 'eviction'): string {
  if (kind.namespaced && namespace === undefined) throw new TypeError(`${kind.kind} ${name} needs a namespace`);
  const path = `${collectionPath(kind, namespace)}/${segment(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
