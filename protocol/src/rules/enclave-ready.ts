/**
 * enclave.ready (rules A1, A5, M4): an enclave's keys, bound by its attestation to task, role and subject. Each master verifies
 * it. A restarted pod comes with new keys and replaces the one before; a replaced one never comes back.
 */
import type { EnclaveIdentity } from '../attestation.ts';
import { attestationFault } from '../attestation-check.ts';
import type { Command, EnclaveReady } from '../commands.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { statementFits } from '../evidence.ts';
import type { EnclaveRecord, TaskRecord, VaultPart } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { saveTask } from './lifecycle.ts';

type Ready = Extract<Command, { type: 'enclave.ready' }>;
/** Restarts of one slice, or of one aggregator while it is its turn, that a task stands; a bound on its record, not a policy. */
export const MAX_ENCLAVES = 32;
/** Seal keys of former aggregator enclaves that a record holds; the oldest are forgotten. */
const MOST_FORMER = 256;

export const identityOf = (ready: Omit<EnclaveReady, 'attestation'>, genesis: string): EnclaveIdentity => {
  const { task, role, subject, signKey, sealKey } = ready;
  return { genesis, task, role, subject, signKey, sealKey };
};

const sameStatement = (a: EnclaveRecord, b: EnclaveReady): boolean => equalBytes(encodeCanonical(a), encodeCanonical(b));

const replacementFault = (
  current: EnclaveRecord | undefined,
  former: readonly string[],
  restarts: number,
  next: EnclaveReady,
): Fault | undefined => {
  if (current && sameStatement(current, next)) return fault('AlreadyDecided', `this enclave of ${next.subject} is decided`);
  if (current?.sealKey === next.sealKey) return fault('Conflicts', `another statement with this seal key of ${next.subject} is decided`);
  if (former.includes(next.sealKey)) return fault('EnclaveReplaced', `a later enclave of ${next.subject} is decided`);
  return restarts < MAX_ENCLAVES ? undefined : fault('TooManyEnclaves', `${next.subject} restarted more than ${MAX_ENCLAVES} times`);
};
const proofFault = (task: TaskRecord, { statement, signature }: Ready, ctx: RuleContext): Fault | undefined => {
  if (!statementFits(statement.signKey, 'enclave.ready', ctx.genesisDigest, statement, signature))
    return fault('SignatureInvalid', `the enclave of ${statement.subject} did not sign its keys`);
  const policy = policyOf(ctx.genesis, task.policyVersion);
  const bad = attestationFault(statement.attestation, identityOf(statement, ctx.genesisDigest), ctx.genesis, policy);
  return bad && fault('AttestationInvalid', `the attestation of ${bad.subject} does not hold: ${bad.problem}`);
};

export const retire = (former: readonly string[], current: EnclaveRecord | undefined): readonly string[] =>
  current ? [...former, current.sealKey].slice(-MOST_FORMER) : former;

/** Slices: the Vault gives data only to the enclave named here; after its release a new one may only reseal. */
const sliceReady = (draft: Draft, task: TaskRecord, command: Ready, ctx: RuleContext): Fault | undefined => {
  const { statement } = command;
  const part = task.parts.find(({ vault }) => vault === statement.subject);
  if (!part) return fault('NotAsked', `task ${task.uid} does not ask ${statement.subject}`);
  if (part.state !== 'reserved' && part.state !== 'ready' && part.state !== 'released')
    return fault('TooLate', `the part of ${part.vault} is ${part.state}`);
  const former = part.formerEnclaves ?? [];
  const found = replacementFault(part.enclave, former, former.length, statement) ?? proofFault(task, command, ctx);
  if (found) return found;
  const ready: VaultPart = {
    ...part,
    state: part.state === 'released' ? 'released' : 'ready',
    enclave: statement,
    formerEnclaves: retire(former, part.enclave),
  };
  saveTask(draft, { ...task, parts: task.parts.map((p) => (p === part ? ready : p)) });
  return undefined;
};

const aggregatorReady = (draft: Draft, task: TaskRecord, command: Ready, ctx: RuleContext): Fault | undefined => {
  const { statement } = command;
  const current = task.aggregators![task.aggregator!];
  if (statement.subject !== current) return fault('NotTheAggregator', `the aggregator of task ${task.uid} is ${current}`);
  const former = task.formerAggregatorEnclaves ?? [];
  const restarts = task.aggregatorRestarts ?? 0;
  const found = replacementFault(task.aggregatorEnclave, former, restarts, statement) ?? proofFault(task, command, ctx);
  if (found) return found;
  saveTask(draft, {
    ...task,
    aggregatorEnclave: statement,
    formerAggregatorEnclaves: retire(former, task.aggregatorEnclave),
    ...(task.aggregatorEnclave && { aggregatorRestarts: restarts + 1 }),
  });
  return undefined;
};

export const enclaveReady = (draft: Draft, command: Ready, ctx: RuleContext): Fault | undefined => {
  const { task: uid, role } = command.statement;
  const task = draft.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  if (task.state === 'accepted' || task.state === 'resolving') return fault('TaskNotInState', `task ${uid} is not dispatched`);
  if (task.state !== 'dispatched') return fault('TooLate', `task ${uid} is ${task.state}`);
  if (role === 'review') return fault('TaskNotInState', 'no review is open');
  return role === 'slice' ? sliceReady(draft, task, command, ctx) : aggregatorReady(draft, task, command, ctx);
};
