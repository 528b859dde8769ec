/**
 * Release (rules B2, B3, B6, C2): what a slice computed is stored under the Vault's own key, its receipt decided by the masters,
 * and only then may a byte leave. Every step may be repeated, by whomever, after a crash at any point.
 */
import {
  decodeCanonical,
  audienceCommitment,
  decodeSliceRelease,
  encodeSliceOutput,
  envelopeAad,
  fromHex,
  outputCommitment,
  outputLength,
  type KeptAudience,
  SignedSliceEvidence,
  sliceEvidenceDigest,
  statementFits,
  type SliceOutput,
  type SliceRelease,
  type TaskRecord,
} from '@scs/protocol';
import { open, type MastersPort } from '@scs/proto';
import { certifiedTask } from './certified.ts';
import { dutyOf, isFinished, partOf } from './duty.ts';
import { enclaveRefusal } from './enclave-check.ts';
import { taskRefusal, type Judge } from './judge.ts';
import type { Pace } from './pace.ts';
import { refusal, type Refusal } from './refusal.ts';
import { sendReceipt } from './statements.ts';
import type { Reservation, StoredOutput } from './store/reservations.ts';
import type { VaultStore } from './store/vault-store.ts';

export interface ReleaseContext extends Judge {
  readonly store: VaultStore;
  readonly masters: Pick<MastersPort, 'getLeaf' | 'submit'>;
  /** B4: absent in tests that are not about time. */
  readonly pace?: Pace;
}
export interface ReleaseAsked {
  readonly task: string;
  /** Canonical SignedSliceEvidence. */
  readonly evidence: Uint8Array;
  readonly sealedOutput: Uint8Array;
  readonly enc: Uint8Array;
}
export type Released = { readonly ok: true; readonly height: bigint } | { readonly ok: false; readonly refusal: Refusal };
const no = (code: string, message: string): Released => ({ ok: false, refusal: refusal(code, message) });

const evidenceOf = (bytes: Uint8Array): SignedSliceEvidence | undefined => {
  if (bytes.length > 128 * 1024) return undefined;
  try {
    return SignedSliceEvidence.parse(decodeCanonical(bytes));
  } catch {
    // Whatever is wrong with it, it is no evidence.
    return undefined;
  }
};
const outputOf = async (
  { store }: ReleaseContext,
  { sealedOutput, enc }: ReleaseAsked,
  envelope: string,
): Promise<SliceRelease | undefined> => {
  try {
    const plain = await open(store.keys.sealPrivateKey, 'slice-release', { enc, ciphertext: sealedOutput }, envelopeAad(envelope));
    return decodeSliceRelease(plain);
  } catch {
    // Sealed to another key, altered, or no output inside: the same to us.
    return undefined;
  }
};

/** A3: signed by the certified enclave, for this slice and envelope, and opening to this output. */
const evidenceRefusal = (
  { evidence, signature }: SignedSliceEvidence,
  output: SliceOutput,
  audience: KeptAudience | undefined,
  record: TaskRecord,
  { store, genesisDigest }: ReleaseContext,
): Refusal | undefined => {
  const enclave = partOf(record, store.vault)?.enclave;
  if (!enclave) return refusal('EnclaveMissing', 'no enclave of this slice is certified');
  if (evidence.signKey !== enclave.signKey || evidence.sealKey !== enclave.sealKey)
    return refusal('EnclaveReplaced', 'the evidence is of another enclave than the certified one');
  if (evidence.vault !== store.vault || evidence.envelope !== record.envelope)
    return refusal('EvidenceInvalid', 'the evidence is of another slice');
  if (!statementFits(enclave.signKey, 'slice.evidence', genesisDigest, evidence, signature))
    return refusal('EvidenceInvalid', 'the evidence is not signed by its enclave');
  if (outputCommitment(output) !== evidence.outputCommitment) return refusal('EvidenceInvalid', 'the output does not open its commitment');
  if (
    (audience && audienceCommitment(audience)) !== evidence.audienceCommitment ||
    (audience !== undefined) !== (record.plan!.audience !== undefined)
  )
    return refusal('EvidenceInvalid', 'the audience is not the one that the plan and the evidence speak of');
  return output.cells.length === outputLength(record.plan!)
    ? undefined
    : refusal('EvidenceInvalid', 'the output has not the cells of the plan');
};

const storeFaults: Record<'ConsentChanged' | 'AlreadyStored' | 'NotReserved' | 'AudienceUnfit', string> = {
  ConsentChanged: 'a subject revoked consent; open the slice again and run it on the fresh snapshot',
  AlreadyStored: 'an output of this slice is stored already; open the slice again to get it',
  AudienceUnfit: 'the audience is not of the subjects that this Vault charged',
  NotReserved: 'this Vault holds no reservation for the task',
};

/** B3's first half, up to the stored output; then the second (`decideRelease`). Throws MastersUnavailable and StoreError. */
export const release = async (asked: ReleaseAsked, context: ReleaseContext): Promise<Released> => {
  const { store } = context;
  const record = await certifiedTask(context.masters, asked.task);
  const part = record && partOf(record, store.vault);
  if (!record || !part) return no('TaskUnknown', 'no certified task of that name asks this Vault');
  const before = await store.output(asked.task);
  if (!before) {
    if (record.state !== 'dispatched' || !record.envelope || !record.plan) return no('TooLate', `the task is ${record.state}`);
    const unfit = enclaveRefusal(record, part.enclave?.sealKey ?? '', context, store.vault) ?? taskRefusal(record, context);
    if (unfit) return { ok: false, refusal: unfit };
  }
  if (!record.envelope) return no('TooLate', `the task is ${record.state}`);
  const signed = evidenceOf(asked.evidence);
  const opened = await outputOf(context, asked, record.envelope);
  if (!opened) return no('SealInvalid', "the output does not open with this Vault's key");
  const { audience, ...output } = opened;
  if (!signed) return no('EvidenceInvalid', 'the evidence is not canonical evidence of a slice');
  const unfit = before ? undefined : evidenceRefusal(signed, output, audience, record, context);
  if (unfit) return { ok: false, refusal: unfit };
  const stored = await store.storeOutput({
    task: asked.task,
    envelope: record.envelope,
    snapshotCommitment: signed.evidence.snapshotCommitment,
    consentCommitment: signed.evidence.consentCommitment,
    output: encodeSliceOutput(output),
    evidence: asked.evidence,
    ...(audience && { audience: { bitmap: fromHex(audience.bitmap), expiresSeconds: record.plan!.audience!.expiresSeconds } }),
  });
  if (!stored.ok) return no(stored.code, storeFaults[stored.code]);
  await context.pace?.due(`release/${asked.task}`);
  return decideRelease(stored.stored, stored.reservation, context);
};

/** B3's second half: the receipt, its decision, and the commit. Idempotent; resumed by whoever finds a stored output undecided. */
export const decideRelease = async (stored: StoredOutput, reservation: Reservation, context: ReleaseContext): Promise<Released> => {
  const { store, masters } = context;
  const { task, envelope } = stored;
  if (stored.height !== undefined) return { ok: true, height: stored.height };
  const signed = SignedSliceEvidence.parse(decodeCanonical(stored.evidence));
  const evidence = sliceEvidenceDigest(signed);
  const { outputCommitment: commitment } = signed.evidence;
  const reply = await sendReceipt(
    { ...context },
    { envelope, task, vault: store.vault, evidence, outputCommitment: commitment, committedMicroRho: reservation.ask },
  );
  const record = await certifiedTask(masters, task);
  const decided = record && partOf(record, store.vault)?.release;
  // The certified record, not one master's word, says that output may leave, or that it never will.
  if (decided?.evidence === evidence && decided.outputCommitment === commitment) {
    await store.commit(task, decided.microRho, decided.height);
    return { ok: true, height: decided.height };
  }
  if (record && dutyOf(record, store.vault, reservation, true).kind === 'give back') {
    await store.release(task);
    if (isFinished(record)) await store.end(task);
    return no('TooLate', 'the task ended, or goes on, without this release; its reservation is given back');
  }
  if (reply.ok || reply.code === 'AlreadyDecided') return no('NotReady', 'the release is decided, but no master shows it yet');
  return no(reply.code, reply.message);
};
