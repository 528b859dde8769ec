/**
 * Replenishment (rules B2, G5): what subjects have spent of a usage counts from nothing again, only ever at the end of an epoch: of
 * every so many, where the policy says so, and of the one that two masters approved by their durable keys. Reservations stay. The
 * record `replenishment/<usage>` counts them; odometers follow when they are next read, Vaults with the next task that asks them.
 */
import type { Command } from '../commands.ts';
import { usages, type Policy, type Usage } from '../policy.ts';
import type { ReplenishmentRecord } from '../state.ts';
import { approvalFault } from './approvals.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft, Readable } from './draft.ts';

type Replenish = Extract<Command, { type: 'budget.replenish' }>;

const NEVER: ReplenishmentRecord = { count: 0, epoch: 0 };
const recordOf = (state: Readable, usage: Usage): ReplenishmentRecord => state.get('replenishment', usage) ?? NEVER;
/** How often the usage was replenished. */
export const replenishments = (state: Readable, usage: Usage): number => recordOf(state, usage).count;

/** C5: how often budgets came back in a Vault that follows only every so many of them. */
export const ownReplenishments = (count: number, every = 1): number => Math.floor(count / every);

/** budget.replenish: noted for the end of the epoch that it names, which must be the present one. */
export const approveReplenishment = (draft: Draft, command: Replenish, ctx: RuleContext): Fault | undefined => {
  const found = approvalFault('budget.replenish', command, ctx);
  if (found) return found;
  const { usage, epoch } = command.statement;
  const { epoch: present } = draft.must('meta');
  if (epoch !== present) return fault(epoch < present ? 'TooLate' : 'NotDue', `epoch ${present} is open, the approval is for ${epoch}`);
  const record = recordOf(draft, usage);
  if (record.approved === epoch) return fault('AlreadyDecided', `replenishing ${usage} at the end of epoch ${epoch} is decided`);
  draft.put('replenishment', usage, { ...record, approved: epoch });
  return undefined;
};

const isDue = ({ approved }: ReplenishmentRecord, closing: number, { privacy }: Policy): boolean =>
  approved === closing || (privacy.replenishEpochs !== undefined && (closing + 1) % privacy.replenishEpochs === 0);

/** At the end of epoch `closing`, by the policy in force in it. */
export const replenishDue = (draft: Draft, closing: number, ctx: RuleContext): void => {
  const policy = policyOf(ctx.genesis, draft.must('meta').policyVersion);
  for (const usage of usages) {
    const record = recordOf(draft, usage);
    if (isDue(record, closing, policy)) draft.put('replenishment', usage, { count: record.count + 1, epoch: closing + 1 });
  }
};
