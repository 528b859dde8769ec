/** Environment and files of a Vault, checked before anything starts. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { decodeGenesisFile, genesisDigest, VaultSpec, type Genesis } from '@scs/protocol';
import type { TlsFiles } from '@scs/proto/tls.ts';
import { isKeySet } from './rights/tokens.ts';

const hostPort = z.string().regex(/^[A-Za-z0-9.-]{1,253}:\d{1,5}$/, 'expected host:port');
const listen = z.string().regex(/^[0-9a-fA-F.:[\]]*:\d{1,5}$/, 'expected address:port');
const path = z.string().regex(/^\/[^\0]{0,400}$/, 'expected an absolute path');
const megabyte = 1024 ** 2;
const Environment = z.object({
  SCS_VAULT: z.string().regex(/^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,63}$/, 'expected namespace/name'),
  SCS_MASTERS: z
    .string()
    .max(2048)
    .transform((text) => text.split(','))
    .pipe(z.array(hostPort).length(3, 'expected three addresses')),
  SCS_GENESIS: path.default('/etc/scs/genesis/genesis.bin'),
  SCS_TLS: path.default('/etc/scs/tls'),
  SCS_VAULT_SPEC: path.default('/etc/scs/vault/spec.json'),
  SCS_DATA: path.default('/var/lib/scs'),
  SCS_DATA_KEY: path.default('/etc/scs/data-key/key'),
  /** Memory-backed. */
  SCS_SCRATCH: path.default('/tmp'),
  SCS_IMPORT: path.optional(),
  /** B8: folder of the journal's copy, on a volume of its own. */
  SCS_JOURNAL: path.optional(),
  /** Folder of the backups, on a volume of its own. */
  SCS_BACKUP: path.optional(),
  /** Credentials of buckets and KMS, as files. */
  SCS_CLOUD: path.optional(),
  /** T1: folder with the key that signs activations. */
  SCS_ACTIVATION: path.optional(),
  /** C4: certificate and page of the subjects' service, which runs when the manifest has `rights`. */
  SCS_RIGHTS_TLS: path.default('/etc/scs/rights-tls'),
  SCS_RIGHTS_PAGE: path.default('/app/rights'),
  SCS_RIGHTS_LISTEN: listen.default('0.0.0.0:8443'),
  SCS_HTTPFS: path.default('/app/httpfs.duckdb_extension'),
  SCS_LISTEN: listen.default('0.0.0.0:7445'),
  SCS_HEALTH_LISTEN: listen.default('0.0.0.0:8080'),
  SCS_MEMORY: z.coerce
    .number()
    .int()
    .min(128 * megabyte)
    .optional(),
  SCS_THREADS: z.coerce.number().int().min(1).max(256).optional(),
  SCS_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
});
export type Environment = z.infer<typeof Environment>;

export interface VaultConfig {
  readonly environment: Environment;
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly manifest: VaultSpec;
  readonly tls: TlsFiles;
  readonly memoryLimitBytes: number;
  readonly threads: number;
}
export class ConfigError extends Error {
  readonly code = 'ConfigurationInvalid';
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** Throws ConfigError that names each wrong variable. */
export const readEnvironment = (environment: Readonly<Record<string, string | undefined>>): Environment => {
  const parsed = Environment.safeParse(environment);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; '));
};

const read = <T>(variable: keyof Environment, file: string, parse: (bytes: Buffer) => T): T => {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    throw new ConfigError(`${variable}: ${file} can't be read`);
  }
  try {
    return parse(bytes);
  } catch (error) {
    throw new ConfigError(`${variable}: ${file} is not valid${error instanceof z.ZodError ? `: ${z.prettifyError(error)}` : ''}`);
  }
};

/** DuckDB gets half of what the container may use: snapshots in scratch and Node need the rest. */
const defaultMemory = (): number =>
  Math.max(256 * megabyte, Math.floor(Math.min(process.constrainedMemory() || Infinity, 8 * 1024 * megabyte) / 2));

/** Throws ConfigError. */
export const readConfig = (environment: Environment): VaultConfig => {
  const genesis = read('SCS_GENESIS', environment.SCS_GENESIS, (bytes) => decodeGenesisFile(Uint8Array.from(bytes)));
  const manifest = read('SCS_VAULT_SPEC', environment.SCS_VAULT_SPEC, (bytes) => VaultSpec.parse(JSON.parse(bytes.toString('utf8'))));
  const jwks = manifest.rights?.oidc?.jwks;
  if (jwks !== undefined && !isKeySet(jwks)) throw new ConfigError('SCS_VAULT_SPEC: rights.oidc.jwks is no JWK set');
  return {
    environment,
    genesis,
    genesisDigest: genesisDigest(genesis),
    manifest,
    tls: {
      certificatePem: read('SCS_TLS', join(environment.SCS_TLS, 'tls.crt'), String),
      keyPem: read('SCS_TLS', join(environment.SCS_TLS, 'tls.key'), String),
    },
    memoryLimitBytes: environment.SCS_MEMORY ?? defaultMemory(),
    threads: environment.SCS_THREADS ?? availableParallelism(),
  };
};
