/** Evidence (rules A3, B3, M2): what a slice, a Vault and an aggregator sign. No record, no subject, no count, no plain digest of small sets. */
import { z } from 'zod';
import { Attestation } from './attestation.ts';
import { encodeCanonical } from './encoding/canonical.ts';
import { taggedHash, digest, type Digest } from './encoding/hash.ts';
import { fromHex, concat, utf8, hex } from './encoding/bytes.ts';
import { sign, verifySignature } from './keys.ts';
import { MAX_OUTPUT_VALUES } from './output-layout.ts';
import { PlanMeasure } from './plan.ts';

const digestHex = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().regex(/^[0-9a-f]{128}$/);
const vaultName = z.string().min(3).max(128);

/** Signed by the slice's sidecar (key bound in `attestation`). */
export const SliceEvidence = z.strictObject({
  envelope: digestHex,
  vault: vaultName,
  round: z.int().min(0),
  attestation: Attestation,
  signKey: digestHex,
  sealKey: digestHex,
  /** Digest of the executor program and of the plan it ran. */
  program: digestHex,
  snapshotCommitment: digestHex,
  consentCommitment: digestHex,
  outputCommitment: digestHex,
  /** Of who was selected (T1), where the plan keeps an audience; opened to the Vault alone. */
  audienceCommitment: digestHex.exactOptional(),
});
export type SliceEvidence = z.infer<typeof SliceEvidence>;
export const SignedSliceEvidence = z.strictObject({ evidence: SliceEvidence, signature });
export type SignedSliceEvidence = z.infer<typeof SignedSliceEvidence>;

/** The Vault's receipt (B3): signed by the Vault's key before any byte leaves; masters decide it as `slice.release`. */
export const ReleaseReceipt = z.strictObject({
  envelope: digestHex,
  task: z.string().max(64),
  vault: vaultName,
  evidence: digestHex,
  outputCommitment: digestHex,
  committedMicroRho: z.bigint().min(0n),
  /** Last acknowledged journal sequence and its hiding head (B8). */
  journal: z.strictObject({ sequence: z.bigint().min(0n), head: digestHex }),
});
export type ReleaseReceipt = z.infer<typeof ReleaseReceipt>;

/** Signed by the aggregator's sidecar. */
export const AggregateEvidence = z.strictObject({
  envelope: digestHex,
  attestation: Attestation,
  signKey: digestHex,
  sealKey: digestHex,
  enterprise: z.string().regex(/^0x[0-9a-f]{64}$/),
  /** Output commitments of the survivors, in the envelope's order. */
  inputs: z
    .array(z.strictObject({ vault: vaultName, outputCommitment: digestHex }))
    .min(1)
    .max(1000),
  /** SHA3 digest (`blobDigest`) of the sealed result. */
  sealedResult: digestHex,
});
export type AggregateEvidence = z.infer<typeof AggregateEvidence>;
export const SignedAggregateEvidence = z.strictObject({ evidence: AggregateEvidence, signature });
export type SignedAggregateEvidence = z.infer<typeof SignedAggregateEvidence>;

/** What a slice seals to the aggregator, and what opens its commitment: the numbers of `outputParts`, noised, maybe negative. */
export const SliceOutput = z.strictObject({ cells: z.array(z.bigint()).min(1).max(MAX_OUTPUT_VALUES), nonce: digestHex });
export type SliceOutput = z.infer<typeof SliceOutput>;
export const outputCommitment = (output: SliceOutput): Digest<'output'> => digest('output', encodeCanonical(output));

/** What the submitter opens. A suppressed cell has neither count nor values (S5). `values`, one a measure: noised sums (of means, too), values of a grid. */
export const TaskResult = z.strictObject({
  envelope: digestHex,
  cells: z
    .array(
      z.strictObject({
        label: z.string().max(64),
        count: z.bigint().optional(),
        values: z.array(z.bigint()).min(1).max(4).exactOptional(),
      }),
    )
    .min(1)
    .max(100),
  vaults: z.int().min(1),
  epsilon: z.bigint(),
  cellsPerSubject: z.int().min(1),
  /** As in the plan. */
  measures: z.array(PlanMeasure).min(1).max(4).exactOptional(),
});
export type TaskResult = z.infer<typeof TaskResult>;

/** A hiding commitment: SHA3 over a secret 32-byte nonce and the value (C3, A3). */
export const commit = (tag: string, nonce: string, value: Uint8Array): string =>
  hex(taggedHash(`SCS::commit::${tag}`, fromHex(nonce), value));

/** Digest by which sealed blobs are stored and named. */
export const blobDigest = (bytes: Uint8Array): Digest<'blob'> => digest('blob', bytes);

/** Signed statements: tag || canonical bytes. One tag a kind, so no signature fits two statements. */
export type StatementKind =
  | 'vault.register'
  | 'vault.answer'
  | 'slice.release'
  | 'slice.evidence'
  | 'aggregate.evidence'
  | 'enclave.ready'
  | 'counter.admit'
  | 'master.seat'
  | 'master.replace'
  | 'budget.replenish'
  | 'catalogue.change'
  | 'version.announce'
  | 'version.activate'
  | 'vault.dividends'
  | 'vault.dividend-receipt'
  | 'task.terms';
export const statementBytes = (kind: StatementKind, genesis: string, statement: unknown): Uint8Array =>
  concat(utf8(`SCS::${kind}::v1`), fromHex(genesis), encodeCanonical(statement));
export const signStatement = (seed: string, kind: StatementKind, genesis: string, statement: unknown): string =>
  sign(seed, statementBytes(kind, genesis, statement));
export const statementFits = (publicKey: string, kind: StatementKind, genesis: string, statement: unknown, mark: string): boolean =>
  verifySignature(publicKey, statementBytes(kind, genesis, statement), mark);
export const sliceEvidenceDigest = (signed: SignedSliceEvidence): Digest<'slice-evidence'> =>
  digest('slice-evidence', encodeCanonical(signed));
