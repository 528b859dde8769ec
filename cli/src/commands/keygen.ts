/** `keygen`: identities for masters, enterprises, submitters, the publisher, recovery and the simulated hardware. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { addressOf, chipStatement, publicKeyOf, sign } from '@scs/protocol';
import { createAuthority, issue } from '@scs/proto/authority.ts';
import { counterIdentity, enterpriseIdentity, masterIdentity } from '@scs/proto/tls.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { PublicFile, readSeed, writeKeyFolder } from '../keys/key-folder.ts';

const CERTIFICATE_YEARS = 10;
const newSeed = (): string => randomBytes(32).toString('hex');
const publicOf = (kind: PublicFile['kind'], name: string, seed: string): PublicFile => ({
  kind,
  name,
  publicKey: publicKeyOf(seed),
  address: addressOf(publicKeyOf(seed)),
});

const tlsOf = async (seed: string, identity: string, from: Date) => {
  const authority = await createAuthority(seed, identity, from, CERTIFICATE_YEARS);
  return { authority: authority.certificatePem, tls: await issue(authority, seed, identity, from, CERTIFICATE_YEARS) };
};

const master = async (index: number, from: Date, simulatedRoot: string | undefined) => {
  const durable = newSeed();
  const gas = newSeed();
  const { authority, tls } = await tlsOf(durable, masterIdentity(index), from);
  // its trusted counter (N7) speaks with its master only, under the same authority
  const counter = await issue({ certificatePem: authority }, durable, counterIdentity(index), from, CERTIFICATE_YEARS);
  return {
    public: { ...publicOf('master', `master-${index}`, durable), tlsAuthority: authority, gasAddress: addressOf(publicKeyOf(gas)) },
    secrets: {
      'durable.key': durable,
      'gas.key': gas,
      'tls.key': tls.keyPem,
      'counter.key': counter.keyPem,
      ...(simulatedRoot && { 'chip.json': simulatedChip(simulatedRoot) }),
    },
    certificatePem: tls.certificatePem,
    counterPem: counter.certificatePem,
  };
};

const enterprise = async (name: string, from: Date, simulatedRoot: string | undefined) => {
  const actor = newSeed();
  const identity = publicOf('enterprise', name, actor);
  const { authority, tls } = await tlsOf(actor, enterpriseIdentity(identity.address), from);
  return {
    public: { ...identity, tlsAuthority: authority },
    secrets: { 'actor.key': actor, 'tls.key': tls.keyPem, ...(simulatedRoot && { 'chip.json': simulatedChip(simulatedRoot) }) },
    certificatePem: tls.certificatePem,
  };
};

/** A4: a chip of the simulated enclave, certified by the simulated root of the genesis. */
const simulatedChip = (rootSeed: string): string => {
  const chipId = randomBytes(64).toString('hex');
  const seed = newSeed();
  const certificate = sign(rootSeed, chipStatement(chipId, publicKeyOf(seed)));
  return `${JSON.stringify({ chipId, seed, certificate }, null, 2)}\n`;
};

const submitter = (kind: 'submitter' | 'producer', name: string) => {
  const actor = newSeed();
  const result = generateKeyPairSync('x25519');
  const resultKey = result.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  const resultSeed = result.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('hex');
  return { public: { ...publicOf(kind, name, actor), resultKey }, secrets: { 'actor.key': actor, 'result.key': resultSeed } };
};

const single = (kind: 'publisher' | 'recovery' | 'simulated-root', name: string, file: 'account.key' | 'recovery.key' | 'root.key') => {
  const seed = newSeed();
  return { public: publicOf(kind, name, seed), secrets: { [file]: seed } };
};

const kinds: readonly string[] = PublicFile.shape.kind.options;

const make = async (kind: string | undefined, name: string | undefined, invocation: Invocation) => {
  const yesterday = new Date(invocation.now().getTime() - 86_400_000);
  const chipRoot = invocation.text('simulated-root');
  const root = async (): Promise<string | undefined> => (chipRoot === undefined ? undefined : readSeed(chipRoot, 'root.key'));
  switch (kind) {
    case 'master': {
      if (!/^[012]$/.test(name ?? '')) throw new UsageError('keygen master needs the index 0, 1 or 2.');
      return master(Number(name), yesterday, await root());
    }
    case 'enterprise':
      return enterprise(nameOf(name), yesterday, await root());
    case 'submitter':
    case 'producer':
      return submitter(kind, nameOf(name));
    case 'publisher':
      return single('publisher', nameOf(name ?? 'publisher'), 'account.key');
    case 'recovery':
      return single('recovery', nameOf(name), 'recovery.key');
    case 'simulated-root':
      return single('simulated-root', nameOf(name ?? 'simulated-root'), 'root.key');
    default:
      throw new UsageError(`${kind ? `There is no keygen ${kind}.` : 'Keys of what?'} Kinds: ${kinds.join(', ')}.`);
  }
};

const nameOf = (name: string | undefined): string => {
  if (!name || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new CliError('NameInvalid', `${name ?? '(none)'} is not a name: use lowercase letters, digits and dashes, at most 63.`);
  return name;
};

export const keygen: Command = {
  words: ['keygen'],
  summary: 'make the keys of one identity, in a folder of its own',
  help: `kubectl symphony keygen KIND NAME --out FOLDER [--simulated-root FOLDER]

KIND   master (NAME is its index 0, 1 or 2), enterprise, submitter, producer, publisher, recovery or simulated-root.
Writes FOLDER/<kind>-<name>/ with secrets (mode 0600) and public.json, the only file to hand on.

  --out FOLDER              where; the folder must exist (default: .)
  --simulated-root FOLDER   enterprises, and masters for their counters: a simulated chip, certified by this root.
                            Only for machines without SEV-SNP or TDX; production genesis files refuse it.

Example: kubectl symphony keygen enterprise acme --out keys`,
  options: { out: { type: 'string', default: '.' }, 'simulated-root': { type: 'string' } },
  arguments: 2,
  run: async (invocation) => {
    const [kind, name] = invocation.positionals;
    const content = await make(kind, name, invocation);
    const folder = join(
      invocation.required('out'),
      kind === 'simulated-root' || kind === 'publisher' ? content.public.name : `${kind}-${name}`,
    );
    await writeKeyFolder(folder, content);
    invocation.out(`${folder}: ${content.public.kind} ${content.public.name}, address ${content.public.address}`);
  },
};
