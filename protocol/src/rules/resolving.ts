/** task.resolve (rules S6, B2, K1): the plan, the Vaults asked with their budget reserved, and the upper quote; or the reason why not. */
import { termsOf } from '../authorization.ts';
import type { Plan } from '../plan.ts';
import type { Rejection } from '../rejection.ts';
import type { TaskRecord, VaultPart, VaultRecord } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { endTask } from './ending.ts';
import { moved, saveTask } from './lifecycle.ts';
import { reserveOdometers } from './odometer.ts';
import { queryPrice } from './pricing.ts';
import { replenishments } from './replenishment.ts';
import { resolveQuery } from './resolution.ts';
import { catalogueOf } from './semantics.ts';
import { selectVaults } from './vault-selection.ts';

const askedPart = ({ vault, enterprise, publicKey, sizeBand }: VaultRecord): VaultPart => ({
  vault,
  enterprise,
  key: publicKey,
  sizeBand,
  state: 'asked',
});
const feeRejection = (quote: bigint, maximum: bigint): Rejection | undefined =>
  quote <= maximum ? undefined : { code: 'FeeAboveMaximum', quote, maximum };

const ask = (draft: Draft, task: TaskRecord, plan: Plan, vaults: readonly VaultRecord[]): TaskRecord => {
  for (const { vault } of vaults) reserveOdometers(draft, { vault, plan }, task.spec.submitter);
  const replenished = replenishments(draft, plan.usage);
  return {
    ...task,
    plan,
    parts: vaults.map(askedPart),
    reservedEpoch: draft.must('meta').epoch,
    ...(replenished > 0 && { replenished }),
  };
};

export const resolveTask = (draft: Draft, uid: string, ctx: RuleContext): Fault | undefined => {
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  if (task.state !== 'accepted') return fault('AlreadyDecided', `task ${uid} is ${task.state}`);
  const policy = policyOf(ctx.genesis, task.policyVersion);
  // S6, S7: the catalogue that it was admitted under, whatever came since.
  const resolution = resolveQuery(termsOf(task.spec), catalogueOf(draft, task.semanticVersion), policy, task.epoch, (vault) =>
    draft.get('own', vault),
  );
  if (!resolution.ok) return end(draft, task, resolution.rejection, ctx);
  const { plan, warnings } = resolution.value;
  const selection = selectVaults(draft, task, plan, policy);
  if (!selection.ok) return end(draft, task, selection.rejection, ctx);
  const tooDear = feeRejection(queryPrice(policy, selection.vaults, plan.epsilon), task.maxFee);
  if (tooDear) return end(draft, task, tooDear, ctx);
  const asked = ask(draft, task, plan, selection.vaults);
  saveTask(draft, moved({ ...asked, ...(warnings.length > 0 ? { warnings } : {}) }, 'resolving', ctx));
  return undefined;
};

const end = (draft: Draft, task: TaskRecord, rejection: Rejection, ctx: RuleContext): undefined => {
  endTask(draft, task, 'rejected', rejection, ctx);
};
