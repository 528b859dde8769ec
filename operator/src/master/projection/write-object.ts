/** Writing what we own and taking out what others put in (rule G7): server-side apply, and a full update where that leaves a rest. */
import type { Cluster } from '../../kube/client.ts';
import { apiVersionOf, scpKind, type ScpKind } from '../../kube/kinds.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { sameJson } from './same.ts';

export interface ProjectedObject extends KubeObject {
  spec?: object;
  status?: object;
}

/** Status alone, of the object with this uid: another one under its name is a Conflict. */
export const writeStatus = async (cluster: Cluster, kind: ScpKind, found: KubeObject, status: object): Promise<void> => {
  const { name, namespace, uid } = found.metadata;
  const base = { apiVersion: apiVersionOf(scpKind(kind)), kind };
  const metadata = { name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) };
  const written = await cluster.applyStatus<ProjectedObject>({ ...base, metadata, status });
  if (!sameJson(written.status, status)) await cluster.replaceStatus<ProjectedObject>({ ...written, ...base, status });
};

/** Spec and labels; creates the object where there is none. Gives it as stored. */
export const writeSpec = async (
  cluster: Cluster,
  kind: ScpKind,
  name: string,
  spec: object,
  labels: Readonly<Record<string, string>> = {},
): Promise<ProjectedObject> => {
  const base = { apiVersion: apiVersionOf(scpKind(kind)), kind };
  const written = await cluster.apply<ProjectedObject>({ ...base, metadata: { name, labels }, spec });
  return sameJson(written.spec, spec) ? written : cluster.replace<ProjectedObject>({ ...written, ...base, spec });
};
