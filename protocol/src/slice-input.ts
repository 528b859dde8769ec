/**
 * What passes between a Vault, its slice and the aggregator, under seal (rules A2, B3, B6, M3). The sealed streams and blobs
 * are made with `proto/src/sealing.ts`; this file says what is inside.
 *
 *   OpenSlice  purpose slice-input, AAD = envelope digest (32 bytes) on every chunk. Chunk 0 is `SliceInput`; for `snapshot`
 *              the further chunks are the Parquet snapshot (unless the slice holds it) and then the eligible subjects, cut anywhere, at most
 *              SLICE_CHUNK_BYTES each, and zeros up to `fileClass`. The lengths are in the header, so that a cut stream shows.
 *   Release    purpose slice-release, AAD = envelope digest: canonical `SliceRelease`, to `vaultSealKey`.
 *   Blob       `slice/<vault>/<aggregator's seal key>`: purpose slice-output, AAD = envelope digest || vault (UTF-8), packed
 *              enc || ciphertext: canonical `SlicePayload`.
 *   Blob       `result/<digest>`: purpose task-result, AAD = envelope digest, packed: canonical `TaskResult`.
 */
import { z } from 'zod';
import { concat, fromHex, hex, utf8 } from './encoding/bytes.ts';
import { decodeCanonical, encodeCanonical } from './encoding/canonical.ts';
import { digest, sha3, taggedHash, type Digest } from './encoding/hash.ts';
import { commit, SignedSliceEvidence, SliceOutput, TaskResult } from './evidence.ts';
import { encodePlan, Plan } from './plan.ts';
import { padded, unpadded, WIDEST } from './size-class.ts';

const digestHex = z.string().regex(/^[0-9a-f]{64}$/);
const vaultName = z.string().min(3).max(128);

/** Bytes of plaintext in one chunk, at most. */
export const SLICE_CHUNK_BYTES = 1024 * 1024;
/** Snapshot and eligible subjects together; the slice's scratch is memory. */
export const MAX_SLICE_BYTES = 1024 * 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

export const SliceInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('snapshot'),
    envelope: digestHex,
    vault: vaultName,
    plan: Plan,
    /** B6: derived by the Vault for this envelope, slice, round and snapshot commitment. Secret. */
    noiseSeed: digestHex,
    /** `commit('snapshot', nonce, SHA3(snapshot file))`: what the certified answer holds, or that of a fresh snapshot (C2). */
    snapshot: z.strictObject({
      commitment: digestHex,
      nonce: digestHex,
      bytes: z.int().min(1).max(MAX_SLICE_BYTES),
      /** The slice said that it has this one: it is not sent again. */
      held: z.literal(true).exactOptional(),
    }),
    /** `commit('consent', nonce, SHA3(receipt))`, the receipt being the Vault's (C3): hex of its bytes. */
    consent: z.strictObject({
      commitment: digestHex,
      nonce: digestHex,
      receipt: z
        .string()
        .regex(/^([0-9a-f]{2})*$/)
        .max(8192),
    }),
    eligibleBytes: z.int().min(1).max(MAX_SLICE_BYTES),
    /** X25519 key of the Vault process that `Release` seals to. */
    vaultSealKey: digestHex,
  }),
  /** B3 stored an output before: it is sent again, never computed again (B6). */
  z.strictObject({
    kind: z.literal('stored'),
    envelope: digestHex,
    vault: vaultName,
    output: SliceOutput,
    evidence: SignedSliceEvidence,
  }),
]);
export type SliceInput = z.infer<typeof SliceInput>;
export type SnapshotInput = Extract<SliceInput, { kind: 'snapshot' }>;
/** Bytes of the snapshot that follow the header. */
export const snapshotBytes = ({ snapshot }: Pick<SnapshotInput, 'snapshot'>): number => (snapshot.held ? 0 : snapshot.bytes);
/** Bytes that follow the header, before their padding: the snapshot, unless it is held, and the eligible subjects. */
export const filesBytes = (input: SliceInput): number => (input.kind === 'stored' ? 0 : snapshotBytes(input) + input.eligibleBytes);

/** Who is in a kept audience (T1): bit i, from the lowest of byte 0, is the i-th of the eligible subjects in ascending order. */
export const KeptAudience = z.strictObject({
  bitmap: z
    .string()
    .regex(/^([0-9a-f]{2})*$/)
    .max(8_000_000),
  /** Opens `SliceEvidence.audienceCommitment`. */
  nonce: digestHex,
});
export type KeptAudience = z.infer<typeof KeptAudience>;
/** What a slice seals to its Vault: the output, and what never goes further. */
export const SliceRelease = SliceOutput.extend({ audience: KeptAudience.exactOptional() });
export type SliceRelease = z.infer<typeof SliceRelease>;

/** What a slice seals to the aggregator. */
export const SlicePayload = z.strictObject({ output: SliceOutput, evidence: SignedSliceEvidence });
export type SlicePayload = z.infer<typeof SlicePayload>;

const decodeAs =
  <T>(schema: z.ZodType<T>) =>
  (bytes: Uint8Array): T => {
    if (bytes.length > MAX_HEADER_BYTES) throw new RangeError(`${bytes.length} bytes exceed ${MAX_HEADER_BYTES}`);
    return schema.parse(decodeCanonical(bytes));
  };
const decodePadded = <T>(schema: z.ZodType<T>) => {
  const decode = decodeAs(schema);
  return (bytes: Uint8Array): T => decode(unpadded(bytes));
};
const widestOutput = <T extends { readonly cells: readonly bigint[] }>(output: T): object => ({
  ...output,
  cells: output.cells.map(() => WIDEST),
});
const widestInput = (input: SliceInput): object =>
  input.kind === 'stored'
    ? { ...input, output: widestOutput(input.output) }
    : { ...input, snapshot: { ...input.snapshot, bytes: MAX_SLICE_BYTES, held: true }, eligibleBytes: MAX_SLICE_BYTES };
/** As if no cell were suppressed. */
const widestResult = (result: TaskResult): object => ({
  ...result,
  cells: result.cells.map(({ label }) => ({ label, count: WIDEST, values: (result.measures ?? []).map(() => WIDEST) })),
});

/** What is sealed is padded: its size tells nothing of the data; `SliceOutput` alone is not. Decoders throw RangeError, SyntaxError or ZodError on anything but the one canonical spelling. */
export const encodeSliceInput = (input: SliceInput): Uint8Array => padded(input, widestInput(input));
export const decodeSliceInput: (bytes: Uint8Array) => SliceInput = decodePadded(SliceInput);
export const encodeSliceOutput = (output: SliceOutput): Uint8Array => encodeCanonical(output);
export const decodeSliceOutput: (bytes: Uint8Array) => SliceOutput = decodeAs(SliceOutput);
export const encodeSliceRelease = (release: SliceRelease): Uint8Array => padded(release, widestOutput(release));
export const decodeSliceRelease: (bytes: Uint8Array) => SliceRelease = decodePadded(SliceRelease);
export const encodeSlicePayload = (payload: SlicePayload): Uint8Array =>
  padded(payload, { ...payload, output: widestOutput(payload.output) });
export const decodeSlicePayload: (bytes: Uint8Array) => SlicePayload = decodePadded(SlicePayload);
export const encodeTaskResult = (result: TaskResult): Uint8Array => padded(result, widestResult(result));
export const decodeTaskResult: (bytes: Uint8Array) => TaskResult = decodePadded(TaskResult);

/** AAD of slice-input, slice-release and task-result. `envelope`: hex digest. */
export const envelopeAad = (envelope: string): Uint8Array => fromHex(envelope);
/** AAD of slice-output: an output sealed for one Vault's place does not open in another's. */
export const sliceOutputAad = (envelope: string, vault: string): Uint8Array => concat(fromHex(envelope), utf8(vault));
export const sliceBlobName = (vault: string, aggregatorSealKey: string): string => `slice/${vault}/${aggregatorSealKey}`;
export const resultBlobName = (blob: Digest<'blob'>): string => `result/${blob}`;

/** `file`: the Parquet bytes. */
export const snapshotCommitment = (nonce: string, file: Uint8Array): string => commit('snapshot', nonce, sha3(file));
/** `receipt`: hex. */
export const consentCommitment = (nonce: string, receipt: string): string => commit('consent', nonce, sha3(fromHex(receipt)));
/** `bitmap`: hex. */
export const audienceCommitment = ({ nonce, bitmap }: KeptAudience): string => commit('audience', nonce, sha3(fromHex(bitmap)));
/** From the noise seed, as an output's. */
export const audienceNonce = (noiseSeed: string): string => hex(taggedHash('SCS::audience-nonce', fromHex(noiseSeed)));

/** The nonce that hides an output: from the noise seed, so that a rerun commits to the same bytes (B6). */
export const outputNonce = (noiseSeed: string): string => hex(taggedHash('SCS::output-nonce', fromHex(noiseSeed)));

/** `SliceEvidence.program`: what ran (hex digest of the executor's program) on what (the plan). */
export const programDigest = (executor: string, plan: Plan): Digest<'program'> => digest('program', fromHex(executor), encodePlan(plan));
