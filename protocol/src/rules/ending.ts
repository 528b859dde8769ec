/**
 * How a task ends without a result (rules T3, K10, B2): reservations go back, locks are freed, and what output left is charged
 * and settles in a batch like any other task, the state unchanged.
 */
import type { Rejection } from '../rejection.ts';
import type { TaskRecord, VaultPart } from '../state.ts';
import { policyOf, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { changeLock } from './escrow.ts';
import { moved, saveTask } from './lifecycle.ts';
import { settleOdometers } from './odometer.ts';
import { failedPrice } from './pricing.ts';
import { readyToSettle } from './ready.ts';

/** Whether the odometer still holds a reservation for this part. */
const holdsReservation = ({ state }: VaultPart): boolean => state === 'asked' || state === 'reserved' || state === 'ready';

/** Gives a part's reservation back, and says how the part ended. Parts that hold none stay as they are. */
export const withoutReservation = (draft: Draft, task: TaskRecord, part: VaultPart, end: 'refused' | 'late' | 'absent'): VaultPart => {
  if (!holdsReservation(part)) return part;
  const plan = task.plan!;
  settleOdometers(
    draft,
    { vault: part.vault, plan },
    { actor: task.spec.submitter, epoch: task.reservedEpoch!, reserved: plan.microRho, spent: 0n },
  );
  return { ...part, state: end };
};

export const isReleased = ({ state }: VaultPart): boolean => state === 'released';

/** Ends the task as rejected or timed_out; the rejection says why, in both cases. */
export const endTask = (draft: Draft, task: TaskRecord, to: 'rejected' | 'timed_out', rejection: Rejection, ctx: RuleContext): void => {
  const policy = policyOf(ctx.genesis, task.policyVersion);
  const charge = task.plan ? failedPrice(policy, task.parts.filter(isReleased), task.plan.epsilon) : 0n;
  const parts = task.parts.map((part) => withoutReservation(draft, task, part, part.state === 'asked' ? 'absent' : 'late'));
  changeLock(draft, task.spec.submitter, charge - task.locked);
  const ended: TaskRecord = { ...moved({ ...task, parts }, to, ctx, rejection.code), rejection, charge, locked: charge };
  if (charge === 0n) saveTask(draft, ended);
  else readyToSettle(draft, { ...ended, verifiedEpoch: draft.must('meta').epoch }, ctx);
};
