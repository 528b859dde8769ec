/**
 * Backups of a whole Vault (rule B8's other half): the file as it was at one moment, under a data key of its own, wrapped as the
 * Vault's is. Work goes on meanwhile. What a restored Vault missed it gets from the journal's copy before it serves; its records it
 * has as they were, and those imported since are imported again.
 *
 *   <id>/vault.db       encrypted
 *   <id>/backup.json    written last: without it there is no backup
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { RESTORED } from '../journal/keep-up.ts';
import { newDataKey, type KeyKeeper } from '../keys/key-file.ts';
import type { Sql } from '../store/database.ts';
import { FIRST_FILE, nextFile } from '../store/files.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { BackupError, type BackupPlace } from './place.ts';

const Description = z.strictObject({
  format: z.literal(1),
  vault: z.string().max(200),
  bytes: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  source: z.enum(['secret', 'kms']),
  wrapped: z.base64().max(8192),
});
type Description = z.infer<typeof Description>;
const MAX_DESCRIPTION = 64 * 1024;
const ID = /^\d{8}T\d{6}Z$/;

/** Sorts by time. */
export const backupId = (time: number): string => `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
export const timeOfBackup = (id: string): number =>
  Date.parse(id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** Ids of the whole ones, oldest first. Throws BackupError. */
export const backups = async (place: BackupPlace): Promise<readonly string[]> =>
  (await place.list()).flatMap((name) => {
    const [id, file] = name.split('/');
    return file === 'backup.json' && ID.test(id!) ? [id!] : [];
  });

const measured = async function* (chunks: AsyncIterable<Uint8Array>, hash: Hash, seen: { bytes: number }) {
  for await (const chunk of chunks) {
    hash.update(chunk);
    seen.bytes += chunk.length;
    yield chunk;
  }
};

/** Snapshots stay behind: whoever needs one gets a fresh one (as in C2). It is known as restored, so that it can't pass for the Vault. */
const asBackup = async (sql: Sql): Promise<void> => {
  await sql.run('DELETE FROM snapshots');
  await sql.run('UPDATE reservations SET snapshot = 0');
  await sql.run('INSERT OR REPLACE INTO meta VALUES ($key, $value)', { key: RESTORED, value: new Uint8Array([1]) });
};

/** Returns its id. Throws BackupError, KeyError and StoreError; nothing has changed then. */
export const makeBackup = async (store: VaultStore, keeper: KeyKeeper, place: BackupPlace, now: number): Promise<string> => {
  const id = backupId(now);
  const dataKey = newDataKey();
  const wrapped = await keeper.wrap(dataKey);
  const seen = { bytes: 0 };
  const hash = createHash('sha256');
  await store.copied(dataKey, asBackup, (path) => place.put(`${id}/${FIRST_FILE}`, measured(createReadStream(path), hash, seen)));
  const description: Description = { format: 1, vault: store.vault, ...seen, sha256: hash.digest('hex'), ...wrapped };
  await place.put(`${id}/backup.json`, only(Buffer.from(JSON.stringify(description))));
  return id;
};
const only = async function* (bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield await Promise.resolve(bytes);
};

/** Removes all but the newest `keep`, and what a backup cut short left before the newest. */
export const prune = async (place: BackupPlace, keep: number): Promise<void> => {
  const kept = (await backups(place)).slice(-keep);
  const newest = kept.at(-1);
  if (newest === undefined) return;
  const old = (await place.list()).filter((name) => name < newest && !kept.includes(name.split('/')[0]!));
  // The description first: what is half gone is no backup.
  for (const name of old.toSorted()) await place.remove(name);
};

const describe = async (place: BackupPlace, id: string, vault: string): Promise<Description> => {
  let text = '';
  for await (const chunk of place.get(`${id}/backup.json`)) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.length > MAX_DESCRIPTION) throw new BackupError('BackupDamaged', `backup ${id} is not described as backups are`);
  }
  let description: Description;
  try {
    description = Description.parse(JSON.parse(text));
  } catch (error) {
    throw new BackupError('BackupDamaged', `backup ${id} is not described as backups are`, error);
  }
  if (description.vault === vault) return description;
  throw new BackupError('BackupDamaged', `backup ${id} is of another Vault`);
};

/**
 * Into an empty folder; false where a Vault is already. Whole or not at all. `which` is an id or `latest`. Throws BackupError and
 * KeyError.
 */
export const restore = async (
  at: { readonly folder: string; readonly vault: string },
  keeper: KeyKeeper,
  place: BackupPlace,
  which: string,
): Promise<boolean> => {
  if (await keeper.exists()) return false;
  const id = which === 'latest' ? (await backups(place)).at(-1) : which;
  if (id === undefined) throw new BackupError('BackupMissing', 'there is no backup to restore');
  const { bytes, sha256, ...wrapped } = await describe(place, id, at.vault);
  const file = nextFile(FIRST_FILE);
  const path = join(at.folder, file);
  await mkdir(join(at.folder, 'store'), { recursive: true, mode: 0o700 });
  const seen = { bytes: 0 };
  const hash = createHash('sha256');
  await pipeline(measured(place.get(`${id}/${FIRST_FILE}`), hash, seen), createWriteStream(path, { mode: 0o600, flush: true }));
  if (seen.bytes !== bytes || hash.digest('hex') !== sha256) {
    await rm(path, { force: true });
    throw new BackupError('BackupDamaged', `the file of backup ${id} is not the one described`);
  }
  const dataKey = await keeper.unwrap(wrapped);
  // From here on there is a Vault.
  await keeper.keep({ dataKey, file });
  return true;
};
