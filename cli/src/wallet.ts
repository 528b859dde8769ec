/**
 * Who signs, from one of three places: a key folder, the environment, or a Secret. This is the only file that decides between them.
 *
 *   --keys FOLDER                         made by keygen
 *   --wallet-secret [NAMESPACE/]NAME[:KEY]  a Secret that holds a seed in hex; KEY is actor.key unless it is named
 *   $SCS_WALLET_KEY                       the seed itself, in hex, or as Aptos writes it: ed25519-priv-0x...
 *   $SCS_KEYS                             as --keys
 *
 * An option beats the environment; two of a kind are refused rather than guessed between.
 */
import { join } from 'node:path';
import { addressOf, publicKeyOf } from '@scs/protocol';
import type { Invocation, Options } from './command.ts';
import { CliError, UsageError } from './errors.ts';
import { readPublic, readSeed, type PublicFile } from './keys/key-folder.ts';
import type { KubeAccess } from './kube.ts';

export const walletOptions = { keys: { type: 'string' }, 'wallet-secret': { type: 'string' } } as const satisfies Options;
export const WALLET_HELP = `  --keys FOLDER         key folder of the account (or $SCS_KEYS)
  --wallet-secret S     or a Secret, [NAMESPACE/]NAME[:KEY]; KEY is actor.key unless named
                        or $SCS_WALLET_KEY: the key itself, 64 hex digits or ed25519-priv-0x...`;

export interface Wallet {
  readonly address: string;
  /** What the key folder says that it is; unknown of keys from elsewhere. */
  readonly kind: PublicFile['kind'] | undefined;
  /** The folder, where there is one: masters' durable keys lie beside. */
  readonly folder: string | undefined;
  /** Read when it is needed: what only looks needs no secret. Throws CliError `KeyMismatch` when it isn't this address's. */
  readonly seed: () => Promise<string>;
}

/** Throws UsageError or CliError, which say which place was tried. Asks the cluster only for a Secret. */
export const openWallet = async (invocation: Invocation, kube: () => KubeAccess): Promise<Wallet> => {
  const folder = invocation.text('keys');
  const secret = invocation.text('wallet-secret');
  if (folder && secret) throw new UsageError('--keys and --wallet-secret name two wallets. Give one.');
  if (folder) return fromFolder(folder);
  if (secret) return fromSecret(secret, kube());
  const [key, keys] = [invocation.variable('SCS_WALLET_KEY'), invocation.variable('SCS_KEYS')];
  if (key && keys) throw new CliError('WalletAmbiguous', '$SCS_WALLET_KEY and $SCS_KEYS name two wallets. Unset one, or give --keys.');
  if (key) return fromSeed(seedOf(key, '$SCS_WALLET_KEY'));
  if (keys) return fromFolder(keys);
  throw new CliError(
    'KeysMissing',
    'Which account? Give --keys FOLDER (made by kubectl symphony keygen), --wallet-secret [NAMESPACE/]NAME, or set SCS_KEYS or SCS_WALLET_KEY.',
  );
};

/** Which file holds the key of the account: masters are credited at the account that pays their gas. */
const accountKeys = {
  master: 'gas.key',
  enterprise: 'actor.key',
  submitter: 'actor.key',
  producer: 'actor.key',
  publisher: 'account.key',
} as const;
const fromFolder = async (folder: string): Promise<Wallet> => {
  const { kind, address, gasAddress } = await readPublic(folder);
  if (kind === 'recovery' || kind === 'simulated-root')
    throw new CliError('KeyFolderKind', `${folder} is a ${kind} key; it has no account on chain.`);
  const own = kind === 'master' ? gasAddress : address;
  if (!own) throw new CliError('KeyFileInvalid', `${join(folder, 'public.json')} names no gasAddress.`);
  const seed = async (): Promise<string> => {
    const found = await readSeed(folder, accountKeys[kind]);
    if (addressOf(publicKeyOf(found)) !== own)
      throw new CliError('KeyMismatch', `${join(folder, accountKeys[kind])} is not the key of ${own}, which public.json beside it names.`);
    return found;
  };
  return { address: own, kind, folder, seed };
};

const fromSeed = (seed: string): Wallet => ({
  address: addressOf(publicKeyOf(seed)),
  kind: undefined,
  folder: undefined,
  seed: () => Promise.resolve(seed),
});

const SECRET = /^(?:([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)\/)?([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)(?::([-._a-zA-Z0-9]{1,253}))?$/;
const fromSecret = async (word: string, kube: KubeAccess): Promise<Wallet> => {
  const [, namespace = kube.namespace, , name = '', , key = 'actor.key'] = SECRET.exec(word) ?? [];
  if (!name) throw new UsageError(`--wallet-secret takes [NAMESPACE/]NAME[:KEY], not ${word}.`);
  const found = await kube.secret(namespace, name);
  if (!found) throw new CliError('WalletMissing', `There is no Secret ${namespace}/${name}.`);
  const bytes = found[key];
  if (!bytes)
    throw new CliError(
      'WalletMissing',
      `Secret ${namespace}/${name} has no ${key}. Name one of its keys: --wallet-secret ${namespace}/${name}:KEY.`,
    );
  return fromSeed(seedOf(Buffer.from(bytes).toString('utf8'), `${key} of Secret ${namespace}/${name}`));
};

/** The text itself is in no message. */
const seedOf = (text: string, where: string): string => {
  const seed = /^(?:ed25519-priv-)?(?:0x)?([0-9a-f]{64})$/i.exec(text.trim())?.[1];
  if (!seed) throw new CliError('KeyFileInvalid', `${where} is not a key: expected 64 hex digits.`);
  return seed.toLowerCase();
};
