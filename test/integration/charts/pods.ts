/** Every kind of pod that we run: those of the rendered charts, and those that an agent makes. */
import type { Slice, Vault } from '@scs/protocol';
import { actorKey, digestOf } from '@scs/protocol/testing/keys.ts';
import { readConfig } from '@scs/operator/agent/config.ts';
import { slicePod } from '@scs/operator/agent/slice-objects.ts';
import { vaultStatefulSet } from '@scs/operator/agent/vault-objects.ts';
import type { KubeObject, Pod, StatefulSet } from '@scs/operator/kube/objects.ts';
import type { Rendered } from './helm.ts';

const apiVersion = 'scp.symphony.foundation/v1alpha1';
export const aVault: Vault = {
  apiVersion,
  kind: 'Vault',
  metadata: { namespace: 'alder', name: 'shoppers', uid: 'v1' },
  spec: {
    enterprise: actorKey('alder').address,
    domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['query'] }],
    actors: [],
    sizeBand: 1,
    measurements: [],
    limits: [],
    storage: { size: '1Gi' },
    sources: [],
    attributes: [],
    quotas: [],
  },
};
const aSlice = (role: 'slice' | 'aggregator'): Slice => ({
  apiVersion,
  kind: 'Slice',
  metadata: { namespace: 'alder', name: role, uid: 's1' },
  spec: {
    taskUid: 'u1',
    taskName: 'coffee',
    taskNamespace: 'retail',
    role,
    ...(role === 'slice' && { vault: 'shoppers' }),
    envelopeDigest: digestOf('envelope'),
    deadline: '2030-01-01T00:00:00Z',
  },
});

/** The agent's settings as the chart gives them. */
export const configOf = (rendered: readonly Rendered[]) => {
  const agent = rendered.find((object) => object.kind === 'Deployment' && object.metadata.name === 'scs-agent');
  if (!agent) throw new Error('no agent is rendered');
  const { template } = agent.spec as { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
  return readConfig(Object.fromEntries((template.spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value])));
};

type Template = { metadata: { labels: Record<string, string> }; spec: NonNullable<Pod['spec']> };
const isController = (object: KubeObject): object is Rendered => object.kind === 'StatefulSet' || object.kind === 'Deployment';

/** The pod that a controller would make, with its claims as plain volumes. */
const podOf = (controller: Rendered | StatefulSet): Pod => {
  const { template, volumeClaimTemplates = [] } = controller.spec as {
    template: Template;
    volumeClaimTemplates?: { metadata: { name: string } }[];
  };
  const claims = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} }));
  const { serviceAccountName: _, ...spec } = template.spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: controller.metadata.name, labels: template.metadata.labels },
    spec: { ...spec, automountServiceAccountToken: false, volumes: [...(spec.volumes ?? []), ...claims] },
  };
};

export const podsOf = (rendered: readonly Rendered[]): Pod[] => {
  const config = configOf(rendered);
  const slices = (['slice', 'aggregator'] as const).map((role) => {
    const pod = slicePod(aSlice(role), 1, config, actorKey('alder').address, true);
    return { ...pod, metadata: { name: role, labels: pod.metadata.labels! } };
  });
  return [...rendered.filter(isController).map(podOf), podOf(vaultStatefulSet(aVault, config)), ...slices];
};
