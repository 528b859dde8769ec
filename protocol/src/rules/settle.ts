/**
 * settlement.batch (rules P1, P2, P3, K3, K10): the next batch, of tasks of one epoch in the order in which they became ready,
 * cut by number, delay and the contract's bounds. Its BCS bytes are the leaf `batch/<n>` that the chain takes.
 */
import { BATCH_LIMITS, buildBatch, splitFee, tasksThatFit, type Contributors, type SettledTask } from '../settlement.ts';
import { batchKey, encodeBatch, evidenceDigest, type SettlementLeaf } from '../settlement-layout.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import type { Genesis } from '../genesis.ts';
import type { TaskRecord } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { isReleased } from './ending.ts';
import { lineState } from './economy.ts';
import { collect, nextWaiting, takeReady, waitingTasks } from './ready.ts';

/** A failed task has no aggregate: its evidence is the receipts of the Vaults whose output left (K10). */
const evidenceOf = (task: TaskRecord): string =>
  task.evidence ??
  evidenceDigest(encodeCanonical(task.parts.filter(isReleased).map(({ vault, release }) => ({ vault, evidence: release!.evidence }))));

/** The task's leaf under its batch's `tasksRoot`; the same before and after the batch lands. Throws when the task has no charge. */
export const settlementLeafOf = (task: TaskRecord): SettlementLeaf => {
  const { envelope, quote, charge } = task;
  if (envelope === undefined || quote === undefined || charge === undefined) throw new Error(`task ${task.uid} has no charge`);
  return { envelope, submitter: task.spec.submitter, quote, charge, refund: quote - charge, evidence: evidenceOf(task) };
};

/** K3: operators of the Vaults that delivered; the enterprises that ran slices, and the aggregator if there is an aggregate; the masters. */
export const contributorsOf = (task: TaskRecord, genesis: Genesis): Contributors => {
  const operators = task.parts.filter(isReleased).map(({ enterprise }) => enterprise);
  const aggregator = task.evidence === undefined ? [] : [task.aggregators![task.aggregator!]!];
  return { operators, executors: [...operators, ...aggregator], verifiers: genesis.masters.map(({ rewardAddress }) => rewardAddress) };
};
const settledTask = (task: TaskRecord, { genesis }: RuleContext): SettledTask => {
  const leaf = settlementLeafOf(task);
  return { leaf, split: splitFee(leaf.charge, policyOf(genesis, task.policyVersion).fees.shares, contributorsOf(task, genesis)) };
};

/** settlement.batch. `number` must be the next one, and its tasks due. */
export const settleBatch = (draft: Draft, number: bigint, ctx: RuleContext): Fault | undefined => {
  const meta = draft.must('meta');
  if (number < meta.nextBatch) return fault('AlreadyDecided', `batch ${number} is decided`);
  if (number > meta.nextBatch) return fault('NotDue', `batch ${meta.nextBatch} comes before ${number}`);
  const policy = policyOf(ctx.genesis, meta.policyVersion);
  const waiting = nextWaiting(draft, policy);
  if (!waiting || waiting.due > ctx.time) return fault('NotDue', `no batch is due at ${ctx.time}`);
  const first = waitingTasks(draft, waiting.epoch, Math.min(policy.settlement.maxTasks, BATCH_LIMITS.tasks));
  const settled = first.map((task) => settledTask(task, ctx));
  const count = tasksThatFit(settled);
  const tasks = first.slice(0, count);
  const batch = buildBatch({ number, epoch: BigInt(waiting.epoch), tasks: settled.slice(0, count) });
  takeReady(draft, waiting.epoch, count);
  for (const task of tasks) draft.put('task', task.uid, { ...task, batch: number });
  draft.putRaw(batchKey(number), encodeBatch(batch));
  const state = lineState(number, meta.chain?.settled ?? 0n);
  draft.put('settlement', String(number), { number, epoch: waiting.epoch, tasks: tasks.map(({ uid }) => uid), state });
  draft.put('meta', '', { ...meta, nextBatch: number + 1n });
  const left = nextWaiting(draft, policy);
  if (left) collect(draft, left.epoch);
  return undefined;
};
