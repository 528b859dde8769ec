/** What the manifest says of places outside the Vault's volume, as the ports that stand for them. */
import type { S3Place } from '@scs/protocol';
import { BucketPlace, FolderPlace, type BackupPlace } from './backup/place.ts';
import { mountedCredentials, type CredentialsOf } from './cloud/aws.ts';
import { S3Bucket } from './cloud/s3.ts';
import { ConfigError, type VaultConfig } from './config.ts';
import { EntrySeal, type JournalCopy } from './journal/copy.ts';
import { FolderCopy } from './journal/folder-copy.ts';
import { S3Copy } from './journal/s3-copy.ts';
import { KmsSource } from './keys/kms-source.ts';
import type { KeyRing } from './keys/key-file.ts';
import { SecretSource } from './keys/secret-source.ts';
import type { VaultKeys } from './store/keys.ts';

type Config = Pick<VaultConfig, 'environment' | 'manifest'>;

const credentialsOf = ({ environment: { SCS_CLOUD: folder } }: Config): CredentialsOf => {
  if (folder === undefined) throw new ConfigError('SCS_CLOUD: s3 and kms need spec.cloudSecret');
  return mountedCredentials(folder);
};
export const bucketOf = (config: Config, place: S3Place): S3Bucket => new S3Bucket(place, credentialsOf(config));

/** The KMS wraps where there is one; the Secret's key then only opens what it wrapped before. Throws ConfigError. */
export const keyRingOf = (config: Config): KeyRing => {
  const { environment: env, manifest } = config;
  const secret = new SecretSource(env.SCS_DATA_KEY, env.SCS_VAULT);
  const legacy = (): Promise<string> => secret.key();
  const kms = manifest.encryption?.kms;
  if (!kms) return { preferred: secret, others: [], legacy };
  return { preferred: new KmsSource({ ...kms, vault: env.SCS_VAULT, credentials: credentialsOf(config) }), others: [secret], legacy };
};

/** B8. undefined: the chain is local. Throws ConfigError. */
export const journalCopyOf = (config: Config): ((keys: VaultKeys) => JournalCopy) | undefined => {
  const { environment: env, manifest } = config;
  const { journal } = manifest;
  if (!journal) return undefined;
  const seal = ({ journalKey }: VaultKeys): EntrySeal => new EntrySeal(journalKey, env.SCS_VAULT);
  if (journal.s3) {
    const { s3 } = journal;
    const bucket = bucketOf(config, { ...s3, prefix: `${s3.prefix}${env.SCS_VAULT}/` });
    return (keys) => new S3Copy(bucket, seal(keys));
  }
  const folder = env.SCS_JOURNAL;
  if (folder === undefined) throw new ConfigError('SCS_JOURNAL: spec.journal needs the folder of its volume');
  return (keys) => new FolderCopy(folder, seal(keys));
};

/** undefined: no backups. Throws ConfigError. */
export const backupPlaceOf = (config: Config): BackupPlace | undefined => {
  const { environment: env, manifest } = config;
  const { backup } = manifest;
  if (!backup) return undefined;
  if (backup.s3) return new BucketPlace(bucketOf(config, backup.s3), `${env.SCS_VAULT}/backup/`);
  if (env.SCS_BACKUP === undefined) throw new ConfigError('SCS_BACKUP: spec.backup needs the folder of its volume');
  return new FolderPlace(`${env.SCS_BACKUP}/${env.SCS_VAULT}`);
};
