/**
 * tick (rules T5, M4, G2): what the block's time has passed. Every state has its answer to "and if nobody does anything?":
 *
 *   accepted             rejected                        resolving   dispatched with the quorum, else rejected
 *   dispatched           survivors fixed with the quorum, else rejected; then aggregator after aggregator; at the end timed_out
 *   verifying            awaiting_settlement             awaiting    ready for a batch, which waits on the chain for as long as it takes
 *   challenged           back where it came from
 */
import type { TaskState } from '../resources/task.ts';
import type { TaskRecord } from '../state.ts';
import { nextAggregator, VERIFIED } from './aggregation.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import { proceedToDispatch } from './dispatch.ts';
import type { Draft } from './draft.ts';
import { earliestDue, takeDue } from './due-index.ts';
import { handOver } from './replacement.ts';
import { replenishDue } from './replenishment.ts';
import { endTask, isReleased } from './ending.ts';
import { moved, saveTask } from './lifecycle.ts';
import { closePots } from './dividend-pots.ts';
import { recordEpoch } from './governance-record.ts';
import { noteWork, rewardNodes } from './node-rewards.ts';
import { dequeue, firstItems, queueLength } from './queue.ts';
import { readyToSettle } from './ready.ts';
import { fixSurvivors } from './release.ts';
import { adoptCatalogue } from './semantics.ts';
import { adoptVersion } from './versions.ts';

/** Work of one tick; what is left stays due. Chunks of the due index hold at most 64 entries. */
const MAX_CHUNKS = 8;
const MAX_VERIFIED = 500;

type OnDeadline = (draft: Draft, task: TaskRecord, ctx: RuleContext) => void;

const timeOut = (draft: Draft, task: TaskRecord, waitingFor: string, ctx: RuleContext): void =>
  endTask(draft, task, 'timed_out', { code: 'DeadlineExceeded', waitingFor }, ctx);
const missing = (task: TaskRecord, done: (part: TaskRecord['parts'][number]) => boolean): string =>
  task.parts
    .filter((part) => !done(part))
    .map(({ vault }) => vault)
    .join(', ');

const unresolved: OnDeadline = (draft, task, ctx) =>
  endTask(draft, task, 'rejected', { code: 'DeadlineExceeded', waitingFor: 'its resolution by the masters' }, ctx);

/** Past its own end a task starts nothing new, whoever has answered. */
const unanswered: OnDeadline = (draft, task, ctx) =>
  ctx.time >= task.finalDeadline
    ? timeOut(draft, task, `answers of ${missing(task, ({ state }) => state !== 'asked')}`, ctx)
    : proceedToDispatch(draft, task, ctx);

const unreleased = (draft: Draft, task: TaskRecord, ctx: RuleContext): void => {
  const possible = task.parts.filter(isReleased).length;
  const { quorum } = task.spec.coordination;
  const why = `no output by the deadline from ${missing(task, isReleased)}`;
  if (possible < quorum) endTask(draft, task, 'rejected', { code: 'QuorumUnreachable', quorum, possible, why }, ctx);
  else saveTask(draft, fixSurvivors(draft, task, ctx));
};
const unfinished: OnDeadline = (draft, task, ctx) => {
  if (ctx.time >= task.finalDeadline) {
    const waitingFor = task.survivors ? `the aggregator ${task.aggregators![task.aggregator!]}` : `output of ${missing(task, isReleased)}`;
    return timeOut(draft, task, waitingFor, ctx);
  }
  return task.survivors ? saveTask(draft, nextAggregator(task, ctx)) : unreleased(draft, task, ctx);
};

const verified: OnDeadline = (draft, task, ctx) => {
  const { epoch } = draft.must('meta');
  const record = draft.must('epoch', String(epoch));
  draft.put('epoch', String(epoch), { ...record, tasks: record.tasks + 1 });
  noteWork(draft, task, epoch, ctx);
  saveTask(draft, moved({ ...task, verifiedEpoch: epoch }, 'awaiting_settlement', ctx));
};
const unreviewed: OnDeadline = (draft, task, ctx) => saveTask(draft, moved(task, task.history.at(-2)!.state, ctx));

const onDeadline: { readonly [S in TaskState]?: OnDeadline } = {
  accepted: unresolved,
  resolving: unanswered,
  dispatched: unfinished,
  verifying: verified,
  awaiting_settlement: readyToSettle,
  challenged: unreviewed,
};

/** Entries are not searched for when a task moves on, so one may be out of date: then its task has a later deadline, or none. */
const taskDue = (draft: Draft, uid: string, ctx: RuleContext): void => {
  const task = draft.must('task', uid);
  if (task.deadline > ctx.time || task.readyAt !== undefined) return;
  onDeadline[task.state]?.(draft, task, ctx);
};
const entryDue = (draft: Draft, entry: string, ctx: RuleContext): void => {
  const [kind, name] = [entry.slice(0, entry.indexOf('/')), entry.slice(entry.indexOf('/') + 1)];
  if (kind === 'nonce') draft.drop('nonce', name);
  else taskDue(draft, name, ctx);
};

/** True when something was due. */
const passDeadlines = (draft: Draft, ctx: RuleContext): boolean => {
  for (let chunk = 0; chunk < MAX_CHUNKS; chunk++) {
    const entries = takeDue(draft, ctx.time);
    if (!entries) return chunk > 0;
    for (const entry of entries) entryDue(draft, entry, ctx);
  }
  return true;
};
const handOnVerified = (draft: Draft, ctx: RuleContext): boolean => {
  const items = firstItems(draft, VERIFIED, MAX_VERIFIED);
  if (items.length === 0) return false;
  dequeue(draft, VERIFIED, items.length);
  for (const [uid] of items) {
    const task = draft.must('task', uid!);
    if (task.state === 'verifying') verified(draft, task, ctx);
  }
  return true;
};

/** Log time, milliseconds, at which the epoch closes (G2; by time only, so far). */
export const epochEnd = (state: Pick<Draft, 'must'>, ctx: Pick<RuleContext, 'genesis'>): number => {
  const { epochStart, policyVersion } = state.must('meta');
  return epochStart + policyOf(ctx.genesis, policyVersion).epoch.lengthMs;
};
const closeEpoch = (draft: Draft, ctx: RuleContext): boolean => {
  if (ctx.time < epochEnd(draft, ctx)) return false;
  const meta = draft.must('meta');
  const next = meta.epoch + 1;
  draft.put('epoch', String(meta.epoch), { ...draft.must('epoch', String(meta.epoch)), end: ctx.time });
  draft.put('epoch', String(next), { number: next, start: ctx.time, end: null, policyVersion: meta.policyVersion, tasks: 0 });
  draft.put('meta', '', { ...meta, epoch: next, epochStart: ctx.time });
  adoptCatalogue(draft);
  adoptVersion(draft);
  replenishDue(draft, meta.epoch, ctx);
  rewardNodes(draft, meta.epoch, ctx);
  closePots(draft, meta.epoch);
  recordEpoch(draft, meta.epoch, ctx);
  handOver(draft, ctx);
  return true;
};

/** When a tick has work at all, milliseconds; `now` when something waits already. */
export const nextTick = (state: Pick<Draft, 'get' | 'must'>, ctx: Pick<RuleContext, 'genesis'>, now: number): number => {
  if (queueLength(state, VERIFIED) > 0) return now;
  return Math.min(earliestDue(state) ?? Infinity, epochEnd(state, ctx));
};

export const tick = (draft: Draft, ctx: RuleContext): Fault | undefined => {
  // The epoch first: what is verified at its end belongs to the next one (G2).
  const closed = closeEpoch(draft, ctx);
  const handedOn = handOnVerified(draft, ctx);
  const passed = passDeadlines(draft, ctx);
  return closed || handedOn || passed ? undefined : fault('NotDue', `nothing is due at ${ctx.time}`);
};
