import { apiVersionOf, kindOf, scpGroup, type ResourceKind } from './kinds.ts';
import type { KubeObject, OwnerReference } from './objects.ts';

/** Where an owner reference can't reach (another namespace or cluster), this label carries the owner's uid. */
export const ownerUidLabel = `${scpGroup}/owner-uid`;

/** The controller reference to `owner`, which must be cluster-scoped or in the same namespace. Throws a TypeError if it has no uid yet. */
export function ownerReference(owner: KubeObject, kind: ResourceKind = kindOf(owner)): OwnerReference {
  const { name, uid } = owner.metadata;
  if (uid === undefined) throw new TypeError(`${kind.kind} ${name} has no uid: it isn't stored yet`);
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** The link to an owner in another namespace. Throws a TypeError if the owner has no uid yet. */
export function ownerLabels(owner: KubeObject): Record<string, string> {
  if (owner.metadata.uid === undefined) throw new TypeError(`${owner.metadata.name} has no uid: it isn't stored yet`);
  return { [ownerUidLabel]: owner.metadata.uid };
}

/** The uid of whoever controls the object: by reference, else by our label. */
export const ownerUid = (object: KubeObject): string | undefined =>
  object.metadata.ownerReferences?.find((o) => o.controller === true)?.uid ?? object.metadata.labels?.[ownerUidLabel];

/**
 * Whether an object found under the name we wanted may be taken as ours: it carries our uid and isn't on its way out.
 * A name alone proves nothing: anybody in the namespace may have taken it first.
 */
export const adoptable = (object: KubeObject, uid: string): boolean =>
  object.metadata.deletionTimestamp === undefined && ownerUid(object) === uid;
