/** Generations of the Vault's file: `vault.db` first, then `store/vault-2.db` and so on, one after each rotation of the data key. */
import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { storeFolder } from './database.ts';

export const FIRST_FILE = 'vault.db';
export const nextFile = (file: string): string => `store/vault-${Number(/-(\d+)\.db$/.exec(file)?.[1] ?? 1) + 1}.db`;

/** What a rotation or backup left behind, or cut short; `file` is the one in use. */
export const removeOtherFiles = async (folder: string, file: string): Promise<void> => {
  const store = storeFolder(folder);
  for (const name of await readdir(store))
    if (!file.startsWith('store/') || !name.startsWith(basename(file))) await rm(join(store, name), { force: true });
  if (file !== FIRST_FILE) for (const name of [FIRST_FILE, `${FIRST_FILE}.wal`]) await rm(join(folder, name), { force: true });
};
