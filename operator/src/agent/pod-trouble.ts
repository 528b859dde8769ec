/** Why a pod isn't running, in its own words where Kubernetes has any: one reason, one sentence. */
import type { Pod } from '../kube/objects.ts';

export interface Trouble {
  readonly reason: string;
  readonly message: string;
}

const TEE_ADVICE =
  'Slices run on nodes with feature.node.kubernetes.io/cpu-security.sev.snp.enabled=true or cpu-security.tdx.enabled=true only.';

/** undefined when all is well, or nothing is known yet. */
export const podTrouble = (pod: Pod | undefined): Trouble | undefined => {
  if (!pod?.status) return undefined;
  return unschedulable(pod) ?? waiting(pod) ?? failed(pod);
};

const unschedulable = (pod: Pod): Trouble | undefined => {
  const condition = pod.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False');
  if (!condition) return undefined;
  const advice = pod.metadata.labels?.['app.kubernetes.io/name'] === 'scs-slice' ? ` ${TEE_ADVICE}` : '';
  return {
    reason: condition.reason ?? 'Unschedulable',
    message: `${(condition.message ?? 'No node takes the pod.').slice(0, 600)}${advice}`,
  };
};

const statuses = (pod: Pod) => [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];

const waiting = (pod: Pod): Trouble | undefined => {
  for (const { name, state, lastState } of statuses(pod)) {
    const reason = state?.waiting?.reason;
    if (!reason || reason === 'PodInitializing' || reason === 'ContainerCreating') continue;
    const said = lastState?.terminated?.message?.trim();
    return { reason, message: `Container ${name}: ${said || state?.waiting?.message || reason}`.slice(0, 800) };
  }
  return undefined;
};

const failed = (pod: Pod): Trouble | undefined => {
  if (pod.status?.phase !== 'Failed') return undefined;
  const ended = statuses(pod).find((s) => s.state?.terminated && s.state.terminated.exitCode !== 0);
  const message = ended?.state?.terminated?.message?.trim() || pod.status.message || 'The pod failed.';
  return { reason: pod.status.reason ?? 'PodFailed', message: message.slice(0, 800) };
};
