/** Files that the manifest names on the import volume, loaded at start; what was loaded before is skipped by its content. */
import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { VaultSpec } from '@scs/protocol';
import type { VaultStore } from '../store/vault-store.ts';
import { ImportError } from './import-error.ts';
import { importRecords, type Progress } from './import.ts';

/** The real path, inside `folder` whatever links or dots say. */
const within = async (folder: string, path: string): Promise<string> => {
  const missing = new ImportError('FileMissing', `source ${path} is not on the import volume`);
  const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, path))]).catch(() => {
    throw missing;
  });
  if (!file.startsWith(root + sep)) throw missing;
  return file;
};

/** Throws ImportError that names the source. */
export const importSources = async (
  store: VaultStore,
  sources: VaultSpec['sources'],
  folder: string | undefined,
  progress: Progress,
): Promise<void> => {
  for (const { domain, format, path } of sources) {
    if (folder === undefined) throw new ImportError('FileMissing', 'spec.sources needs spec.importVolumeClaim');
    try {
      await importRecords(store, domain, { path: await within(folder, path), format }, (line) => progress(`${path}: ${line}`));
    } catch (error) {
      throw error instanceof ImportError ? new ImportError(error.code, `${path}: ${error.message}`) : error;
    }
  }
};
