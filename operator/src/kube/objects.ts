import type {
  EventsV1Event,
  V1ConfigMap,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1PersistentVolumeClaim,
  V1Pod,
  V1Secret,
  V1Service,
  V1StatefulSet,
} from '@kubernetes/client-node';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Object metadata as it comes over the wire: times are RFC 3339 strings. `protocol/`'s resources fit it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** The least that every object has. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** client-node's types promise `Date`; the wire, and so this folder, has strings. */
export type Raw<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Raw<U>[]
    : T extends object
      ? { [K in keyof T]: Raw<T[K]> }
      : T;

/** A typed object of client-node as this folder gives it: raw JSON with metadata. */
export type Wire<T> = Omit<Raw<T>, 'metadata' | 'apiVersion' | 'kind'> & KubeObject;

export type Pod = Wire<V1Pod>;
export type ConfigMap = Wire<V1ConfigMap>;
export type Secret = Wire<V1Secret>;
export type Service = Wire<V1Service>;
export type StatefulSet = Wire<V1StatefulSet>;
export type PersistentVolumeClaim = Wire<V1PersistentVolumeClaim>;
export type NetworkPolicy = Wire<V1NetworkPolicy>;
export type KubeEvent = Wire<EventsV1Event>;
export type Node = Wire<V1Node>;
export type Namespace = Wire<V1Namespace>;
