/**
 * The proof that masters leave beside a result: the ConfigMap `<task>-result` of the submitter's namespace, decoded strictly.
 *
 *   result.sealed    the sealed result, packed (enc || ciphertext)
 *   evidence.json    canonical {aggregate, slices}: the signed evidence, slices in the order of the survivors
 *   task.leaf        canonical CertifiedLeaf of task/<uid>; envelope.leaf and batch.leaf (once settled) likewise
 *   catalogue.json   the semantic catalogue that resolved the task, where it isn't the genesis'
 *   own.leaf         certified attributes of the one Vault that was asked, where the task used its own (S3)
 *   settlement.json  canonical {index, count, path}: the task's place under the batch's root, once settled
 */
import { z } from 'zod';
import { Catalogue, decodeCanonical, SignedAggregateEvidence, SignedSliceEvidence, type CertifiedLeaf, type Task } from '@scs/protocol';
import { CliError } from './errors.ts';
import type { KubeAccess } from './kube.ts';

/** A ConfigMap holds a MiB at most; whatever is larger did not come from one. */
const MAX_FILE_BYTES = 1024 * 1024;
const U64_MAX = 2n ** 64n - 1n;
const digestHex = z.string().regex(/^[0-9a-f]{64}$/);
const hexBytes = z.string().regex(/^([0-9a-f]{2})*$/);
const u64 = z.bigint().min(0n).max(U64_MAX);
export const LeafFile: z.ZodType<CertifiedLeaf> = z.strictObject({
  key: z.string().max(256),
  value: hexBytes,
  siblings: z.array(digestHex).max(256),
  certificate: z.strictObject({
    head: z.strictObject({ genesis: digestHex, generation: u64, height: u64, stateRoot: digestHex, block: digestHex }),
    votes: z.array(z.strictObject({ master: z.int().min(0).max(2), signature: z.string().regex(/^[0-9a-f]{128}$/) })).max(3),
  }),
});
export const EvidenceFile = z.strictObject({ aggregate: SignedAggregateEvidence, slices: z.array(SignedSliceEvidence).min(1).max(1000) });
export const SettlementFile = z.strictObject({
  index: z.int().min(0).max(9_999),
  count: z.int().min(1).max(10_000),
  path: z.array(digestHex).max(64),
});

export interface Bundle {
  readonly sealed: Uint8Array;
  readonly evidence: z.infer<typeof EvidenceFile>;
  readonly envelope: CertifiedLeaf;
  readonly task: CertifiedLeaf;
  readonly batch: CertifiedLeaf | undefined;
  readonly settlement: z.infer<typeof SettlementFile> | undefined;
  readonly catalogue?: Catalogue | undefined;
  readonly own?: CertifiedLeaf | undefined;
}
export type Files = Readonly<Record<string, Uint8Array>>;

/** Throws CliError when there is no result yet, or a file of it is not what it should be. */
export const readBundle = async (kube: KubeAccess, task: Task): Promise<Bundle> => {
  const { name: taskName, namespace } = task.metadata;
  const { status } = task;
  const name = status?.result?.configMap;
  if (!name)
    throw new CliError(
      'NoResult',
      `Task ${taskName} has no result: it is ${status?.state ?? 'not admitted yet'}.${status?.message ? ` ${status.message}` : ''}`,
    );
  const files = await kube.configMap(namespace ?? kube.namespace, name);
  if (!files) throw new CliError('NoResult', `ConfigMap ${name} is gone. The masters write it again within a minute.`);
  return decodeBundle(files);
};

/** Throws CliError, and nothing else, whatever the bytes are. */
export const decodeBundle = (files: Files): Bundle => ({
  sealed: fileOf(files, 'result.sealed'),
  evidence: decoded(EvidenceFile, files, 'evidence.json'),
  envelope: decoded(LeafFile, files, 'envelope.leaf'),
  task: decoded(LeafFile, files, 'task.leaf'),
  batch: files['batch.leaf'] && decoded(LeafFile, files, 'batch.leaf'),
  settlement: files['settlement.json'] && decoded(SettlementFile, files, 'settlement.json'),
  catalogue: files['catalogue.json'] && decoded(Catalogue, files, 'catalogue.json'),
  own: files['own.leaf'] && decoded(LeafFile, files, 'own.leaf'),
});

const fileOf = (files: Files, name: string): Uint8Array => {
  const bytes = files[name];
  if (!bytes) throw new CliError('ProofIncomplete', `The result's ConfigMap lacks ${name}.`);
  if (bytes.length > MAX_FILE_BYTES) throw new CliError('ProofMalformed', `${name} of the result's ConfigMap is over a MiB.`);
  return bytes;
};
const decoded = <S extends z.ZodType>(schema: S, files: Files, name: string): z.infer<S> => {
  const bytes = fileOf(files, name);
  try {
    return schema.parse(decodeCanonical(bytes));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : cause instanceof Error ? cause.message : String(cause);
    throw new CliError('ProofMalformed', `${name} of the result's ConfigMap is malformed: ${why.slice(0, 300)}`);
  }
};
