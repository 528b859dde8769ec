/**
 * Penalties that need no judgement (rules G3, A5, B6): a statement that is signed by the key that was decided for it, and that
 * contradicts what was decided. Whoever holds it can prove it; each master checks it again; its penalty is the leaf `slash/<n>`.
 *
 *   release     a Vault's second receipt for one slice, with other evidence or another output
 *   aggregate   an aggregate whose decided enclave signed other inputs than the Vaults released
 *
 * Equivocation of masters needs no leaf: two decide votes go straight to the chain (G4).
 */
import type { Command, OffenceProof } from '../commands.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { digest } from '../encoding/hash.ts';
import { statementFits } from '../evidence.ts';
import { encodeSlash, penaltyOf } from '../staking.ts';
import type { TaskRecord } from '../state.ts';
import { fault, type Fault, type RuleContext } from './context.ts';
import type { Draft, Readable } from './draft.ts';
import { decideLeaf } from './economy.ts';

type Report = Extract<Command, { type: 'offence.report' }>;
/** Nobody brought it: no share of the penalty goes to a challenger. */
const NOBODY = `0x${'0'.repeat(64)}`;

interface Proven {
  readonly offender: string;
  /** Names the case: one penalty for each. */
  readonly name: string;
}
const unproven = (why: string): Fault => fault('EvidenceInvalid', `this proves no offence: ${why}`);

const contradictingRelease = (
  task: TaskRecord,
  { receipt, signature }: Extract<OffenceProof, { kind: 'release' }>,
  { genesisDigest }: RuleContext,
): Proven | Fault => {
  const part = task.parts.find(({ vault }) => vault === receipt.vault);
  if (!part?.release) return unproven('no release of that Vault is decided');
  if (receipt.envelope !== task.envelope) return unproven('it is for another envelope');
  if (receipt.evidence === part.release.evidence && receipt.outputCommitment === part.release.outputCommitment)
    return unproven('it is the decided release');
  if (!statementFits(part.key, 'slice.release', genesisDigest, receipt, signature)) return unproven(`${part.vault} did not sign it`);
  return { offender: part.enterprise, name: `${task.uid}/release/${part.vault}` };
};

const contradictingAggregate = (
  task: TaskRecord,
  { aggregate: { evidence, signature } }: Extract<OffenceProof, { kind: 'aggregate' }>,
  { genesisDigest }: RuleContext,
): Proven | Fault => {
  const { aggregatorEnclave: enclave, survivors } = task;
  if (!enclave || !survivors || evidence.signKey !== enclave.signKey) return unproven('its enclave was not decided to aggregate');
  if (evidence.envelope !== task.envelope) return unproven('it is for another envelope');
  const released = task.parts
    .filter(({ vault }) => survivors.includes(vault))
    .map(({ vault, release }) => ({ vault, outputCommitment: release!.outputCommitment }));
  if (equalBytes(encodeCanonical(evidence.inputs), encodeCanonical(released))) return unproven('its inputs are the released outputs');
  if (!statementFits(enclave.signKey, 'aggregate.evidence', genesisDigest, evidence, signature))
    return unproven('its enclave did not sign it');
  return { offender: enclave.subject, name: `${task.uid}/aggregate/${enclave.signKey}` };
};

const proven = (state: Readable, proof: OffenceProof, ctx: RuleContext): Proven | Fault => {
  const uid = proof.kind === 'release' ? proof.receipt.task : proof.task;
  const task = state.get('task', uid);
  if (!task) return fault('TaskUnknown', `there is no task ${uid}`);
  return proof.kind === 'release' ? contradictingRelease(task, proof, ctx) : contradictingAggregate(task, proof, ctx);
};

/** Repeats climb as they do on the chain (`penaltyOf`); the last grade takes membership, so the enterprise serves no task from now on. */
const climb = (draft: Draft, offender: string): void => {
  const earlier = draft.get('conduct', offender)?.offences ?? 0;
  draft.put('conduct', offender, { offences: earlier + 1 });
  const actor = draft.get('actor', offender);
  if (actor && penaltyOf(0n, 'invalid_evidence', earlier).expelled) draft.put('actor', offender, { ...actor, state: 'suspended' });
};

/** offence.report: one penalty of grade `invalid_evidence` for each case, however often it is reported. */
export const reportOffence = (draft: Draft, { proof }: Report, ctx: RuleContext): Fault | undefined => {
  const found = proven(draft, proof, ctx);
  if ('code' in found) return found;
  const { offender, name } = found;
  if (draft.get('offence', name)) return fault('AlreadyDecided', `the penalty for ${name} is decided`);
  const { epoch } = draft.must('meta');
  const number = decideLeaf(draft, 'slash', epoch, (n) =>
    encodeSlash({
      number: n,
      role: 'enterprise',
      offender,
      offence: 'invalid_evidence',
      case: digest('offence', encodeCanonical(proof)),
      challenger: NOBODY,
      share: 0n,
    }),
  );
  draft.put('offence', name, { offender, number });
  climb(draft, offender);
  return undefined;
};

/** The report that a refused command gives cause for; undefined when it can't prove anything. The rule checks it. */
export const accusationIn = (command: Command): Report | undefined => {
  if (command.type === 'slice.release')
    return { type: 'offence.report', proof: { kind: 'release', receipt: command.receipt, signature: command.signature } };
  if (command.type === 'aggregate.evidence')
    return { type: 'offence.report', proof: { kind: 'aggregate', task: command.task, aggregate: command.aggregate } };
  return undefined;
};
