/** The calls that can fail for want of room or of a working disk: a port, so that tests can make them fail. */
import { fdatasync, fdatasyncSync, writeSync } from 'node:fs';
import { DiskError } from '../../../log/disk.ts';

export interface JournalIo {
  /** Bytes written; may be fewer than asked. */
  write(fd: number, bytes: Uint8Array, offset: number, position: number): number;
  /** Resolves when all that was written is on the disk. */
  sync(fd: number): Promise<void>;
  syncNow(fd: number): void;
}
export const realIo: JournalIo = {
  write: (fd, bytes, offset, position) => writeSync(fd, bytes, offset, bytes.length - offset, position),
  sync: (fd) => new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
  syncNow: fdatasyncSync,
};

export const writeAll = (io: JournalIo, fd: number, bytes: Uint8Array, position: number): void => {
  for (let done = 0; done < bytes.length;) done += io.write(fd, bytes, done, position + done);
};

/** No room: nothing was lost. Anything else of the system: what was written may be gone, and is never tried again. */
export const asDiskError = (path: string, error: unknown): unknown => {
  if (!(error instanceof Error) || error instanceof DiskError || !('code' in error)) return error;
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  return new DiskError(full ? 'DiskFull' : 'DiskFailed', `${path}: ${error.message}`, { cause: error });
};
export const guardedIo = <T>(path: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw asDiskError(path, error);
  }
};
