/**
 * Tasks that may enter a settlement batch (rule P1): a queue an epoch, in the order in which their windows ended. The epoch is
 * the one open when the task was verified, or when it ended with a charge (K10).
 */
import type { Policy } from '../policy.ts';
import type { TaskRecord } from '../state.ts';
import type { RuleContext } from './context.ts';
import type { Draft, Readable } from './draft.ts';
import { dequeue, enqueue, firstItems, queueLength } from './queue.ts';
import { saveTask } from './lifecycle.ts';

/** Index of the epochs with waiting tasks, ascending; few, since a task waits for a window and a delay only. */
const READY = 'ready';
const queueOf = (epoch: number): string => `ready/${epoch}`;

/** P1: the next batch collects as soon as a task waits. */
export const collect = (draft: Draft, epoch: number): void => {
  const { nextBatch: number } = draft.must('meta');
  if (!draft.get('settlement', String(number))) draft.put('settlement', String(number), { number, epoch, tasks: [], state: 'collecting' });
};

export const readyToSettle = (draft: Draft, task: TaskRecord, ctx: RuleContext): void => {
  const epoch = task.verifiedEpoch!;
  const epochs = draft.get('index', READY) ?? [];
  if (!epochs.includes(String(epoch)))
    draft.put(
      'index',
      READY,
      [...epochs, String(epoch)].toSorted((a, b) => Number(a) - Number(b)),
    );
  enqueue(draft, queueOf(epoch), [task.uid, String(ctx.time)]);
  collect(draft, epoch);
  saveTask(draft, { ...task, readyAt: ctx.time });
};

export interface Waiting {
  readonly epoch: number;
  /** Log time in milliseconds at which its batch is due: at once when it is full, else a delay after its first task. */
  readonly due: number;
}
/** The waiting epoch whose batch is due first; undefined when no task waits. */
export const nextWaiting = (state: Readable, policy: Policy): Waiting | undefined => {
  const waiting = (state.get('index', READY) ?? []).map(Number).map((epoch): Waiting => {
    const since = Number(firstItems(state, queueOf(epoch), 1)[0]![1]);
    const full = queueLength(state, queueOf(epoch)) >= policy.settlement.maxTasks;
    return { epoch, due: full ? since : since + policy.settlement.maxDelayMs };
  });
  return waiting.toSorted((a, b) => a.due - b.due || a.epoch - b.epoch)[0];
};

export const waitingCount = (state: Readable, epoch: number): number => queueLength(state, queueOf(epoch));

export const waitingTasks = (state: Readable, epoch: number, limit: number): readonly TaskRecord[] =>
  firstItems(state, queueOf(epoch), limit).map(([uid]) => state.must('task', uid!));

export const takeReady = (draft: Draft, epoch: number, count: number): void => {
  dequeue(draft, queueOf(epoch), count);
  if (queueLength(draft, queueOf(epoch)) > 0) return;
  const left = draft.must('index', READY).filter((e) => e !== String(epoch));
  if (left.length > 0) draft.put('index', READY, left);
  else draft.drop('index', READY);
};
