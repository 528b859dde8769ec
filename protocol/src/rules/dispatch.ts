/**
 * Dispatch (rules M4, E1, E2, K2, M2): with all Vaults answered, or at the deadline with at least the quorum, the envelope is
 * sealed, the lock lowered to the quote, and the possible aggregators ranked.
 */
import { termsDigest, termsOf } from '../authorization.ts';
import { hex, utf8 } from '../encoding/bytes.ts';
import { taggedHash } from '../encoding/hash.ts';
import { encodeEnvelope, envelopeDigest, envelopeKey, type EnvelopeVault, type TaskEnvelope } from '../envelope.ts';
import { encodePlan } from '../plan.ts';
import type { Policy } from '../policy.ts';
import type { TaskRecord, VaultPart } from '../state.ts';
import { isActiveEnterprise } from './active.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft, Readable } from './draft.ts';
import { endTask, withoutReservation } from './ending.ts';
import { changeLock } from './escrow.ts';
import { AGGREGATORS } from './genesis-state.ts';
import { moved, saveTask } from './lifecycle.ts';
import { queryPrice } from './pricing.ts';
import { isReserved, quorumRejection } from './reservation.ts';

const MAX_AGGREGATORS = 16;

/**
 * M2, M4: active enterprises that contribute compute, never the submitter; those without a Vault in the task come first, and
 * within each group the order is a hash of task and address, so that the work spreads. A pure function of the state.
 */
export const rankAggregators = (state: Readable, task: TaskRecord, policy: Policy): readonly string[] => {
  const operators = task.parts.filter(isReserved).map(({ enterprise }) => enterprise);
  const ranked = state
    .must('index', AGGREGATORS)
    .filter((address) => address !== task.spec.submitter && isActiveEnterprise(state, address, policy))
    .map((address) => ({
      address,
      order: (operators.includes(address) ? '1' : '0') + hex(taggedHash('SCS::aggregator', utf8(task.uid), utf8(address))),
    }))
    .toSorted((a, b) => (a.order < b.order ? -1 : 1));
  return ranked.slice(0, MAX_AGGREGATORS).map(({ address }) => address);
};

const envelopeVault = (part: VaultPart): EnvelopeVault => ({
  vault: part.vault,
  key: part.key,
  enterprise: part.enterprise,
  snapshotCommitment: part.snapshotCommitment!,
  consentCommitment: part.consentCommitment!,
  reservedMicroRho: part.reservedMicroRho!,
});

/** E1: everything that the planes downstream may rely on. `task` has its plan, its answers and its quote. */
export const envelopeOf = (task: TaskRecord, aggregators: readonly string[], protocolVersion: bigint, ctx: RuleContext): TaskEnvelope => ({
  protocolVersion,
  genesis: ctx.genesisDigest,
  uid: task.uid,
  namespace: task.namespace,
  name: task.name,
  class: task.spec.class,
  usage: task.spec.usage,
  submitter: task.spec.submitter,
  terms: termsDigest(termsOf(task.spec)),
  nonce: task.spec.authorization?.nonce ?? '',
  policyVersion: BigInt(task.policyVersion),
  semanticVersion: task.semanticVersion,
  epoch: BigInt(task.epoch),
  plan: hex(encodePlan(task.plan!)),
  resultKey: task.spec.resultKey,
  quote: task.quote!,
  deadline: BigInt(task.finalDeadline),
  quorum: BigInt(task.spec.coordination.quorum),
  vaults: task.parts.filter(isReserved).map(envelopeVault),
  aggregators,
});

/** Vaults that have not answered are left out; their reservations go back (M4: what they answer later is too late). */
const withoutAbsent = (draft: Draft, task: TaskRecord): TaskRecord => ({
  ...task,
  parts: task.parts.map((part) => (part.state === 'asked' ? withoutReservation(draft, task, part, 'absent') : part)),
});

/** Goes on with the Vaults that reserved, or ends the task. The caller knows that the stage is over (M4). */
export const proceedToDispatch = (draft: Draft, task: TaskRecord, ctx: RuleContext): void => {
  const reserved = task.parts.filter(isReserved);
  if (reserved.length < task.spec.coordination.quorum) return endTask(draft, task, 'rejected', quorumRejection(task, reserved.length), ctx);
  const aggregators = rankAggregators(draft, task, policyOf(ctx.genesis, draft.must('meta').policyVersion));
  if (aggregators.length === 0) return endTask(draft, task, 'rejected', { code: 'NoAggregator' }, ctx);
  return dispatch(draft, withoutAbsent(draft, task), aggregators, ctx);
};

const dispatch = (draft: Draft, task: TaskRecord, aggregators: readonly string[], ctx: RuleContext): void => {
  const policy = policyOf(ctx.genesis, task.policyVersion);
  const quote = queryPrice(policy, task.parts.filter(isReserved), task.plan!.epsilon);
  changeLock(draft, task.spec.submitter, quote - task.locked);
  const quoted: TaskRecord = { ...task, quote, locked: quote, aggregators, aggregator: 0 };
  const envelope = envelopeOf(quoted, aggregators, BigInt(draft.must('meta').protocolVersion), ctx);
  draft.putRaw(envelopeKey(task.uid), encodeEnvelope(envelope));
  saveTask(draft, moved({ ...quoted, envelope: envelopeDigest(envelope) }, 'dispatched', ctx));
};

/** task.dispatch */
export const dispatchTask = (draft: Draft, uid: string, ctx: RuleContext): Fault | undefined => {
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  if (task.state === 'accepted') return fault('TaskNotInState', `task ${uid} is not resolved`);
  if (task.state !== 'resolving') return fault('AlreadyDecided', `task ${uid} is ${task.state}`);
  const open = task.parts.some(({ state }) => state === 'asked');
  if (open && ctx.time < task.deadline) return fault('NotDue', `Vaults have until ${task.deadline} to answer task ${uid}`);
  proceedToDispatch(draft, task, ctx);
  return undefined;
};
