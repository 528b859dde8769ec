/** Completes and signs a Task manifest (rule N5). */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { API_VERSION, authorizationMessage, genesisDigest, sign, TaskSpec, type Genesis, type Task } from '@scs/protocol';
import { CliError } from './errors.ts';
import { readPublic, readSeed } from './keys/key-folder.ts';
import { unknownFields } from './unknown-fields.ts';
import { checked, parseYaml } from './yaml-file.ts';

const CODE = 'ManifestInvalid';
const kubeName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'lowercase letters, digits, dashes and dots')
  .max(253);
/** Nothing is dropped in silence: a field that we would not sign or send is refused. */
const Manifest = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Task'),
  metadata: z.strictObject({
    name: kubeName,
    namespace: kubeName.optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()),
});

export interface SigningInput {
  readonly yaml: string;
  /** Its name, for messages. */
  readonly file: string;
  /** Key folder of the submitter. */
  readonly keys: string;
  readonly genesis: Genesis;
  /** Used when the manifest names none. */
  readonly namespace: string;
  /** Asked for by the user: a manifest that names another is refused, as kubectl does. */
  readonly explicitNamespace?: string | undefined;
  readonly now: Date;
  readonly validSeconds: number;
  /** In place of the manifest's name. */
  readonly name?: string | undefined;
}

/** The task with submitter, resultKey and authorization filled in. Throws CliError that says what the manifest lacks. */
export const signTask = async (input: SigningInput): Promise<Task> => {
  const { genesis, keys, file } = input;
  const manifest = readManifest(input.yaml, file);
  const actor = await readPublic(keys);
  const spec = completeSpec(manifest.spec, { submitter: actor.address, ...(actor.resultKey && { resultKey: actor.resultKey }) }, file);
  if (spec.submitter !== actor.address)
    throw new CliError(
      'WrongKey',
      `${file} names submitter ${spec.submitter}, but ${keys} is ${actor.address}. Leave submitter out, or give that actor's --keys.`,
    );
  const namespace = namespaceOf(input, manifest.metadata.namespace);
  const name = input.name === undefined ? manifest.metadata.name : checked(kubeName, input.name, '--name', CODE);
  const expiry = new Date(input.now.getTime() + input.validSeconds * 1000);
  const nonce = randomBytes(16).toString('hex');
  const message = authorizationMessage({
    genesis: genesisDigest(genesis),
    chainId: genesis.chain.chainId,
    namespace,
    name,
    spec,
    nonce,
    expiryMs: BigInt(expiry.getTime()),
  });
  const signature = sign(await readSeed(keys, 'actor.key'), message);
  const { labels, annotations } = manifest.metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'Task',
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: { ...spec, authorization: { publicKey: actor.publicKey, nonce, expiry: expiry.toISOString(), signature } },
  };
};

/** Throws CliError when `yaml` is no Task manifest. */
export const readManifest = (yaml: string, file: string): z.infer<typeof Manifest> =>
  checked(Manifest, parseYaml(yaml, file, CODE), file, CODE);

/** The spec with defaults and without authorization; `known` fills what the manifest leaves out. Throws CliError. */
export const completeSpec = (
  given: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, unknown>>,
  file: string,
): TaskSpec => {
  const { authorization: _replaced, ...asked } = given;
  const complete = { ...known, ...asked };
  const spec = checked(TaskSpec, complete, `${file}: the spec`, CODE);
  const [unknown] = unknownFields(complete, spec);
  if (unknown) throw new CliError(CODE, `${file}: there is no field spec.${unknown}. See kubectl explain task.spec.`);
  return spec;
};

const namespaceOf = ({ namespace, explicitNamespace, file }: SigningInput, written: string | undefined): string => {
  if (written !== undefined && explicitNamespace !== undefined && written !== explicitNamespace)
    throw new CliError(
      'NamespaceMismatch',
      `${file} names namespace ${written}, but -n asks for ${explicitNamespace}. Change one of them.`,
    );
  return written ?? explicitNamespace ?? namespace;
};
