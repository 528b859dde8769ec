/**
 * Task lifecycle: rules T2, T3, T4. The table is the rule; nothing else moves a task.
 *
 *   accepted -> resolving -> dispatched -> verifying -> awaiting_settlement -> completed
 *      |           |  |         |  |          |  |              |
 *      rejected    |  timed_out |  timed_out  |  timed_out      challenged -> back, or rejected
 *                  rejected     rejected      challenged
 */
import type { Policy } from '../policy.ts';
import type { TaskState } from '../resources/task.ts';
import type { TaskRecord } from '../state.ts';
import { policyOf, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { addDue, slotTime } from './due-index.ts';
import { withoutAttestations } from './enclave-record.ts';

export const transitions = {
  accepted: ['resolving', 'rejected'],
  resolving: ['dispatched', 'rejected', 'timed_out'],
  dispatched: ['verifying', 'rejected', 'timed_out'],
  verifying: ['awaiting_settlement', 'challenged', 'timed_out'],
  awaiting_settlement: ['completed', 'challenged'],
  challenged: ['verifying', 'awaiting_settlement', 'rejected'],
  completed: [],
  rejected: [],
  timed_out: [],
} as const satisfies Record<TaskState, readonly TaskState[]>;

export const mayMove = (from: TaskState, to: TaskState): boolean => (transitions[from] as readonly TaskState[]).includes(to);
export const isTerminal = (state: TaskState): boolean => transitions[state].length === 0;

/** How long each state may last, milliseconds. `challenged` waits for a review of one challenge window. */
const windowMs: { readonly [S in TaskState]: (policy: Policy) => number } = {
  accepted: (p) => p.windows.answerMs,
  resolving: (p) => p.windows.answerMs,
  dispatched: (p) => p.windows.executionMs,
  verifying: (p) => p.windows.verificationMs,
  awaiting_settlement: (p) => p.windows.challengeMs,
  challenged: (p) => p.windows.challengeMs,
  completed: () => 0,
  rejected: () => 0,
  timed_out: () => 0,
};
/** The task's own end cuts these short; verification and the windows after it run past it (K2: nothing verified is lost). */
const beforeTheEnd: readonly TaskState[] = ['accepted', 'resolving', 'dispatched'];

/** Log time, milliseconds, by which `state`, entered now, ends. */
export const deadlineOf = (state: TaskState, finalDeadline: number, policy: Policy, now: number): number => {
  const end = slotTime(now + windowMs[state](policy));
  return beforeTheEnd.includes(state) ? Math.min(end, finalDeadline) : end;
};

/** The task in its next state, with history and deadline. Throws on a move that the table doesn't list: a fault of the rules. */
export const moved = (task: TaskRecord, to: TaskState, ctx: RuleContext, reason?: string): TaskRecord => {
  if (!mayMove(task.state, to)) throw new Error(`illegal move of task ${task.uid}: ${task.state} -> ${to}`);
  const entry = { state: to, height: ctx.height, time: ctx.time, ...(reason === undefined ? {} : { reason }) };
  const policy = policyOf(ctx.genesis, task.policyVersion);
  const kept = task.state === 'dispatched' ? withoutAttestations(task) : task;
  return { ...kept, state: to, history: [...task.history, entry], deadline: deadlineOf(to, task.finalDeadline, policy, ctx.time) };
};

/** Writes the record; a live task's new deadline goes into the index of what falls due, so that none is forgotten. */
export const saveTask = (draft: Draft, task: TaskRecord): void => {
  const before = draft.get('task', task.uid);
  draft.put('task', task.uid, task);
  if (!isTerminal(task.state) && before?.deadline !== task.deadline) addDue(draft, task.deadline, `task/${task.uid}`);
};
