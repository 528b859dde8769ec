/** A small file replaced whole, durably: a crash leaves the one before or the one after. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

const flushed = async (path: string, bytes?: string | Uint8Array): Promise<void> => {
  const file = await open(path, bytes === undefined ? 'r' : 'w', 0o600);
  try {
    if (bytes !== undefined) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
};

export const writeDurably = async (path: string, bytes: string | Uint8Array): Promise<void> => {
  await flushed(`${path}.partial`, bytes);
  await rename(`${path}.partial`, path);
  await flushed(dirname(path));
};
