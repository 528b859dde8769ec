/** Port `ArchiveStore`: where files of the archive are kept, by names that say what is in them. One implementation: a folder. */
import { mkdirSync } from 'node:fs';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asDiskError } from '../../consensus/runtime/journal/io.ts';
import { isArchiveName } from './archive-file.ts';

export interface ArchiveStore {
  /** Durable as a whole when it resolves; the same name again is the same content. Rejects with DiskError. */
  put(name: string, content: Uint8Array): Promise<void>;
  get(name: string): Promise<Uint8Array | undefined>;
  /** Of whole files, in order of their first heights. */
  names(): Promise<readonly string[]>;
  drop(name: string): Promise<void>;
}

const DRAFT = '.new';
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};
const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

class Folder implements ArchiveStore {
  readonly #folder: string;
  #made = false;
  constructor(folder: string) {
    this.#folder = folder;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (!this.#made) {
        mkdirSync(this.#folder, { recursive: true });
        await syncFolder(dirname(this.#folder));
        this.#made = true;
      }
      return await work();
    } catch (error) {
      throw asDiskError(this.#folder, error);
    }
  }
  put(name: string, content: Uint8Array): Promise<void> {
    return this.#guarded(async () => {
      const path = join(this.#folder, name);
      const handle = await open(path + DRAFT, 'w');
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(path + DRAFT, path);
      await syncFolder(this.#folder);
    });
  }
  get(name: string): Promise<Uint8Array | undefined> {
    return this.#guarded(() =>
      readFile(join(this.#folder, name)).catch((error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      }),
    );
  }
  names(): Promise<readonly string[]> {
    return this.#guarded(async () => {
      const all = await readdir(this.#folder);
      for (const name of all) if (name.endsWith(DRAFT)) await rm(join(this.#folder, name), { force: true });
      return all.filter(isArchiveName).toSorted();
    });
  }
  drop(name: string): Promise<void> {
    return this.#guarded(() => rm(join(this.#folder, name), { force: true }));
  }
}
/** Makes the folder when it is first used. */
export const folderStore = (folder: string): ArchiveStore => new Folder(folder);
