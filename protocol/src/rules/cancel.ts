/**
 * task.cancel (rule T4): the Task object is gone. It stops every release not decided before it. With none decided the task is
 * rejected and free; with fewer than the quorum it is rejected and pays for those (K10); else it runs on with what was released.
 */
import { fault, type Fault, type RuleContext } from './context.ts';
import type { TaskRecord } from '../state.ts';
import type { Draft } from './draft.ts';
import { endTask, isReleased } from './ending.ts';
import { isTerminal, saveTask } from './lifecycle.ts';
import { fixSurvivors } from './release.ts';

const mustEnd = (task: TaskRecord): boolean => {
  if (task.state === 'accepted' || task.state === 'resolving') return true;
  return task.state === 'dispatched' && !task.survivors && task.parts.filter(isReleased).length < task.spec.coordination.quorum;
};

export const cancelTask = (draft: Draft, uid: string, ctx: RuleContext): Fault | undefined => {
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  if (isTerminal(task.state) || task.cancelRequested) return fault('AlreadyDecided', `task ${uid} is ${task.state}`);
  const cancelled: TaskRecord = { ...task, cancelRequested: true };
  if (mustEnd(task)) endTask(draft, cancelled, 'rejected', { code: 'Cancelled' }, ctx);
  else if (task.state === 'dispatched' && !task.survivors) saveTask(draft, fixSurvivors(draft, cancelled, ctx));
  else saveTask(draft, cancelled);
  return undefined;
};
