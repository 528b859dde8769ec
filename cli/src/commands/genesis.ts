/** `genesis build` and `genesis show` (rule G7). */
import { writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import {
  Catalogue,
  encodeGenesis,
  formatEpsilon,
  formatSym,
  Genesis,
  genesisDigest,
  parseEpsilon,
  parseSym,
  Policy,
  semanticVersion,
  usages,
} from '@scs/protocol';
import { loadGenesis } from '../genesis-file.ts';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { readPublic, readText } from '../keys/key-folder.ts';

const path = z.string().min(1).max(512);
const amount = z.union([z.string(), z.number()]).transform((value) => parseSym(String(value)));
const windowMs = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/)
  .transform(milliseconds);

/** What a person writes; paths are relative to the file. Amounts in SYM, epsilon as a decimal, windows as 5s, 10m, 2h. */
const GenesisConfig = z.strictObject({
  name: z.string().min(1).max(63),
  time: z.iso.datetime().optional(),
  protocolVersion: z.literal(1).default(1),
  masters: z.array(path).length(3),
  recoveryKeys: z.array(path).length(3),
  enterprises: z
    .array(
      z.strictObject({
        keys: path,
        namespace: z.string().min(1).max(63),
        contributesCompute: z.boolean().default(false),
        allocation: amount.default(parseSym('0')),
      }),
    )
    .default([]),
  submitters: z
    .array(z.strictObject({ keys: path, kubernetesUsers: z.array(z.string()).default([]), allocation: amount.default(parseSym('0')) }))
    .default([]),
  chain: z.strictObject({
    chainId: z.int().min(1).max(255),
    publisher: path,
    treasuryReserve: amount.default(parseSym('0')),
    escrowDelay: windowMs,
    escrowWindow: windowMs,
  }),
  enclave: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('simulated'), root: path }),
    z.strictObject({ kind: z.literal('hardware'), roots: z.array(path).min(1).max(8) }),
  ]),
  catalogue: path,
  policy: z.strictObject({
    fees: z.strictObject({
      query: z.strictObject({ base: amount, perVault: amount, perSizeBand: z.array(amount).min(1), perEpsilon: amount }),
      shares: Policy.shape.fees.shape.shares,
    }),
    privacy: z.strictObject({
      minimumResultCardinality: z.int().min(1),
      maxEpsilonPerTask: z.union([z.string(), z.number()]).transform((value) => parseEpsilon(String(value)) as bigint),
      subjectLimitMicroRho: z.record(z.enum(usages), z.int().min(0).transform(BigInt)),
      actorShareBasisPoints: z.int().min(0).max(10_000),
    }),
    windows: z.strictObject({
      answer: windowMs,
      execution: windowMs,
      verification: windowMs,
      challenge: windowMs,
      clockBound: windowMs,
      maxTask: windowMs,
      aggregatorReplace: windowMs,
    }),
    settlement: z.strictObject({ maxTasks: z.int().min(1), maxDelay: windowMs, maxEscrowAge: windowMs }),
    epoch: z.strictObject({ length: windowMs }),
    enclave: z.strictObject({ measurements: z.array(z.string()).default([]), minimumTcb: z.int().min(0).default(0).transform(BigInt) }),
  }),
});
type GenesisConfig = z.infer<typeof GenesisConfig>;

function milliseconds(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text)!;
  return Number(count) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 'ms']!;
}

const wholeSeconds = (ms: number): bigint => BigInt(Math.ceil(ms / 1000));

const policyOf = (config: GenesisConfig['policy'], measurements: readonly string[]): Policy => ({
  version: 1,
  fees: config.fees,
  privacy: config.privacy,
  windows: {
    answerMs: config.windows.answer,
    executionMs: config.windows.execution,
    verificationMs: config.windows.verification,
    challengeMs: config.windows.challenge,
    clockBoundMs: config.windows.clockBound,
    maxTaskMs: config.windows.maxTask,
    aggregatorReplaceMs: config.windows.aggregatorReplace,
  },
  settlement: {
    maxTasks: config.settlement.maxTasks,
    maxDelayMs: config.settlement.maxDelay,
    maxEscrowAgeMs: config.settlement.maxEscrowAge,
  },
  epoch: { lengthMs: config.epoch.length },
  enclave: { measurements: [...config.enclave.measurements, ...measurements], minimumTcb: config.enclave.minimumTcb },
});

const build = async (file: string, measurements: readonly string[], now: Date): Promise<Genesis> => {
  const at = (relative: string) => resolve(dirname(file), relative);
  const yaml = async (name: string): Promise<unknown> => parse(await readText(name, 'YAML'));
  const config = checked(GenesisConfig, await yaml(file), file);
  const [masters, recovery, publisher] = await Promise.all([
    Promise.all(config.masters.map((p) => readPublic(at(p)))),
    Promise.all(config.recoveryKeys.map((p) => readPublic(at(p)))),
    readPublic(at(config.chain.publisher)),
  ]);
  const enterprises = await Promise.all(config.enterprises.map(async (e) => ({ ...e, ...(await readPublic(at(e.keys))) })));
  const submitters = await Promise.all(config.submitters.map(async (s) => ({ ...s, ...(await readPublic(at(s.keys))) })));
  const common = ({ address, publicKey, name, allocation }: { address: string; publicKey: string; name: string; allocation: bigint }) => ({
    address,
    publicKey,
    name,
    allocation,
    state: 'active' as const,
  });
  const genesis = {
    protocolVersion: config.protocolVersion,
    name: config.name,
    time: config.time ? Date.parse(config.time) : Math.floor(now.getTime() / 1000) * 1000,
    masters: masters.map((m) => ({ publicKey: m.publicKey, tlsAuthority: m.tlsAuthority, rewardAddress: m.gasAddress })),
    recoveryKeys: recovery.map((r) => r.publicKey),
    policy: policyOf(config.policy, measurements),
    actors: [
      ...enterprises.map((e) => ({
        ...common(e),
        role: 'enterprise' as const,
        kubernetesUsers: [],
        enterprise: { namespace: e.namespace, tlsAuthority: e.tlsAuthority, contributesCompute: e.contributesCompute },
      })),
      ...submitters.map((s) => ({ ...common(s), role: 'submitter' as const, kubernetesUsers: s.kubernetesUsers })),
    ],
    catalogue: checked(Catalogue, await yaml(at(config.catalogue)), config.catalogue),
    chain: {
      chainId: config.chain.chainId,
      contract: publisher.address,
      treasuryReserve: config.chain.treasuryReserve,
      escrowDelaySeconds: wholeSeconds(config.chain.escrowDelay),
      escrowWindowSeconds: wholeSeconds(config.chain.escrowWindow),
    },
    enclave:
      config.enclave.kind === 'simulated'
        ? { kind: 'simulated' as const, root: (await readPublic(at(config.enclave.root))).publicKey }
        : {
            kind: 'hardware' as const,
            roots: await Promise.all(config.enclave.roots.map((p) => readText(at(p), 'a vendor root certificate'))),
          },
  };
  return checked(Genesis, genesis, 'the genesis');
};

const checked = <S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new CliError('GenesisInvalid', `${what} is not valid:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
};

const describe = (genesis: Genesis): string[] => [
  `digest            ${genesisDigest(genesis)}`,
  `name              ${genesis.name} (protocol version ${genesis.protocolVersion})`,
  `chain             id ${genesis.chain.chainId}, contract ${genesis.chain.contract}`,
  `enclaves          ${genesis.enclave.kind}${genesis.enclave.kind === 'simulated' ? ': NOT private against whoever runs the machines' : ''}`,
  `semantic version  ${semanticVersion(genesis.catalogue)}`,
  `max epsilon       ${formatEpsilon(genesis.policy.privacy.maxEpsilonPerTask)} a task`,
  ...genesis.masters.map((m, i) => `master ${i}          ${m.publicKey}`),
  ...genesis.actors.map((a) => `${a.role.padEnd(10)}        ${a.name}, ${a.address}, ${formatSym(a.allocation)} SYM`),
];

export const genesisBuild: Command = {
  words: ['genesis', 'build'],
  summary: 'make the genesis file from public keys, policy and catalogue',
  help: `kubectl symphony genesis build -f genesis.yaml --out genesis.bin [--measurement HEX ...]

Collects the masters' and first actors' public keys, the policy, the catalogue and the chain into one file of canonical
bytes. Its digest is in every certificate. Both charts take the file.

  -f, --file FILE       configuration (see examples/demo/genesis.yaml)
  --out FILE            where to write
  --measurement HEX     allow this enclave measurement (48 bytes); repeatable`,
  options: { file: { type: 'string', short: 'f' }, out: { type: 'string' }, measurement: { type: 'string', multiple: true } },
  run: async (invocation) => {
    const genesis = await build(invocation.required('file'), invocation.texts('measurement'), invocation.now());
    await writeFile(invocation.required('out'), encodeGenesis(genesis));
    for (const line of describe(genesis)) invocation.out(line);
  },
};

export const genesisShow: Command = {
  words: ['genesis', 'show'],
  summary: 'say what a genesis file holds',
  help: 'kubectl symphony genesis show FILE',
  options: {},
  run: async ({ positionals, out }) => {
    for (const line of describe(await loadGenesis(positionals[0]))) out(line);
  },
};
