/** The baseline: bare Jobs with as many pods as a task has, on the same API server, its controllers, scheduler and fake nodes. */
import { startInformer } from '@scs/operator/kube/informer.ts';
import type { ResourceKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { until } from '../../cluster/api.ts';
import { BARE, type BenchCluster } from './cluster.ts';
import { Lane } from './lane.ts';
import { AT_A_TIME } from './load.ts';

export const PODS = 4;
const Job: ResourceKind = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };
type JobObject = KubeObject & { readonly spec?: unknown; readonly status?: { conditions?: readonly { type: string; status: string }[] } };

const job = (i: number): JobObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: `bench-${i}`, namespace: BARE },
  spec: {
    completions: PODS,
    parallelism: PODS,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'nothing', image: 'scs.local/none' }] } },
  },
});

/** Milliseconds from the first create to the last Job seen complete. */
export const runJobs = async ({ cluster }: Pick<BenchCluster, 'cluster'>, count: number): Promise<number> => {
  const complete = new Set<string>();
  const stopping = new AbortController();
  const informer = startInformer<JobObject>({
    cluster,
    kind: Job,
    namespace: BARE,
    signal: stopping.signal,
    onChange: ({ object: { metadata, status } }) => {
      if (status?.conditions?.some((c) => c.type === 'Complete' && c.status === 'True')) complete.add(metadata.name);
    },
  });
  try {
    await informer.hasSynced();
    const lane = new Lane(AT_A_TIME);
    const start = Date.now();
    await Promise.all(Array.from({ length: count }, (_, i) => lane.run(() => cluster.create(job(i), { kind: Job }))));
    await until(`${count} Jobs to complete`, async () => (complete.size === count ? true : undefined), { timeoutMs: 1_200_000 });
    return Date.now() - start;
  } finally {
    stopping.abort();
  }
};
