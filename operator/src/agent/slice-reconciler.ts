/** Tasks to Slices, Slices to pods: gather -> decide -> act (rules N10, M1). */
import { API_VERSION, type Slice, type TaskRecord } from '@scs/protocol';
import type { Cluster } from '../kube/client.ts';
import { isApiError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import * as kinds from '../kube/kinds.ts';
import type { OwnerReference, Pod } from '../kube/objects.ts';
import { ownerUid } from '../kube/owner.ts';
import { sameJson } from '../kube/same-json.ts';
import type { Requeue } from '../kube/work-queue.ts';
import type { AgentConfig } from './config.ts';
import { decideSlice, isOver } from './decide-slice.ts';
import { hasOtherImages, podName, SLICE_LABEL, sliceName, sliceObject, slicePod } from './slice-objects.ts';
import type { CertifiedTasks } from './tasks.ts';

export interface SliceContext {
  readonly cluster: Pick<Cluster, 'get' | 'apply' | 'applyStatus' | 'create' | 'delete'>;
  readonly config: AgentConfig;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly tasks: Pick<CertifiedTasks, 'find'>;
  readonly enterprise: string;
  readonly simulated: boolean;
  readonly owner: OwnerReference;
  readonly now: () => number;
  readonly slices: () => readonly Slice[];
  readonly pods: () => readonly Pod[];
}
/** Slices are looked at again this often while their task runs: deadlines and aggregators change without them. */
const RECHECK_MS = 15_000;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

/** Makes the Slices that a certified, dispatched task asks of this enterprise. */
export const reconcileTask = async (
  { cluster, config, enterprise, owner, slices }: SliceContext,
  record: TaskRecord,
  signal: AbortSignal,
): Promise<void> => {
  if (record.state !== 'dispatched' || !record.envelope) return;
  const existing = new Set(
    slices()
      .filter((s) => s.spec.taskUid === record.uid)
      .map((s) => s.metadata.name),
  );
  const ours = record.parts
    .filter((p) => p.vault.startsWith(`${config.namespace}/`) && ['reserved', 'ready', 'released'].includes(p.state))
    .map((p) => p.vault.slice(config.namespace.length + 1));
  for (const vault of ours)
    if (!existing.has(sliceName(record, vault)))
      await cluster.apply(sliceObject(config.namespace, record, 'slice', vault, owner), { signal });
  if (record.aggregators?.[record.aggregator ?? 0] === enterprise && !existing.has(sliceName(record, undefined)))
    await cluster.apply(sliceObject(config.namespace, record, 'aggregator', undefined, owner), { signal });
};

export class SliceReconciler {
  readonly #context: SliceContext;
  /** Civil time of the next attempt, by the Slice's uid. */
  readonly #notBefore = new Map<string, number>();
  constructor(context: SliceContext) {
    this.#context = context;
  }

  async reconcile(slice: Slice, signal: AbortSignal): Promise<Requeue> {
    const { cluster, tasks, enterprise, now, config, simulated } = this.#context;
    if (slice.metadata.deletionTimestamp) return {};
    const uid = slice.metadata.uid!;
    const pods = this.#context.pods().filter((p) => p.metadata.labels?.[SLICE_LABEL] === slice.metadata.name && ownerUid(p) === uid);
    const pod = pods.toSorted((a, b) => attemptOf(b) - attemptOf(a))[0];
    const task = await tasks.find(slice.spec.taskUid, signal);
    const decision = decideSlice(
      {
        slice,
        record: task?.record,
        enterprise,
        pod,
        outdated: pod !== undefined && hasOtherImages(pod, config),
        notBefore: this.#notBefore.get(uid) ?? 0,
      },
      now(),
    );
    if (decision.pod === 'create' && (await this.#lives(slice, decision.attempt - 1, signal))) return { requeueAfterMs: FIRST_BACKOFF_MS };
    if (decision.pod === 'create')
      await this.#create(slicePod(slice, decision.attempt, config, enterprise, simulated), uid, decision.attempt, signal);
    if (decision.pod === 'delete') for (const old of pods) await deletePod(cluster, old, signal);
    await this.#writeStatus(slice, decision.status);
    if (decision.deleteSlice) {
      this.#notBefore.delete(uid);
      await cluster.delete(
        { kind: kinds.scpKind('Slice'), namespace: slice.metadata.namespace!, name: slice.metadata.name },
        { uid, signal },
      );
      return {};
    }
    return { requeueAfterMs: decision.requeueAfterMs ?? RECHECK_MS };
  }

  /** What we watch may lag behind a busy API server: it is asked itself whether the pod made last is really gone. */
  async #lives(slice: Slice, attempt: number, signal: AbortSignal): Promise<boolean> {
    if (attempt < 1) return false;
    const { name, namespace, uid } = slice.metadata;
    const pod = await this.#context.cluster.get<Pod>({ kind: kinds.Pod, namespace: namespace!, name: podName(name, attempt) }, { signal });
    return pod !== undefined && ownerUid(pod) === uid && !isOver(pod);
  }

  async #create(pod: Pod, uid: string, attempt: number, signal: AbortSignal): Promise<void> {
    this.#notBefore.set(uid, this.#context.now() + Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(attempt - 1, 10)));
    try {
      await this.#context.cluster.create(pod, { signal });
    } catch (thrown) {
      // Our own, made before an answer got lost; or somebody else's name, which the next attempt avoids.
      if (!isApiError(thrown, 'AlreadyExists')) throw thrown;
    }
  }

  async #writeStatus(slice: Slice, status: NonNullable<Slice['status']>): Promise<void> {
    if (sameJson(slice.status, status)) return;
    const { name, namespace, uid } = slice.metadata;
    try {
      await this.#context.cluster.applyStatus({
        apiVersion: API_VERSION,
        kind: 'Slice',
        metadata: { name, namespace: namespace! },
        status,
      });
    } catch (thrown) {
      if (isApiError(thrown, 'NotFound')) return;
      throw thrown;
    }
    if (slice.status?.reason === status.reason) return;
    this.#context.events.record({
      regarding: { apiVersion: API_VERSION, kind: 'Slice', metadata: { name, namespace: namespace!, uid: uid! } },
      type:
        status.state === 'Failed' || (status.state === 'Pending' && status.reason !== 'PodCreated' && status.reason !== 'PodStarting')
          ? 'Warning'
          : 'Normal',
      reason: status.reason ?? 'Unknown',
      action: 'Reconcile',
      note: status.message ?? '',
    });
  }
}

const attemptOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? 0);
const deletePod = async (cluster: Pick<Cluster, 'delete'>, pod: Pod, signal: AbortSignal): Promise<void> => {
  if (pod.metadata.deletionTimestamp) return;
  await cluster.delete(
    { kind: kinds.Pod, namespace: pod.metadata.namespace!, name: pod.metadata.name },
    { uid: pod.metadata.uid!, signal },
  );
};
