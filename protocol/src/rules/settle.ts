/**
 * settlement.batch (rules P1, P2, P3, K3, K10): the next batch, of tasks of one epoch in the order in which they became ready,
 * cut by number, delay and the contract's bounds. Its BCS bytes are the leaf `batch/<n>` that the chain takes.
 */
import { BATCH_LIMITS, buildBatch, splitFee, tasksThatFit, type Contributors, type SettledTask } from '../settlement.ts';
import { batchKey, encodeBatch, evidenceDigest, type SettlementLeaf } from '../settlement-layout.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import type { Genesis } from '../genesis.ts';
import type { Transfer } from '../settlement-layout.ts';
import type { TaskRecord } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import { applyCredits, creditsOfBatch, paidOf } from './credits.ts';
import { fillPots, shareOfVault } from './dividend-pots.ts';
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
  const paid = paidOf(task);
  return { envelope, submitter: task.spec.submitter, quote, charge: paid, refund: quote - paid, evidence: evidenceOf(task) };
};

/** K3: operators of the Vaults that delivered; the enterprises that ran slices, and the aggregator if there is an aggregate; the masters. */
export const contributorsOf = (task: TaskRecord, genesis: Genesis): Contributors => {
  const operators = task.parts.filter(isReleased).map(({ enterprise }) => enterprise);
  const aggregator = task.evidence === undefined ? [] : [task.aggregators![task.aggregator!]!];
  return { operators, executors: [...operators, ...aggregator], verifiers: genesis.masters.map(({ rewardAddress }) => rewardAddress) };
};
interface Entry {
  readonly task: TaskRecord;
  readonly settled: SettledTask;
  readonly share: bigint;
  readonly earned: readonly Transfer[];
}
/** The tasks as they will stand in the batch: credits drawn in their order, what is left of each charge distributed. */
const entriesOf = (draft: Draft, tasks: readonly TaskRecord[], ctx: RuleContext): readonly Entry[] => {
  const credits = creditsOfBatch(draft, ctx.genesis);
  return tasks.map((found): Entry => {
    const creditUsed = credits.use(found.spec.submitter, found.charge ?? 0n);
    const task = creditUsed > 0n ? { ...found, creditUsed } : found;
    const leaf = settlementLeafOf(task);
    const contributors = contributorsOf(task, ctx.genesis);
    const split = splitFee(leaf.charge, policyOf(ctx.genesis, task.policyVersion).fees.shares, contributors);
    const share = shareOfVault(split.dividends, contributors.operators.length);
    return { task, settled: { leaf, split }, share, earned: credits.earned(task, leaf.charge, contributors.operators) };
  });
};
const sharesByVault = (entries: readonly Entry[]): ReadonlyMap<string, bigint> => {
  const shares = new Map<string, bigint>();
  for (const { task, share } of entries)
    for (const { vault } of task.parts.filter(isReleased)) if (share > 0n) shares.set(vault, (shares.get(vault) ?? 0n) + share);
  return shares;
};
/** Marks the tasks, moves credits, fills the Vaults' pots. */
const enter = (draft: Draft, number: bigint, entries: readonly Entry[]): void => {
  const { epoch } = draft.must('meta');
  for (const { task, share } of entries)
    draft.put('task', task.uid, { ...task, batch: number, ...(share > 0n && { dividend: { epoch, share } }) });
  const used = entries.map(({ task }) => ({ account: task.spec.submitter, amount: task.creditUsed ?? 0n }));
  applyCredits(
    draft,
    used,
    entries.flatMap(({ earned }) => earned),
  );
  fillPots(draft, sharesByVault(entries));
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
  const all = entriesOf(draft, first, ctx);
  const entries = all.slice(0, tasksThatFit(all.map(({ settled }) => settled)));
  const batch = buildBatch({ number, epoch: BigInt(waiting.epoch), tasks: entries.map(({ settled }) => settled) });
  takeReady(draft, waiting.epoch, entries.length);
  enter(draft, number, entries);
  draft.putRaw(batchKey(number), encodeBatch(batch));
  const state = lineState(number, meta.chain?.settled ?? 0n);
  draft.put('settlement', String(number), { number, epoch: waiting.epoch, tasks: entries.map(({ task }) => task.uid), state });
  draft.put('meta', '', { ...meta, nextBatch: number + 1n });
  const left = nextWaiting(draft, policy);
  if (left) collect(draft, left.epoch);
  return undefined;
};
