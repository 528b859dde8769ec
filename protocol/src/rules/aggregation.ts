/**
 * aggregate.evidence (rules A5, M2, K10, T8): every master verifies the aggregate and each slice's evidence against what was
 * decided: the enclaves, the receipts, the survivors. Then the charge is fixed. And aggregator.replace (M4).
 */
import type { EnclaveIdentity } from '../attestation.ts';
import { attestationFault } from '../attestation-check.ts';
import type { Command } from '../commands.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { sliceEvidenceDigest, statementFits, type SignedAggregateEvidence, type SignedSliceEvidence } from '../evidence.ts';
import { evidenceDigest } from '../settlement-layout.ts';
import type { TaskRecord, VaultPart } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { slotTime } from './due-index.ts';
import { retire } from './enclave-ready.ts';
import { isReleased } from './ending.ts';
import { moved, saveTask } from './lifecycle.ts';
import { queryPrice } from './pricing.ts';
import { isAttestedBy } from './enclave-record.ts';
import { enqueue } from './queue.ts';

type Aggregate = Extract<Command, { type: 'aggregate.evidence' }>;
/** Tasks whose evidence was verified; the next tick hands them on. */
export const VERIFIED = 'verified';

/** Digest of all of a task's evidence: what its settlement leaf carries. Anyone with the evidence can rebuild it. */
export const taskEvidenceDigest = (aggregate: SignedAggregateEvidence, slices: readonly SignedSliceEvidence[]): string =>
  evidenceDigest(encodeCanonical({ aggregate, slices }));

const same = (a: unknown, b: unknown): boolean => equalBytes(encodeCanonical(a), encodeCanonical(b));
const invalid = (problem: string): Fault => fault('EvidenceInvalid', problem);

const attested = (
  evidence: SignedSliceEvidence['evidence'] | SignedAggregateEvidence['evidence'],
  identity: EnclaveIdentity,
  task: TaskRecord,
  ctx: RuleContext,
): Fault | undefined => {
  const bad = attestationFault(evidence.attestation, identity, ctx.genesis, policyOf(ctx.genesis, task.policyVersion));
  return bad && fault('AttestationInvalid', `the attestation of ${bad.subject} does not hold: ${bad.problem}`);
};

/** A slice's evidence is the one its Vault's decided receipt names, so key and snapshot are those the Vault verified (B3, C2). */
export const sliceFault = (
  task: TaskRecord,
  part: VaultPart,
  signed: SignedSliceEvidence | undefined,
  ctx: RuleContext,
): Fault | undefined => {
  if (!signed) return invalid(`evidence of ${part.vault} is missing`);
  const { evidence, signature } = signed;
  if (sliceEvidenceDigest(signed) !== part.release!.evidence) return invalid(`evidence of ${part.vault} is not what its receipt names`);
  if (evidence.vault !== part.vault || evidence.envelope !== task.envelope || evidence.round !== 0)
    return invalid(`evidence of ${part.vault} is for another slice`);
  if (evidence.outputCommitment !== part.release!.outputCommitment)
    return invalid(`evidence and receipt of ${part.vault} commit to different outputs`);
  if ((evidence.audienceCommitment !== undefined) !== (task.plan?.audience !== undefined))
    return invalid(`evidence of ${part.vault} has not the audience of the plan`);
  if (!statementFits(evidence.signKey, 'slice.evidence', ctx.genesisDigest, evidence, signature))
    return invalid(`evidence of ${part.vault} is not signed by its enclave`);
  const { signKey, sealKey } = evidence;
  const identity = { genesis: ctx.genesisDigest, task: task.uid, role: 'slice', subject: part.vault, signKey, sealKey } as const;
  return attested(evidence, identity, task, ctx);
};

const survivingParts = (task: TaskRecord): readonly VaultPart[] => task.parts.filter(({ vault }) => task.survivors!.includes(vault));

export const aggregateFault = (task: TaskRecord, { evidence, signature }: SignedAggregateEvidence, ctx: RuleContext): Fault | undefined => {
  const enclave = task.aggregatorEnclave;
  const enterprise = task.aggregators![task.aggregator!]!;
  if (evidence.enterprise !== enterprise) return fault('NotTheAggregator', `the aggregator of task ${task.uid} is ${enterprise}`);
  if (!enclave) return fault('EnclaveMissing', `no aggregator enclave of task ${task.uid} is decided`);
  const { signKey, sealKey } = enclave;
  if (evidence.signKey !== signKey || evidence.sealKey !== sealKey || !isAttestedBy(enclave, evidence.attestation))
    return fault('EnclaveReplaced', `the evidence is not of the decided aggregator enclave`);
  if (evidence.envelope !== task.envelope) return invalid('the aggregate is for another envelope');
  const inputs = survivingParts(task).map(({ vault, release }) => ({ vault, outputCommitment: release!.outputCommitment }));
  if (!same(evidence.inputs, inputs)) return invalid("the aggregate's inputs are not the survivors' released outputs");
  if (!statementFits(signKey, 'aggregate.evidence', ctx.genesisDigest, evidence, signature))
    return invalid('the aggregate is not signed by its enclave');
  const identity = { genesis: ctx.genesisDigest, task: task.uid, role: 'aggregator', subject: enterprise, signKey, sealKey } as const;
  return attested(evidence, identity, task, ctx);
};

const stageFault = (task: TaskRecord, digest: string): Fault | undefined => {
  if (task.evidence)
    return task.evidence === digest
      ? fault('AlreadyDecided', `the evidence of task ${task.uid} is decided`)
      : fault('Conflicts', `other evidence of task ${task.uid} is decided`);
  if (task.state === 'dispatched' && task.survivors) return undefined;
  const early = task.state === 'accepted' || task.state === 'resolving' || task.state === 'dispatched';
  return early
    ? fault('TaskNotInState', `the survivors of task ${task.uid} are not decided`)
    : fault('TooLate', `task ${task.uid} is ${task.state}`);
};
const slicesFault = (task: TaskRecord, slices: readonly SignedSliceEvidence[], ctx: RuleContext): Fault | undefined => {
  const parts = survivingParts(task);
  if (slices.length !== parts.length) return invalid(`${slices.length} slices' evidence for ${parts.length} survivors`);
  for (const [i, part] of parts.entries()) {
    const found = sliceFault(task, part, slices[i], ctx);
    if (found) return found;
  }
  return undefined;
};

/** Fixes the charge; the sealed result may be handed over, provisional (T8). */
export const aggregateEvidence = (draft: Draft, command: Aggregate, ctx: RuleContext): Fault | undefined => {
  const { task: uid, aggregate, slices } = command;
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  const digest = taskEvidenceDigest(aggregate, slices);
  const found = stageFault(task, digest) ?? aggregateFault(task, aggregate, ctx) ?? slicesFault(task, slices, ctx);
  if (found) return found;
  const policy = policyOf(ctx.genesis, task.policyVersion);
  const charge = queryPrice(policy, task.parts.filter(isReleased), task.plan!.epsilon);
  saveTask(draft, moved({ ...task, evidence: digest, sealedResult: aggregate.evidence.sealedResult, charge }, 'verifying', ctx));
  enqueue(draft, VERIFIED, [uid]);
  return undefined;
};

/**
 * M4: the next in the list, the first again after the last, until the task's own deadline. Its enclave starts anew; a single
 * possible aggregator keeps its enclave and gets more time.
 */
export const nextAggregator = (task: TaskRecord, ctx: RuleContext): TaskRecord => {
  const { windows } = policyOf(ctx.genesis, task.policyVersion);
  const deadline = Math.min(slotTime(ctx.time + windows.aggregatorReplaceMs), task.finalDeadline);
  if (task.aggregators!.length === 1) return { ...task, deadline };
  const { aggregatorEnclave, aggregatorRestarts: _, ...rest } = task;
  return {
    ...rest,
    aggregator: (task.aggregator! + 1) % task.aggregators!.length,
    formerAggregatorEnclaves: retire(task.formerAggregatorEnclaves ?? [], aggregatorEnclave),
    deadline,
  };
};

/** aggregator.replace: what a tick does too, once the aggregator has had its time since the survivors were fixed. */
export const replaceAggregator = (draft: Draft, uid: string, failed: string, ctx: RuleContext): Fault | undefined => {
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  if (task.state !== 'dispatched') return fault('TaskNotInState', `task ${uid} is ${task.state}`);
  if (task.aggregators![task.aggregator!] !== failed) return fault('AlreadyDecided', `${failed} does not aggregate task ${uid}`);
  if (!task.survivors || ctx.time < task.deadline || task.deadline >= task.finalDeadline)
    return fault('NotDue', `the aggregator of task ${uid} has until ${task.deadline}`);
  saveTask(draft, nextAggregator(task, ctx));
  return undefined;
};
