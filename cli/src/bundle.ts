/** The proof that masters leave beside a result: the ConfigMap `<task>-result` of the submitter's namespace, decoded strictly. */
import { z } from 'zod';
import { decodeCanonical, SignedAggregateEvidence, SignedSliceEvidence, type CertifiedLeaf, type Task } from '@scs/protocol';
import { CliError } from './errors.ts';
import type { KubeAccess } from './kube.ts';

const digestHex = z.string().regex(/^[0-9a-f]{64}$/);
const hexBytes = z.string().regex(/^([0-9a-f]{2})*$/);
export const LeafFile: z.ZodType<CertifiedLeaf> = z.strictObject({
  key: z.string().max(256),
  value: hexBytes,
  siblings: z.array(digestHex).max(256),
  certificate: z.strictObject({
    head: z.strictObject({ genesis: digestHex, generation: z.bigint(), height: z.bigint(), stateRoot: digestHex, block: digestHex }),
    votes: z.array(z.strictObject({ master: z.int().min(0).max(2), signature: z.string().regex(/^[0-9a-f]{128}$/) })).max(3),
  }),
});
const EvidenceFile = z.strictObject({ aggregate: SignedAggregateEvidence, slices: z.array(SignedSliceEvidence).min(1).max(1000) });
const SettlementFile = z.strictObject({ index: z.int().min(0), count: z.int().min(1), path: z.array(digestHex).max(64) });

export interface Bundle {
  readonly sealed: Uint8Array;
  readonly evidence: z.infer<typeof EvidenceFile>;
  readonly envelope: CertifiedLeaf;
  readonly task: CertifiedLeaf;
  readonly batch: CertifiedLeaf | undefined;
  readonly settlement: z.infer<typeof SettlementFile> | undefined;
}

/** Throws CliError when there is no result yet, or a file of it is not what it should be. */
export const readBundle = async (kube: KubeAccess, task: Task): Promise<Bundle> => {
  const name = task.status?.result?.configMap;
  if (!name)
    throw new CliError(
      'NoResult',
      `Task ${task.metadata.name} has no result: it is ${task.status?.state ?? 'not admitted yet'}.${task.status?.message ? ` ${task.status.message}` : ''}`,
    );
  const files = await kube.configMap(task.metadata.namespace!, name);
  if (!files) throw new CliError('NoResult', `ConfigMap ${name} is gone. The masters write it again within a minute.`);
  return decodeBundle(files);
};

export const decodeBundle = (files: Readonly<Record<string, Uint8Array>>): Bundle => ({
  sealed: fileOf(files, 'result.sealed'),
  evidence: decoded(EvidenceFile, files, 'evidence.json'),
  envelope: decoded(LeafFile, files, 'envelope.leaf'),
  task: decoded(LeafFile, files, 'task.leaf'),
  batch: files['batch.leaf'] && decoded(LeafFile, files, 'batch.leaf'),
  settlement: files['settlement.json'] && decoded(SettlementFile, files, 'settlement.json'),
});

const fileOf = (files: Readonly<Record<string, Uint8Array>>, name: string): Uint8Array => {
  const bytes = files[name];
  if (!bytes) throw new CliError('ProofIncomplete', `The result's ConfigMap lacks ${name}.`);
  return bytes;
};
const decoded = <S extends z.ZodType>(schema: S, files: Readonly<Record<string, Uint8Array>>, name: string): z.infer<S> => {
  try {
    return schema.parse(decodeCanonical(fileOf(files, name)));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(
      'ProofMalformed',
      `${name} of the result's ConfigMap is malformed: ${cause instanceof Error ? cause.message.slice(0, 300) : String(cause)}`,
    );
  }
};
