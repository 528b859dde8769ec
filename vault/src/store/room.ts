/**
 * Room on the Vault's volume. Before it is gone, new work is refused (reservations, imports, copies of the file), so that what is begun
 * can end: outputs, commits, releases, revocations, erasures. Should it be gone all the same, a step fails whole and may be repeated.
 */
import { statfs } from 'node:fs/promises';
import { StoreError } from './database.ts';

export interface Room {
  /** Bytes. */
  readonly free: number;
  readonly size: number;
}
/** Of the volume that a folder is on. */
export const roomOf = async (folder: string): Promise<Room> => {
  const { bavail, bsize, blocks } = await statfs(folder);
  return { free: bavail * bsize, size: blocks * bsize };
};

const KEPT_BYTES = 64 * 1024 ** 2;
/** Kept for ending what was begun: 64 MiB, or an eighth of a small volume. */
export const keptFor = ({ size }: Room): number => Math.min(KEPT_BYTES, Math.floor(size / 8));
export const isFull = (room: Room, needed = 0): boolean => room.free - needed < keptFor(room);

export const full = (): StoreError => new StoreError('StorageFull', "the Vault's volume has no room for new work; enlarge it", undefined);
