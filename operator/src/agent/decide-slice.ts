/**
 * What to do for a Slice: pure. A slice's pod lives while its task is dispatched; if it is gone (deleted, evicted, its node
 * lost) another takes its place: the Vault hands out what it stored, so nothing is computed or charged twice (B6).
 */
import type { Slice, SliceStatus, TaskRecord } from '@scs/protocol';
import { setCondition, type Condition } from '../kube/conditions.ts';
import type { Pod } from '../kube/objects.ts';
import { podTrouble } from './pod-trouble.ts';
import { sliceName } from './slice-objects.ts';

export interface SliceInput {
  readonly slice: Slice;
  /** The certified record; undefined when two masters know of none. */
  readonly record: TaskRecord | undefined;
  readonly enterprise: string;
  /** Newest pod of the slice that is ours. */
  readonly pod: Pod | undefined;
  /** Whether the pod was made from other images than the agent would use now. */
  readonly outdated?: boolean;
  /** Civil time before which no further attempt is made. */
  readonly notBefore: number;
}
export interface SliceDecision {
  readonly status: SliceStatus;
  readonly pod: 'create' | 'delete' | 'keep';
  readonly deleteSlice: boolean;
  readonly attempt: number;
  readonly requeueAfterMs: number | undefined;
}
const TERMINAL: ReadonlySet<string> = new Set(['completed', 'rejected', 'timed_out']);

export const decideSlice = (input: SliceInput, now: number): SliceDecision => {
  const { slice, record, pod, notBefore } = input;
  const attempt = slice.status?.attempt ?? 0;
  // Whoever may write Slices can't make this enterprise run anything: only a certified task counts (N10).
  if (!record)
    return decision(
      input,
      now,
      { state: 'Failed', reason: 'TaskUnknown', message: 'The masters certify no such task.' },
      'delete',
      attempt,
      undefined,
    );
  // Of each part there is one Slice, with one name: copies of it would run enclaves that push each other out.
  if (slice.metadata.name !== sliceName(record, slice.spec.role === 'aggregator' ? undefined : slice.spec.vault))
    return decision(
      input,
      now,
      { state: 'Failed', reason: 'NotOurs', message: 'The agent did not make this Slice. Delete it; the agent makes what tasks need.' },
      'delete',
      attempt,
      undefined,
    );
  if (!isWanted(input, record))
    return decision(
      input,
      now,
      { state: 'Done', reason: 'TaskMovedOn', message: `The task is ${record.state}.` },
      'delete',
      attempt,
      undefined,
      TERMINAL.has(record.state),
    );
  if (pod && isOver(pod)) {
    const trouble = podTrouble(pod) ?? { reason: 'PodEnded', message: 'The pod ended while its task still runs.' };
    return decision(input, now, { state: 'Failed', ...trouble }, 'delete', attempt, 1_000);
  }
  // What never started may have an image that doesn't exist: the mended one takes its place.
  if (pod && input.outdated && pod.status?.phase === 'Pending')
    return decision(
      input,
      now,
      { state: 'Pending', reason: 'ImagesChanged', message: 'The pod is made again with the images set now.' },
      'delete',
      attempt,
      1_000,
    );
  if (pod) return decision(input, now, runningState(input, pod), 'keep', attempt, undefined);
  if (now < notBefore)
    return decision(
      input,
      now,
      { state: 'Pending', reason: 'BackingOff', message: 'The pod is gone; another follows.' },
      'keep',
      attempt,
      notBefore - now,
    );
  return decision(
    input,
    now,
    { state: 'Pending', reason: 'PodCreated', message: 'The pod is being created.' },
    'create',
    attempt + 1,
    undefined,
  );
};

/** A slice is wanted while its task is dispatched and the Vault's part, or the aggregation, is still this enterprise's. */
const isWanted = ({ slice, enterprise }: SliceInput, record: TaskRecord): boolean => {
  if (record.state !== 'dispatched' || record.uid !== slice.spec.taskUid) return false;
  if (slice.spec.role === 'aggregator') return record.aggregators?.[record.aggregator ?? 0] === enterprise;
  const part = record.parts.find((p) => p.vault === `${slice.metadata.namespace}/${slice.spec.vault}`);
  return part !== undefined && ['reserved', 'ready', 'released'].includes(part.state);
};

/** It has ended, or is about to. */
export const isOver = (pod: Pod): boolean =>
  pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded' || pod.metadata.deletionTimestamp !== undefined;

const runningState = ({ slice, record }: SliceInput, pod: Pod): Finding => {
  const trouble = podTrouble(pod);
  if (trouble) return { state: 'Pending', ...trouble };
  if (pod.status?.phase !== 'Running') return { state: 'Pending', reason: 'PodStarting', message: 'The pod is starting.' };
  const part = record?.parts.find((p) => p.vault === `${slice.metadata.namespace}/${slice.spec.vault}`);
  if (part?.state === 'released')
    return { state: 'Released', reason: 'OutputReleased', message: 'The output was released and is sealed to the aggregator.' };
  const enclave = slice.spec.role === 'aggregator' ? record?.aggregatorEnclave : part?.enclave;
  return enclave
    ? { state: 'Running', reason: 'EnclaveReady', message: 'The enclave is attested and works.' }
    : { state: 'Attesting', reason: 'WaitingForAttestation', message: 'The masters have not decided the attestation yet.' };
};

interface Finding {
  readonly state: NonNullable<SliceStatus['state']>;
  readonly reason: string;
  readonly message: string;
}
const decision = (
  input: SliceInput,
  now: number,
  finding: Finding,
  pod: SliceDecision['pod'],
  attempt: number,
  requeueAfterMs: number | undefined,
  deleteSlice = false,
): SliceDecision => {
  const healthy = finding.state === 'Running' || finding.state === 'Released' || finding.state === 'Done';
  return {
    status: {
      state: finding.state,
      reason: finding.reason,
      message: finding.message.slice(0, 1024),
      attempt,
      ...(pod !== 'delete' && attempt > 0 && { pod: `${input.slice.metadata.name}-${attempt}` }),
      observedGeneration: input.slice.metadata.generation ?? 0,
      conditions: setCondition(
        input.slice.status?.conditions as Condition[] | undefined,
        {
          type: 'Running',
          status: healthy ? 'True' : 'False',
          reason: finding.reason,
          message: finding.message.slice(0, 1024),
          observedGeneration: input.slice.metadata.generation ?? 0,
        },
        now,
      ),
    },
    pod,
    deleteSlice,
    attempt,
    requeueAfterMs,
  };
};
