/** Genesis (rule G7) from what a person wrote and the public files that it names. */
import { dirname, resolve } from 'node:path';
import { Genesis, type Policy } from '@scs/protocol';
import { readCatalogue } from '../catalogue-file.ts';
import { DEFAULT_ECONOMY } from '@scs/protocol/economy.ts';
import { CliError } from '../errors.ts';
import { readPublic, readText, type PublicFile } from '../keys/key-folder.ts';
import { checked, parseYaml } from '../yaml-file.ts';
import { GenesisConfig } from './config.ts';

const CODE = 'GenesisInvalid';
const wholeSeconds = (ms: number): bigint => BigInt(Math.ceil(ms / 1000));

const economyOf = (config: NonNullable<GenesisConfig['policy']['economy']>): NonNullable<Policy['economy']> => ({
  stakes: config.stakes ?? DEFAULT_ECONOMY.stakes,
  nodeRewards: config.nodeRewards ?? DEFAULT_ECONOMY.nodeRewards,
  dividends: config.dividends
    ? { subjectBits: config.dividends.subjectBits, claimSeconds: wholeSeconds(config.dividends.claim) }
    : DEFAULT_ECONOMY.dividends,
  creditBasisPoints: config.creditBasisPoints ?? DEFAULT_ECONOMY.creditBasisPoints,
  quality: config.quality ?? DEFAULT_ECONOMY.quality,
});

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
  ...(config.economy && { economy: economyOf(config.economy) }),
  enclave: {
    measurements: [...new Set([...config.enclave.measurements, ...measurements])],
    minimumTcb: config.enclave.minimumTcb,
    ...(config.enclave.hostData && { hostData: config.enclave.hostData }),
  },
});

/** Throws CliError: another kind of key in its place is found here, not when the group fails to start. */
const keyOf = async (path: string, kind: PublicFile['kind'], what: string): Promise<PublicFile> => {
  const found = await readPublic(path);
  if (found.kind !== kind) throw new CliError(CODE, `${what} names ${path}, the key of a ${found.kind}; it must be that of a ${kind}.`);
  return found;
};
const keysOf = (paths: readonly string[], kind: PublicFile['kind'], what: string): Promise<PublicFile[]> =>
  Promise.all(paths.map((path) => keyOf(path, kind, what)));

/** One key in two places would be one vote counted twice, or one account with two allocations. */
const noneTwice = (values: readonly string[], what: string): void => {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw new CliError(CODE, `${what} is given twice: ${twice}. Each identity needs its own.`);
};

const enclaveOf = async ({ enclave }: GenesisConfig, at: (path: string) => string): Promise<Genesis['enclave']> =>
  enclave.kind === 'simulated'
    ? { kind: 'simulated', root: (await keyOf(at(enclave.root), 'simulated-root', 'enclave.root')).publicKey }
    : { kind: 'hardware', roots: await Promise.all(enclave.roots.map((p) => readText(at(p), 'a vendor root certificate'))) };

const actorOf = ({ address, publicKey, name }: PublicFile, allocation: bigint) => ({
  address,
  publicKey,
  name,
  allocation,
  state: 'active' as const,
});
const actorsOf = async ({ enterprises, submitters }: GenesisConfig, at: (path: string) => string) => [
  ...(await Promise.all(
    enterprises.map(async ({ keys, namespace, contributesCompute, kubernetesUsers, allocation, chips }) => {
      const key = await keyOf(at(keys), 'enterprise', 'enterprises');
      const enterprise = { namespace, tlsAuthority: key.tlsAuthority, contributesCompute, ...(chips && { chips }) };
      return { ...actorOf(key, allocation), role: 'enterprise' as const, kubernetesUsers, enterprise };
    }),
  )),
  ...(await Promise.all(
    submitters.map(async ({ keys, kubernetesUsers, allocation, affiliation }) => ({
      ...actorOf(await keyOf(at(keys), 'submitter', 'submitters'), allocation),
      role: 'submitter' as const,
      kubernetesUsers,
      ...(affiliation !== undefined && { affiliation: (await keyOf(at(affiliation), 'enterprise', 'submitters')).address }),
    })),
  )),
];

/** `measurements`: allowed besides the file's. Throws CliError that names what is wrong and where. */
export const buildGenesis = async (file: string, measurements: readonly string[], now: Date): Promise<Genesis> => {
  const at = (path: string) => resolve(dirname(file), path);
  const yaml = async (path: string): Promise<unknown> => parseYaml(await readText(path, 'YAML'), path, CODE);
  const config = checked(GenesisConfig, await yaml(file), file, CODE);
  const [masters, recovery, publisher, actors] = await Promise.all([
    keysOf(config.masters.map(at), 'master', 'masters'),
    keysOf(config.recoveryKeys.map(at), 'recovery', 'recoveryKeys'),
    keyOf(at(config.chain.publisher), 'publisher', 'chain.publisher'),
    actorsOf(config, at),
  ]);
  noneTwice(
    [...masters, ...recovery, publisher, ...actors].map((k) => k.publicKey),
    'A key',
  );
  noneTwice(
    config.enterprises.map((e) => e.namespace),
    "An enterprise's namespace",
  );
  masters.forEach((master, index) => {
    if (master.name !== `master-${index}`)
      throw new CliError(CODE, `masters[${index}] is ${master.name}: list them in the order of their index.`);
  });
  const genesis = {
    protocolVersion: config.protocolVersion,
    name: config.name,
    time: config.time ? Date.parse(config.time) : Math.floor(now.getTime() / 1000) * 1000,
    masters: masters.map((m) => ({ publicKey: m.publicKey, tlsAuthority: m.tlsAuthority, rewardAddress: m.gasAddress })),
    recoveryKeys: recovery.map((r) => r.publicKey),
    policy: policyOf(config.policy, measurements),
    actors,
    catalogue: readCatalogue(await readText(at(config.catalogue), 'YAML'), config.catalogue, CODE),
    chain: {
      chainId: config.chain.chainId,
      contract: publisher.address,
      treasuryReserve: config.chain.treasuryReserve,
      escrowDelaySeconds: wholeSeconds(config.chain.escrowDelay),
      escrowWindowSeconds: wholeSeconds(config.chain.escrowWindow),
    },
    enclave: await enclaveOf(config, at),
  };
  return checked(Genesis, genesis, 'the genesis', CODE);
};
