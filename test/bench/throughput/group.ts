/** A group for the throughput benchmark: the demo's policy but for budgets and deadlines, fresh TLS certificates, files as masters and agents read them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeGenesis, genesisDigest, parseSym, type Actor, type Genesis } from '@scs/protocol';
import { createAuthority, issue } from '@scs/proto/authority.ts';
import { enterpriseIdentity, masterIdentity, type TlsFiles } from '@scs/proto/tls.ts';
import { aGenesis, aPolicy, enterprises } from '@scs/protocol/testing/genesis.ts';
import { actorKey, digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { counterMeasurement } from '../../integration/masters/counter-process.ts';

export const SUBMITTER = 'roastery';
export const EPSILON = '0.01';
export const MAX_FEE = '4';
const HOUR = 3_600_000;

export interface BenchGroup {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly genesisFile: string;
  /** Folder with durable.key, gas.key, tls.crt, tls.key. */
  readonly masterKeys: (index: number) => string;
  /** Folder with actor.key, tls.crt, tls.key. */
  readonly enterpriseKeys: (name: string) => string;
  readonly tls: (identity: string) => TlsFiles;
}

/**
 * A thousand tasks applied at once wait for each other, so no deadline may cut them short; the challenge window (6 s) and the
 * settlement batches (100 tasks or 6 s) are the demo's. The limits of budget and escrow hold some thousands of tasks of epsilon 0.01.
 */
const policy = () => ({
  ...aPolicy(),
  windows: { ...aPolicy().windows, answerMs: HOUR, executionMs: HOUR, aggregatorReplaceMs: HOUR, maxTaskMs: 4 * HOUR },
  epoch: { lengthMs: 24 * HOUR },
  enclave: { ...aPolicy().enclave, measurements: [...aPolicy().enclave.measurements, counterMeasurement()] },
});

type Issue = (seed: string, identity: string) => Promise<{ readonly authority: string; readonly tls: TlsFiles }>;
const issuer = (): Issue => {
  const notBefore = new Date(Date.now() - HOUR);
  return async (seed, identity) => {
    const authority = await createAuthority(seed, identity, notBefore, 1);
    return { authority: authority.certificatePem, tls: await issue(authority, seed, identity, notBefore, 1) };
  };
};

const writeKeys = (folder: string, tls: TlsFiles, keys: Readonly<Record<string, string>>): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = { ...keys, 'tls.crt': tls.certificatePem, 'tls.key': tls.keyPem };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
};

/** `folder` gets genesis.bin and one key folder an identity. */
export const makeBenchGroup = async (folder: string): Promise<BenchGroup> => {
  const certify = issuer();
  const tested = aGenesis({ name: 'bench', time: Date.now(), policy: policy() });
  const bare = { ...tested, chain: { ...tested.chain, escrowDelaySeconds: 5n * 3_600n, escrowWindowSeconds: 24n * 3_600n } };
  const tls = new Map<string, TlsFiles>();
  const authorityOf = async (seed: string, identity: string): Promise<string> => {
    const made = await certify(seed, identity);
    tls.set(identity, made.tls);
    return made.authority;
  };
  const masters = await Promise.all(
    bare.masters.map(async (master, i) => ({ ...master, tlsAuthority: await authorityOf(masterKey(i).seed, masterIdentity(i)) })),
  );
  const withAuthority = async (actor: Actor): Promise<Actor> => {
    if (!actor.enterprise) return { ...actor, allocation: parseSym('100000') };
    const tlsAuthority = await authorityOf(actorKey(actor.name).seed, enterpriseIdentity(actor.address));
    return { ...actor, enterprise: { ...actor.enterprise, tlsAuthority } };
  };
  const genesis: Genesis = { ...bare, masters, actors: await Promise.all(bare.actors.map(withAuthority)) };
  const genesisFile = join(folder, 'genesis.bin');
  writeFileSync(genesisFile, encodeGenesis(genesis));
  const [masterKeys, enterpriseKeys] = [(i: number) => join(folder, `master-${i}`), (name: string) => join(folder, `enterprise-${name}`)];
  for (const i of [0, 1, 2])
    writeKeys(masterKeys(i), tls.get(masterIdentity(i))!, { 'durable.key': masterKey(i).seed, 'gas.key': digestOf(`gas ${i}`) });
  for (const name of enterprises)
    writeKeys(enterpriseKeys(name), tls.get(enterpriseIdentity(actorKey(name).address))!, { 'actor.key': actorKey(name).seed });
  return { genesis, genesisDigest: genesisDigest(genesis), genesisFile, masterKeys, enterpriseKeys, tls: (identity) => tls.get(identity)! };
};
