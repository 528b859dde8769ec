/**
 * Admission (rules N5, T6, K2, S5): ordered policies, the first rejection wins. A task with a new uid always becomes a record:
 * `accepted` with its fee locked, or `rejected` with the reason.
 */
import { parseEpsilon, parseSym } from '../amounts.ts';
import { authorizationMessage } from '../authorization.ts';
import type { Command } from '../commands.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { equalBytes } from '../encoding/bytes.ts';
import type { Actor } from '../genesis.ts';
import { verifySignature } from '../keys.ts';
import type { Policy } from '../policy.ts';
import type { Rejection } from '../rejection.ts';
import type { EscrowRecord, MetaRecord, TaskRecord } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { addDue, slotTime } from './due-index.ts';
import { changeLock, freeOf } from './escrow.ts';
import { deadlineOf, moved, saveTask } from './lifecycle.ts';
import { instantMs } from './log-time.ts';
import { enqueue } from './queue.ts';
import { specProblem } from './task-spec.ts';

type Admit = Extract<Command, { type: 'task.admit' }>;
/** An authorization may not reach further ahead: its nonce is remembered until it expires (N5). Milliseconds. */
export const MAX_AUTHORIZATION_MS = 30 * 86_400_000;
/** Work for the next block: tasks to resolve or to dispatch. */
export const NEXT = 'next';

export interface AdmissionInput {
  readonly task: Admit;
  readonly actor: Actor | undefined;
  readonly escrow: EscrowRecord | undefined;
  readonly nonceUsed: boolean;
  readonly meta: MetaRecord;
  readonly policy: Policy;
  readonly ctx: RuleContext;
}
type AdmissionPolicy = (input: AdmissionInput) => Rejection | undefined;

const classSupported: AdmissionPolicy = ({ task: { spec } }) =>
  spec.class === 'query' ? undefined : { code: 'ClassNotSupported', class: spec.class };
const specValid: AdmissionPolicy = ({ task: { spec }, policy }) => {
  const problem = specProblem(spec, policy);
  return problem === undefined ? undefined : { code: 'SpecInvalid', problem };
};
const actorMaySubmit: AdmissionPolicy = ({ task, actor }) => {
  const { submitter } = task.spec;
  if (!actor) return { code: 'ActorUnknown', submitter };
  if (actor.role === 'producer') return { code: 'RoleNotAllowed', submitter, role: actor.role };
  return actor.state === 'active' ? undefined : { code: 'ActorNotActive', submitter };
};
/** N5: the Kubernetes identity only narrows who may present a task. */
const presenterAllowed: AdmissionPolicy = ({ task: { user, spec }, actor }) =>
  actor!.kubernetesUsers.includes(user) ? undefined : { code: 'PresenterNotAllowed', user, submitter: spec.submitter };
/** N5: whoever administers the API server can spend nobody's escrow. */
const signatureFits: AdmissionPolicy = ({ task, actor, ctx }) => {
  const { namespace, name, spec } = task;
  if (!spec.authorization) return { code: 'AuthorizationMissing' };
  const { publicKey, nonce, expiry, signature } = spec.authorization;
  const expiryMs = BigInt(instantMs(expiry)!);
  const { chainId } = ctx.genesis.chain;
  const message = authorizationMessage({ genesis: ctx.genesisDigest, chainId, namespace, name, spec, nonce, expiryMs });
  const fits = publicKey === actor!.publicKey && verifySignature(publicKey, message, signature);
  return fits ? undefined : { code: 'SignatureInvalid', submitter: spec.submitter };
};
const notExpired: AdmissionPolicy = ({ task, ctx }) => {
  const { expiry } = task.spec.authorization!;
  const ahead = instantMs(expiry)! - ctx.time;
  if (ahead <= 0) return { code: 'AuthorizationExpired', expiry };
  return ahead <= MAX_AUTHORIZATION_MS
    ? undefined
    : { code: 'SpecInvalid', problem: 'authorization.expiry is more than 30 days ahead; sign with an earlier one' };
};
const nonceFresh: AdmissionPolicy = ({ task, nonceUsed }) =>
  nonceUsed ? { code: 'NonceReused', nonce: task.spec.authorization!.nonce } : undefined;
const epsilonWithinPolicy: AdmissionPolicy = ({ task, policy }) => {
  const asked = parseEpsilon(task.spec.privacy.epsilon);
  const maximum = policy.privacy.maxEpsilonPerTask;
  return asked <= maximum ? undefined : { code: 'EpsilonAboveMaximum', asked, maximum };
};
/** K2: locks read escrow at a decided ledger version, and only while that is fresh. */
const escrowReadingFresh: AdmissionPolicy = ({ meta, policy, ctx }) => {
  const ageMs = Math.max(0, ctx.time - (meta.chain?.time ?? ctx.genesis.time));
  const limitMs = policy.settlement.maxEscrowAgeMs;
  return meta.chain && ageMs <= limitMs ? undefined : { code: 'EscrowReadingStale', ageMs, limitMs };
};
const escrowCoversMaxFee: AdmissionPolicy = ({ task, escrow }) => {
  const needed = parseSym(task.spec.maxFee);
  const free = escrow ? freeOf(escrow) : 0n;
  return needed <= free ? undefined : { code: 'EscrowInsufficient', free, locked: escrow?.locked ?? 0n, needed };
};

/** In the order in which a submitter would want to hear of it. Later ones rely on earlier ones having passed. */
const policies: readonly AdmissionPolicy[] = [
  classSupported,
  specValid,
  actorMaySubmit,
  presenterAllowed,
  signatureFits,
  notExpired,
  nonceFresh,
  epsilonWithinPolicy,
  escrowReadingFresh,
  escrowCoversMaxFee,
];
/** The first reason against the task, or undefined when it is accepted. */
export const admissionRejection = (input: AdmissionInput): Rejection | undefined => {
  for (const policy of policies) {
    const rejection = policy(input);
    if (rejection) return rejection;
  }
  return undefined;
};

const nonceName = (task: Admit): string => `${task.spec.submitter}/${task.spec.authorization?.nonce ?? ''}`;

const newRecord = (task: Admit, meta: MetaRecord, policy: Policy, ctx: RuleContext): TaskRecord => {
  const { uid, namespace, name, spec } = task;
  const finalDeadline = slotTime(ctx.time + Math.min(spec.deadlineSeconds * 1000, policy.windows.maxTaskMs));
  const maxFee = parseSym(spec.maxFee);
  return {
    uid,
    namespace,
    name,
    spec,
    state: 'accepted',
    history: [{ state: 'accepted', height: ctx.height, time: ctx.time }],
    policyVersion: meta.policyVersion,
    semanticVersion: meta.semanticVersion,
    epoch: meta.epoch,
    deadline: deadlineOf('accepted', finalDeadline, policy, ctx.time),
    finalDeadline,
    maxFee,
    locked: 0n,
    parts: [],
  };
};

const rememberNonce = (draft: Draft, task: Admit): void => {
  const expiry = slotTime(instantMs(task.spec.authorization!.expiry)!);
  draft.put('nonce', nonceName(task), { expiry });
  addDue(draft, expiry, `nonce/${nonceName(task)}`);
};

/** task.admit. The nonce is remembered when the task is accepted: a refused one may be presented again once its cause is gone. */
export const admit = (draft: Draft, task: Admit, ctx: RuleContext): Fault | undefined => {
  const known = draft.get('task', task.uid);
  if (known) return admittedBefore(known, task);
  const meta = draft.must('meta');
  const policy = policyOf(ctx.genesis, meta.policyVersion);
  const { submitter } = task.spec;
  const rejection = admissionRejection({
    task,
    actor: draft.get('actor', submitter),
    escrow: draft.get('escrow', submitter),
    nonceUsed: draft.get('nonce', nonceName(task)) !== undefined,
    meta,
    policy,
    ctx,
  });
  const record = newRecord(task, meta, policy, ctx);
  if (rejection) saveTask(draft, { ...moved(record, 'rejected', ctx, rejection.code), rejection, charge: 0n });
  else accept(draft, task, record);
  return undefined;
};

const accept = (draft: Draft, task: Admit, record: TaskRecord): void => {
  rememberNonce(draft, task);
  changeLock(draft, task.spec.submitter, record.maxFee);
  saveTask(draft, { ...record, locked: record.maxFee });
  enqueue(draft, NEXT, ['resolve', task.uid]);
};

const admittedBefore = (known: TaskRecord, task: Admit): Fault => {
  const same =
    known.namespace === task.namespace && known.name === task.name && equalBytes(encodeCanonical(known.spec), encodeCanonical(task.spec));
  return same
    ? fault('AlreadyDecided', `task ${task.uid} is ${known.state}`)
    : fault('Conflicts', `task ${task.uid} was decided with another spec, name or namespace`);
};
