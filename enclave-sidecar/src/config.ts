/** Environment and files of one enclave. Everything is bounded and checked before anything starts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { decodeGenesisFile, genesisDigest, SimulatedChip, type Genesis } from '@scs/protocol';
import type { TlsFiles } from '@scs/proto/tls.ts';
import { simulatedMeasurement, simulatedTee, tsmTee, type Tee } from './attest.ts';
import { EnclaveFault } from './fault.ts';

const hostPort = z.string().regex(/^[A-Za-z0-9.-]{1,253}:\d{1,5}$/);
const path = z.string().regex(/^\/[^\0]{0,400}$/);
const Environment = z
  .object({
    SCS_ROLE: z.enum(['slice', 'aggregator']),
    SCS_TASK: z.string().regex(/^[0-9a-f-]{1,64}$/),
    SCS_SUBJECT: z.string().regex(/^([a-z0-9-]{1,63}\/[a-z0-9.-]{1,63}|0x[0-9a-f]{64})$/),
    SCS_MASTERS: z
      .string()
      .max(2048)
      .transform((text) => text.split(','))
      .pipe(z.array(hostPort).length(3)),
    SCS_VAULT_ADDRESS: hostPort.optional(),
    SCS_GENESIS: path.default('/etc/scs/genesis/genesis.bin'),
    SCS_TLS: path.default('/etc/scs/tls'),
    SCS_CHIP: path.default('/etc/scs/chip/chip.json'),
    SCS_COLLATERAL: path.default('/etc/scs/collateral'),
    SCS_TEE: z.enum(['sev-snp', 'tdx']).default('sev-snp'),
    SCS_SCRATCH: path.default('/scratch'),
    SCS_SOCKET: path.default('/scratch/enclave.sock'),
    SCS_EXECUTOR_MEMORY: z.coerce
      .number()
      .int()
      .min(16 * 1024 ** 2)
      .max(64 * 1024 ** 3)
      .default(512 * 1024 ** 2),
    SCS_HEALTH_LISTEN: z
      .string()
      .regex(/^[0-9a-fA-F.:]*:\d{1,5}$/)
      .default('0.0.0.0:8080'),
    SCS_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  })
  .refine((e) => e.SCS_ROLE === 'aggregator' || e.SCS_VAULT_ADDRESS !== undefined, 'a slice needs SCS_VAULT_ADDRESS')
  .refine(
    (e) => (e.SCS_ROLE === 'slice') === e.SCS_SUBJECT.includes('/'),
    'SCS_SUBJECT is a Vault for a slice, an address for an aggregator',
  );
export type Environment = z.infer<typeof Environment>;

/** Role `counter`: the trusted counter of one master (N7). */
const CounterEnvironment = z.object({
  SCS_ROLE: z.literal('counter'),
  SCS_MASTER_INDEX: z.coerce.number().int().min(0).max(2),
  SCS_GENESIS: path.default('/etc/scs/genesis/genesis.bin'),
  SCS_TLS: path.default('/etc/scs/tls'),
  SCS_CHIP: path.default('/etc/scs/chip/chip.json'),
  SCS_COLLATERAL: path.default('/etc/scs/collateral'),
  SCS_TEE: z.enum(['sev-snp', 'tdx']).default('sev-snp'),
  SCS_LISTEN: hostPort.default('0.0.0.0:7446'),
  SCS_HEALTH_LISTEN: hostPort.default('0.0.0.0:8080'),
  SCS_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
});
export type CounterEnvironment = z.infer<typeof CounterEnvironment>;

type Given = Readonly<Record<string, string | undefined>>;
/** Throws EnclaveFault ConfigurationInvalid, naming the variables. */
export const readEnvironment = (environment: Given): Environment => parsedBy(Environment, environment);
/** The same for role `counter`. */
export const readCounterEnvironment = (environment: Given): CounterEnvironment => parsedBy(CounterEnvironment, environment);

const parsedBy = <T>(schema: z.ZodType<T>, environment: Given): T => {
  const parsed = schema.safeParse(environment);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path: at, message }) => `${at.join('.')} ${message}`.trim()).join('; ');
  throw new EnclaveFault('ConfigurationInvalid', problems.slice(0, 900));
};

const read = (file: string): Buffer => {
  try {
    return readFileSync(file);
  } catch {
    throw new EnclaveFault('ConfigurationInvalid', `${file} can't be read.`);
  }
};
export const readGenesis = (file: string): { readonly genesis: Genesis; readonly digest: string } => {
  const bytes = read(file);
  try {
    const genesis = decodeGenesisFile(bytes);
    return { genesis, digest: genesisDigest(genesis) };
  } catch {
    throw new EnclaveFault('ConfigurationInvalid', `${file} is no genesis.`);
  }
};
export const readTls = (folder: string): TlsFiles => ({
  certificatePem: read(join(folder, 'tls.crt')).toString(),
  keyPem: read(join(folder, 'tls.key')).toString(),
});

const readChip = (file: string): SimulatedChip => {
  try {
    return SimulatedChip.parse(JSON.parse(read(file).toString()));
  } catch (error) {
    throw error instanceof EnclaveFault ? error : new EnclaveFault('ConfigurationInvalid', `${file} is no chip.json.`);
  }
};
const readCollateral = (folder: string): readonly string[] => {
  try {
    return ['vcek.pem', 'ask.pem'].map((name) => readFileSync(join(folder, name), 'utf8'));
  } catch {
    return []; // Hosts that hand certificates to their guests need none mounted; the masters say if any is missing.
  }
};

/** A4: genesis decides. `program`: this sidecar's own file. */
export const chooseTee = (
  genesis: Genesis,
  environment: Pick<Environment, 'SCS_CHIP' | 'SCS_TEE' | 'SCS_COLLATERAL'>,
  program: string,
): Tee =>
  genesis.enclave.kind === 'simulated'
    ? simulatedTee(genesis, readChip(environment.SCS_CHIP), simulatedMeasurement(read(program)))
    : tsmTee(environment.SCS_TEE, { collateral: readCollateral(environment.SCS_COLLATERAL) });
