/** Completes and signs a Task manifest (rule N5). */
import { randomBytes } from 'node:crypto';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { API_VERSION, authorizationMessage, genesisDigest, sign, TaskSpec, type Genesis, type Task } from '@scs/protocol';
import { CliError } from './errors.ts';
import { readPublic, readSeed } from './keys/key-folder.ts';

const Manifest = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Task'),
  metadata: z.object({
    name: z.string().min(1),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()),
});

export interface SigningInput {
  readonly yaml: string;
  readonly file: string;
  readonly keys: string;
  readonly genesis: Genesis;
  readonly namespace: string;
  readonly now: Date;
  readonly validSeconds: number;
  readonly name?: string | undefined;
}

/** The task with submitter, resultKey and authorization filled in. Throws CliError that says what the manifest lacks. */
export const signTask = async (input: SigningInput): Promise<Task> => {
  const document = parseDocument(input.yaml);
  const [problem] = document.errors;
  if (problem) throw new CliError('ManifestInvalid', `${input.file} is not YAML: ${problem.message}`);
  const manifest = checked(Manifest, document.toJS() as unknown, input.file);
  const actor = await readPublic(input.keys);
  const namespace = manifest.metadata.namespace ?? input.namespace;
  const { authorization: _replaced, ...given } = manifest.spec;
  const spec = checked(
    TaskSpec,
    { submitter: actor.address, ...(actor.resultKey && { resultKey: actor.resultKey }), ...given },
    input.file,
  );
  const expiry = new Date(input.now.getTime() + input.validSeconds * 1000);
  const nonce = randomBytes(16).toString('hex');
  const name = input.name ?? manifest.metadata.name;
  const message = authorizationMessage({
    genesis: genesisDigest(input.genesis),
    chainId: input.genesis.chain.chainId,
    namespace,
    name,
    spec,
    nonce,
    expiryMs: BigInt(expiry.getTime()),
  });
  const signature = sign(await readSeed(input.keys, 'actor.key'), message);
  return {
    apiVersion: API_VERSION,
    kind: 'Task',
    metadata: { ...manifest.metadata, name, namespace } as Task['metadata'],
    spec: { ...spec, authorization: { publicKey: actor.publicKey, nonce, expiry: expiry.toISOString(), signature } },
  };
};

const checked = <S extends z.ZodType>(schema: S, value: unknown, file: string): z.infer<S> => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new CliError('ManifestInvalid', `${file} is not a valid Task:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
};
