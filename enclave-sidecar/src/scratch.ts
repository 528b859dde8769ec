/** Plaintext of records lies in memory-backed scratch only, for as long as the slice needs it (rule A2). */
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EnclaveFault } from './fault.ts';

const TMPFS = 0x0102_1994;
const RAMFS = 0x8584_58f6;

export const isMemoryBacked = async (folder: string): Promise<boolean> => {
  const { type } = await statfs(folder);
  return type === TMPFS || type === RAMFS;
};
/** Throws EnclaveFault ScratchNotMemory: records must not reach a disk. */
export const requireMemory = async (folder: string): Promise<void> => {
  if (!(await isMemoryBacked(folder)))
    throw new EnclaveFault('ScratchNotMemory', 'The scratch volume is not memory-backed. Mount an emptyDir with medium Memory.');
};

export interface SliceFiles extends AsyncDisposable {
  readonly eligible: string;
}
/** Writes what belongs to this run alone for the executor to read, beside the snapshot; disposing removes it. */
export const writeSliceFiles = async (scratch: string, round: number, eligible: Uint8Array): Promise<SliceFiles> => {
  const folder = join(scratch, `work-${round}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  const path = join(folder, 'eligible.parquet');
  await writeFile(path, eligible, { mode: 0o400, flag: 'wx' });
  return {
    eligible: path,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
};
