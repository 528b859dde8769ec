/**
 * vault.answer (rules B2, C3, C5, M4): a Vault reserves, or refuses with a reason; signed by the key it had when it was asked.
 * When all have answered, the task goes on or ends; while some are missing, it ends as soon as the quorum can't be reached.
 */
import type { Command, VaultAnswer } from '../commands.ts';
import { statementFits } from '../evidence.ts';
import type { Rejection } from '../rejection.ts';
import type { TaskRecord, VaultPart } from '../state.ts';
import { NEXT } from './admission.ts';
import { fault, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { endTask, withoutReservation } from './ending.ts';
import { journalFault, noteJournal } from './journal.ts';
import { saveTask } from './lifecycle.ts';
import { enqueue } from './queue.ts';

type Answer = Extract<Command, { type: 'vault.answer' }>;
type Given = VaultAnswer['answer'];

const sameAnswer = (part: VaultPart, answer: Given): boolean =>
  answer.kind === 'refused'
    ? part.refusal?.code === answer.code && part.refusal.message === answer.message
    : part.reservedMicroRho === answer.microRho &&
      part.snapshotCommitment === answer.snapshotCommitment &&
      part.consentCommitment === answer.consentCommitment;
const answeredBefore = (part: VaultPart, answer: Given): Fault => {
  if (sameAnswer(part, answer)) return fault('AlreadyDecided', `the answer of ${part.vault} is decided`);
  if (part.state === 'absent') return fault('TooLate', `the task went on without ${part.vault}`);
  return fault('Conflicts', `another answer of ${part.vault} is decided`);
};

const answerFault = (task: TaskRecord, part: VaultPart, { statement, signature }: Answer, ctx: RuleContext): Fault | undefined => {
  if (!statementFits(part.key, 'vault.answer', ctx.genesisDigest, statement, signature))
    return fault('SignatureInvalid', `the answer is not signed by ${part.vault}`);
  if (part.state !== 'asked') return answeredBefore(part, statement.answer);
  if (task.state !== 'resolving') return fault('TooLate', `task ${task.uid} is ${task.state}`);
  const { answer } = statement;
  return answer.kind === 'reserved' && answer.microRho !== task.plan!.microRho
    ? fault('ReservationMismatch', `the plan costs ${task.plan!.microRho} micro-rho, ${part.vault} reserved ${answer.microRho}`)
    : undefined;
};

const answeredPart = (draft: Draft, task: TaskRecord, part: VaultPart, answer: Given): VaultPart => {
  if (answer.kind === 'refused') {
    const { code, message } = answer;
    return { ...withoutReservation(draft, task, part, 'refused'), refusal: { code, message } };
  }
  const { microRho, snapshotCommitment, consentCommitment } = answer;
  return { ...part, state: 'reserved', reservedMicroRho: microRho, snapshotCommitment, consentCommitment };
};

/** T6: refusals carry the Vaults' own words. */
export const quorumRejection = (task: TaskRecord, possible: number): Rejection => {
  const refusals = task.parts.flatMap(({ vault, refusal }) => (refusal ? [{ vault, ...refusal }] : []));
  if (refusals.length === task.parts.length) return { code: 'VaultRefused', vaults: refusals };
  const missing = task.parts.filter(({ state }) => state === 'asked' || state === 'absent').map(({ vault }) => vault);
  const why = [
    ...refusals.map(({ vault, code, message }) => `${vault} refused (${code}: ${message})`),
    ...missing.map((vault) => `${vault} has not answered`),
  ].join('; ');
  return { code: 'QuorumUnreachable', quorum: task.spec.coordination.quorum, possible, why };
};
export const isReserved = ({ state }: VaultPart): boolean => state === 'reserved';

const afterAnswer = (draft: Draft, task: TaskRecord, ctx: RuleContext): void => {
  const open = task.parts.filter(({ state }) => state === 'asked').length;
  const possible = open + task.parts.filter(isReserved).length;
  if (possible < task.spec.coordination.quorum) return endTask(draft, task, 'rejected', quorumRejection(task, possible), ctx);
  saveTask(draft, task);
  if (open === 0) enqueue(draft, NEXT, ['dispatch', task.uid]);
};

export const answerOfVault = (draft: Draft, command: Answer, ctx: RuleContext): Fault | undefined => {
  const { task: uid, vault, answer } = command.statement;
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  const part = task.parts.find((p) => p.vault === vault);
  if (!part) return fault('NotAsked', `task ${uid} does not ask ${vault}`);
  const journal = answer.kind === 'reserved' ? answer.journal : undefined;
  const found = answerFault(task, part, command, ctx) ?? (journal && journalFault(draft, vault, journal));
  if (found) return found;
  if (journal) noteJournal(draft, vault, journal);
  const answered = answeredPart(draft, task, part, answer);
  afterAnswer(draft, { ...task, parts: task.parts.map((p) => (p === part ? answered : p)) }, ctx);
  return undefined;
};
