/**
 * Opening a slice (rules A2, B6, C2, C5): the verified enclave gets, sealed to its key, either the snapshot with the eligible
 * subjects and the noise seed, or, when an output was released before, just that output.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeCanonical,
  decodeSliceOutput,
  encodePlan,
  encodeSliceInput,
  envelopeAad,
  filesBytes,
  hex,
  SignedSliceEvidence,
  SLICE_CHUNK_BYTES,
  type SliceInput,
  type SnapshotInput,
  type TaskRecord,
} from '@scs/protocol';
import { fileClass } from '@scs/protocol/size-class.ts';
import { sealContext } from '@scs/proto';
import { certifiedEnvelope, certifiedTask } from './certified.ts';
import { enclaveRefusal } from './enclave-check.ts';
import { taskRefusal } from './judge.ts';
import { noiseSeed } from './noise-seed.ts';
import { refusal, type Refusal } from './refusal.ts';
import { decideRelease, type ReleaseContext } from './release.ts';
import type { Reservation, StoredOutput } from './store/reservations.ts';
import { commitmentsOf } from './store/task-steps.ts';

export interface SealedPart {
  /** Only in the first part. */
  readonly enc: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly last: boolean;
}
export type OpenedSlice =
  { readonly ok: true; readonly parts: AsyncGenerator<SealedPart, void> } | { readonly ok: false; readonly refusal: Refusal };
const no = (refused: Refusal): OpenedSlice => ({ ok: false, refusal: refused });

/** C5: the envelope must say of this Vault what the Vault itself answered. */
const envelopeRefusal = async (
  record: TaskRecord,
  reservation: Reservation,
  { store, masters }: ReleaseContext,
): Promise<Refusal | undefined> => {
  const envelope = await certifiedEnvelope(masters, record);
  const entry = envelope?.vaults.find(({ vault }) => vault === store.vault);
  const fits =
    envelope !== undefined &&
    entry !== undefined &&
    entry.key === store.keys.publicKey &&
    entry.reservedMicroRho === reservation.ask &&
    entry.snapshotCommitment === reservation.firstSnapshot &&
    entry.consentCommitment === reservation.firstConsent &&
    envelope.usage === reservation.usage &&
    envelope.submitter === reservation.submitter &&
    record.plan !== undefined &&
    envelope.plan === hex(encodePlan(record.plan));
  return fits ? undefined : refusal('EnvelopeMismatch', 'the certified envelope is not what this Vault answered to');
};

/** `held`: commitment of a snapshot that a warm slice still has. Throws MastersUnavailable and StoreError. */
export const openSlice = async (task: string, sealKey: string, context: ReleaseContext, held = ''): Promise<OpenedSlice> => {
  const { store, masters } = context;
  const record = await certifiedTask(masters, task);
  if (!record) return no(refusal('TaskUnknown', 'no certified task of that name asks this Vault'));
  const unfit = enclaveRefusal(record, sealKey, context, store.vault);
  if (unfit) return no(unfit);
  const known = await store.reservation(task);
  if (!known || known.state === 'released') return no(refusal('NotReserved', 'this Vault holds no reservation for the task'));
  const mismatch = await envelopeRefusal(record, known, context);
  if (mismatch) return no(mismatch);
  const stored = await store.output(task);
  if (stored) return openStored(stored, known, sealKey, context);
  // C5: the manifest may have been narrowed since the answer; what B3 released before stays released.
  const refused = taskRefusal(record, context);
  if (refused) return no(refused);
  const reservation = await store.refresh(task);
  if (!reservation) return no(refusal('NotReserved', 'this Vault holds no reservation for the task'));
  context.pace?.begin(`release/${task}`);
  return { ok: true, parts: sealSnapshot(record, reservation, { sealKey, held }, context) };
};

/** B6: sent again, once its release is decided; never computed again. */
const openStored = async (
  stored: StoredOutput,
  reservation: Reservation,
  sealKey: string,
  context: ReleaseContext,
): Promise<OpenedSlice> => {
  const released = await decideRelease(stored, reservation, context);
  if (!released.ok) return no(released.refusal);
  const header: SliceInput = {
    kind: 'stored',
    envelope: stored.envelope,
    vault: context.store.vault,
    output: decodeSliceOutput(stored.output),
    evidence: SignedSliceEvidence.parse(decodeCanonical(stored.evidence)),
  };
  return { ok: true, parts: sealed(sealKey, header, noFiles()) };
};

// oxlint-disable-next-line require-yield -- a slice without files
const noFiles = async function* (): AsyncGenerator<Uint8Array, void> {
  await Promise.resolve();
};

const sealSnapshot = async function* (
  record: TaskRecord,
  reservation: Reservation,
  { sealKey, held }: { readonly sealKey: string; readonly held: string },
  { store }: ReleaseContext,
): AsyncGenerator<SealedPart, void> {
  const eligible = join(store.folders.scratch, `${randomUUID()}.parquet`);
  try {
    const snapshot = await store.snapshot(reservation.snapshot);
    await store.writeEligible(reservation.id, eligible);
    const commitments = commitmentsOf(reservation, snapshot);
    const envelope = record.envelope!;
    const header: SnapshotInput = {
      kind: 'snapshot',
      envelope,
      vault: store.vault,
      plan: record.plan!,
      noiseSeed: noiseSeed(store.keys.noiseKey, { envelope, snapshotCommitment: commitments.snapshot, vault: store.vault, round: 0 }),
      snapshot: {
        commitment: commitments.snapshot,
        nonce: snapshot.nonce,
        bytes: snapshot.bytes,
        ...(held === commitments.snapshot && { held: true }),
      },
      consent: { commitment: commitments.consent, nonce: reservation.consentNonce, receipt: hex(reservation.receipt) },
      eligibleBytes: (await stat(eligible)).size,
      vaultSealKey: store.keys.sealKey,
    };
    const files = async function* (): AsyncGenerator<Uint8Array, void> {
      if (!header.snapshot.held) yield* store.readSnapshot(snapshot);
      for await (const chunk of createReadStream(eligible, { highWaterMark: SLICE_CHUNK_BYTES })) yield chunk as Uint8Array;
    };
    yield* sealed(sealKey, header, files());
  } finally {
    await rm(eligible, { force: true });
  }
};

const withPadding = async function* (files: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array, void> {
  yield* files;
  for (let left = bytes; left > 0; left -= SLICE_CHUNK_BYTES) yield new Uint8Array(Math.min(left, SLICE_CHUNK_BYTES));
};
/** Whole chunks but for the last: where a file ends is not to be seen. */
const recut = async function* (parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const chunk = new Uint8Array(SLICE_CHUNK_BYTES);
  let filled = 0;
  for await (const bytes of parts)
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + SLICE_CHUNK_BYTES - filled);
      chunk.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < SLICE_CHUNK_BYTES) continue;
      yield chunk;
      filled = 0;
    }
  if (filled > 0) yield chunk.subarray(0, filled);
};

/** Chunk 0 is the header; all under one HPKE context, in order, bound to the envelope. */
const sealed = async function* (sealKey: string, header: SliceInput, files: AsyncIterable<Uint8Array>): AsyncGenerator<SealedPart, void> {
  const context = await sealContext(sealKey, 'slice-input');
  const aad = envelopeAad(header.envelope);
  const length = filesBytes(header);
  let left = length === 0 ? 0 : fileClass(length);
  yield { enc: context.enc, ciphertext: await context.seal(encodeSliceInput(header), aad), last: left === 0 };
  for await (const chunk of recut(withPadding(files, left - length))) {
    left -= chunk.length;
    yield { enc: new Uint8Array(), ciphertext: await context.seal(chunk, aad), last: left === 0 };
  }
};
