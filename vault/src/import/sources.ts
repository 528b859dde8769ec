/**
 * Files that the manifest names, on the import volume or in buckets, loaded at start. Each is one import: what was loaded before is
 * skipped, so that a load which died goes on with the file that it was at. A path that ends with / names all files of its format there.
 */
import { readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { S3Place, Source } from '@scs/protocol';
import { CloudError } from '../cloud/aws.ts';
import type { S3Bucket } from '../cloud/s3.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { importFromBucket } from './bucket.ts';
import { ImportError } from './import-error.ts';
import { importRecords, rulesOf, type Progress } from './import.ts';

export interface SourcePlaces {
  /** Of the import volume. */
  readonly folder: string | undefined;
  readonly bucket: (place: S3Place) => S3Bucket;
}

/** The real path, inside `folder` whatever links or dots say. */
const within = async (folder: string, path: string): Promise<string> => {
  const missing = new ImportError('FileMissing', `source ${path} is not on the import volume`);
  const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, path))]).catch(() => {
    throw missing;
  });
  if (!file.startsWith(root + sep)) throw missing;
  return file;
};
const filesOf = async (folder: string, { path, format }: Source): Promise<readonly string[]> => {
  if (!path.endsWith('/')) return [path];
  const names = await readdir(await within(folder, path));
  return names
    .filter((name) => name.endsWith(`.${format}`))
    .toSorted()
    .map((name) => path + name);
};
const objectsOf = async (bucket: S3Bucket, { path, format }: Source): Promise<readonly string[]> => {
  if (!path.endsWith('/')) return [path];
  const names: string[] = [];
  for await (const { name } of bucket.list(path)) if (name.endsWith(`.${format}`)) names.push(name);
  return names;
};

/** Errors name the file. */
const named = async (file: string, work: () => Promise<unknown>): Promise<void> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof ImportError) throw new ImportError(error.code, `${file}: ${error.message}`);
    if (error instanceof CloudError && error.code === 'CloudMissing') throw new ImportError('FileMissing', `${file} is not in its bucket`);
    throw error;
  }
};

const importSource = async (store: VaultStore, source: Source, { folder, bucket }: SourcePlaces, progress: Progress): Promise<void> => {
  const { domain, format, mapping, s3 } = source;
  // A mapping that doesn't fit is found before anything is fetched.
  await named(source.path, () => Promise.resolve(rulesOf(store, domain, mapping)));
  if (s3) {
    const from = bucket(s3);
    const place = `${s3.endpoint ?? ''}/${s3.bucket}/${s3.prefix}`;
    for (const name of await objectsOf(from, source))
      await named(name, () => importFromBucket(store, source, { bucket: from, place, name }, (line) => progress(`${name}: ${line}`)));
    return;
  }
  if (folder === undefined) throw new ImportError('FileMissing', 'spec.sources needs spec.importVolumeClaim');
  for (const file of await filesOf(folder, source))
    await named(file, async () =>
      importRecords(store, domain, { path: await within(folder, file), format }, (line) => progress(`${file}: ${line}`), {
        mapping,
        name: file,
      }),
    );
};

/** Throws ImportError that names the file, and CloudError. */
export const importSources = async (
  store: VaultStore,
  sources: readonly Source[],
  places: SourcePlaces,
  progress: Progress,
): Promise<void> => {
  for (const source of sources) await importSource(store, source, places, progress);
};
