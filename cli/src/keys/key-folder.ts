/**
 * Key folders: what `keygen` writes. One folder an identity: secrets in files of their own (mode 0600), and `public.json`,
 * the only file that others, the genesis and chart values ever need.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { addressOf } from '@scs/protocol';
import { CliError } from '../errors.ts';

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
export const PublicFile = z.strictObject({
  kind: z.enum(['master', 'enterprise', 'submitter', 'producer', 'publisher', 'recovery', 'simulated-root']),
  name: z.string().min(1).max(63),
  publicKey: hex32,
  address: z.string().regex(/^0x[0-9a-f]{64}$/),
  /** Masters and enterprises: PEM of the TLS authority. */
  tlsAuthority: z.string().max(4096).optional(),
  /** Masters: account that pays gas. */
  gasAddress: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/)
    .optional(),
  /** Submitters: X25519 key that results are sealed to. */
  resultKey: hex32.optional(),
});
export type PublicFile = z.infer<typeof PublicFile>;

export const SECRET_FILES = [
  'durable.key',
  'gas.key',
  'actor.key',
  'result.key',
  'account.key',
  'recovery.key',
  'root.key',
  'tls.key',
  'counter.key',
  'chip.json',
] as const;
type SecretFile = (typeof SECRET_FILES)[number];

/** Writes a folder that must not exist yet: a key is never overwritten. */
export const writeKeyFolder = async (
  folder: string,
  content: {
    readonly public: PublicFile;
    readonly secrets: Partial<Record<SecretFile, string>>;
    readonly certificatePem?: string;
    readonly counterPem?: string;
  },
): Promise<void> => {
  try {
    await mkdir(folder, { recursive: false, mode: 0o700 });
  } catch (cause) {
    if (isErrno(cause, 'ENOENT'))
      throw new CliError('FolderMissing', `There is no folder ${dirname(folder)} to put ${basename(folder)} in.`);
    if (isErrno(cause, 'EEXIST'))
      throw new CliError(
        'KeyFolderExists',
        `${folder} exists already. Keys are never overwritten: choose another --out, or delete the folder if you mean it.`,
      );
    throw cause;
  }
  for (const [name, text] of Object.entries(content.secrets)) await writeFile(join(folder, name), text, { mode: 0o600, flag: 'wx' });
  if (content.certificatePem) await writeFile(join(folder, 'tls.crt'), content.certificatePem);
  if (content.counterPem) await writeFile(join(folder, 'counter.crt'), content.counterPem);
  await writeFile(join(folder, 'public.json'), `${JSON.stringify(content.public, null, 2)}\n`);
};

export const readPublic = async (folder: string): Promise<PublicFile> => {
  const path = folder.endsWith('.json') ? folder : join(folder, 'public.json');
  const parsed = PublicFile.safeParse(parseJson(await readText(path, 'a public key file')));
  if (!parsed.success) throw new CliError('KeyFileInvalid', `${path} is not a public key file:\n${z.prettifyError(parsed.error)}`);
  if (addressOf(parsed.data.publicKey) !== parsed.data.address)
    throw new CliError('KeyFileInvalid', `${path} is not a public key file: the address does not belong to the key.`);
  return parsed.data;
};
/** undefined, which no schema takes, when it is no JSON. */
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
};

/** A 32-byte seed in hex. */
export const readSeed = async (folder: string, file: SecretFile): Promise<string> => {
  const path = join(folder, file);
  const text = (await readText(path, 'a secret key')).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw new CliError('KeyFileInvalid', `${path} is not a key: expected 64 hex digits.`);
  return text;
};

export const readText = async (path: string, what: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) throw new CliError('FileMissing', `There is no ${path} (${what} was expected).`);
    if (cause instanceof Error && 'code' in cause) throw new CliError('FileUnreadable', `${path} can't be read: ${cause.message}`);
    throw cause;
  }
};

const isErrno = (cause: unknown, code: string): boolean => cause instanceof Error && 'code' in cause && cause.code === code;
