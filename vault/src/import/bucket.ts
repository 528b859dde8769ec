/**
 * Import of one object of a bucket: fetched part by part beside the Vault, imported, removed. A fetch that died goes on where it was, as
 * long as the object is the same.
 */
import { createHash } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Source } from '@scs/protocol';
import { PART_BYTES, type S3Bucket } from '../cloud/s3.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { ImportError } from './import-error.ts';
import { importRecords, type Progress } from './import.ts';
import { MAX_FILE_BYTES } from './staging.ts';

interface ObjectOf {
  readonly bucket: S3Bucket;
  /** Tells buckets apart. */
  readonly place: string;
  readonly name: string;
}

const isKnown = (store: VaultStore, place: string, etag: string): Promise<boolean> =>
  store.database.read(
    async (sql) => (await sql.rows('SELECT 1 FROM source_objects WHERE place = $place AND etag = $etag', { place, etag })).length > 0,
  );

/** Throws ImportError and CloudError. */
export const importFromBucket = async (
  store: VaultStore,
  { domain, format, mapping }: Source,
  { bucket, place, name }: ObjectOf,
  progress: Progress,
): Promise<void> => {
  const { bytes, etag } = await bucket.stat(name);
  const known = `${domain} ${place}${name}`;
  if (await isKnown(store, known, etag)) return progress('done: this object was imported before, nothing changed');
  if (bytes > MAX_FILE_BYTES) throw new ImportError('FileTooLarge', `the file has more than ${MAX_FILE_BYTES} bytes; split it`);
  const path = await fetched(store.folders.incoming, { bucket, place, name }, { bytes, etag }, progress);
  await importRecords(store, domain, { path, format }, progress, { mapping, name });
  await store.database.write((sql) => sql.run('INSERT INTO source_objects VALUES ($place, $etag)', { place: known, etag }));
  await rm(path, { force: true });
};

/** Path of the whole object. Its name says which it is, so that half of another is never gone on with. */
const fetched = async (
  folder: string,
  { bucket, place, name }: ObjectOf,
  { bytes, etag }: { readonly bytes: number; readonly etag: string },
  progress: Progress,
): Promise<string> => {
  const object = createHash('sha256').update(`${place}|${name}`).digest('hex').slice(0, 32);
  const file = `object-${object}-${createHash('sha256').update(etag).digest('hex').slice(0, 16)}`;
  for (const other of await readdir(folder))
    if (other.startsWith(`object-${object}-`) && other !== file) await rm(join(folder, other), { force: true });
  const path = join(folder, file);
  const output = await open(path, 'a', 0o600);
  try {
    // Parts are appended whole; after a crash the last may be cut short, and is fetched again.
    const { size } = await output.stat();
    let at = Math.min(size, bytes) - (Math.min(size, bytes) % PART_BYTES);
    await output.truncate(at);
    while (at < bytes) {
      const part = await bucket.range(name, at, Math.min(bytes, at + PART_BYTES) - 1, etag);
      await output.appendFile(part);
      at += part.length;
      progress(`fetching, ${Math.floor((100 * at) / bytes)} %`);
    }
    await output.sync();
  } finally {
    await output.close();
  }
  return path;
};
