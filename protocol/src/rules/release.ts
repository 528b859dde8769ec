/**
 * slice.release (rules B2, B3, M4, T4): the Vault's signed receipt. Once it is decided, execution has happened, the budget is
 * committed, and output may leave. None is decided after a cancel, a timeout or the fixing of the survivors.
 */
import type { Command } from '../commands.ts';
import { statementFits, type ReleaseReceipt } from '../evidence.ts';
import type { TaskRecord, VaultPart } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { slotTime } from './due-index.ts';
import { isReleased, withoutReservation } from './ending.ts';
import { journalFault, noteJournal } from './journal.ts';
import { saveTask } from './lifecycle.ts';
import { settleOdometers } from './odometer.ts';

type Release = Extract<Command, { type: 'slice.release' }>;

/** The receipt that `part.release.signature` covers; undefined when the part was not released. */
export const receiptOf = (task: TaskRecord, part: VaultPart): ReleaseReceipt | undefined => {
  const { release, vault } = part;
  if (!release || !task.envelope) return undefined;
  const { evidence, outputCommitment, microRho: committedMicroRho, journal } = release;
  return { envelope: task.envelope, task: task.uid, vault, evidence, outputCommitment, committedMicroRho, journal };
};

const releasedBefore = ({ vault, release }: VaultPart, receipt: ReleaseReceipt): Fault =>
  release!.evidence === receipt.evidence &&
  release!.outputCommitment === receipt.outputCommitment &&
  release!.microRho === receipt.committedMicroRho
    ? fault('AlreadyDecided', `the release of ${vault} is decided`)
    : fault('Conflicts', `another release of ${vault} is decided`);

const stageFault = (task: TaskRecord, part: VaultPart): Fault | undefined => {
  if (task.state === 'accepted' || task.state === 'resolving') return fault('TaskNotInState', `task ${task.uid} is not dispatched`);
  if (task.state !== 'dispatched' || task.survivors || task.cancelRequested)
    return fault('TooLate', `task ${task.uid} takes no more releases`);
  if (part.state !== 'reserved' && part.state !== 'ready') return fault('TooLate', `the part of ${part.vault} is ${part.state}`);
  return part.enclave ? undefined : fault('EnclaveMissing', `no enclave of ${part.vault} is decided`);
};
const receiptFault = (task: TaskRecord, part: VaultPart, { receipt, signature }: Release, ctx: RuleContext): Fault | undefined => {
  if (!statementFits(part.key, 'slice.release', ctx.genesisDigest, receipt, signature))
    return fault('SignatureInvalid', `the receipt is not signed by ${part.vault}`);
  if (part.release) return releasedBefore(part, receipt);
  const late = stageFault(task, part);
  if (late) return late;
  if (receipt.envelope !== task.envelope) return fault('EnvelopeMismatch', `the receipt of ${part.vault} is for another envelope`);
  return receipt.committedMicroRho <= part.reservedMicroRho!
    ? undefined
    : fault('ReservationMismatch', `${part.vault} commits more than it reserved`);
};

const releasedPart = (part: VaultPart, { receipt, signature }: Release, height: bigint): VaultPart => {
  const { evidence, outputCommitment, committedMicroRho: microRho, journal } = receipt;
  return { ...part, state: 'released', release: { evidence, outputCommitment, microRho, journal, signature, height } };
};

/** M4: the Vaults whose output enters the aggregate, in the envelope's order; the others' reservations go back. */
export const fixSurvivors = (draft: Draft, task: TaskRecord, ctx: RuleContext): TaskRecord => {
  const { windows } = policyOf(ctx.genesis, task.policyVersion);
  return {
    ...task,
    parts: task.parts.map((part) => withoutReservation(draft, task, part, 'late')),
    survivors: task.parts.filter(isReleased).map(({ vault }) => vault),
    deadline: Math.min(slotTime(ctx.time + windows.aggregatorReplaceMs), task.finalDeadline),
  };
};
const isOpen = ({ state }: VaultPart): boolean => state === 'reserved' || state === 'ready';

export const releaseSlice = (draft: Draft, command: Release, ctx: RuleContext): Fault | undefined => {
  const { receipt } = command;
  const task = draft.get('task', receipt.task);
  if (!task) return fault('TaskUnknown', `there is no task ${receipt.task}`);
  const part = task.parts.find(({ vault }) => vault === receipt.vault);
  if (!part) return fault('NotAsked', `task ${task.uid} does not ask ${receipt.vault}`);
  const found = receiptFault(task, part, command, ctx) ?? journalFault(draft, receipt.vault, receipt.journal);
  if (found) return found;
  noteJournal(draft, receipt.vault, receipt.journal);
  settleOdometers(
    draft,
    { vault: part.vault, plan: task.plan! },
    { actor: task.spec.submitter, epoch: task.reservedEpoch!, reserved: part.reservedMicroRho!, spent: receipt.committedMicroRho },
  );
  const released = { ...task, parts: task.parts.map((p) => (p === part ? releasedPart(part, command, ctx.height) : p)) };
  saveTask(draft, released.parts.some(isOpen) ? released : fixSurvivors(draft, released, ctx));
  return undefined;
};
