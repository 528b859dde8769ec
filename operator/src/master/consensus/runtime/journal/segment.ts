/** The journal's file: a header that names whose it is, then frames. Made whole or not at all, so there is always one to read. */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DiskError } from '../../../log/disk.ts';
import { encodeFrame, readFrames } from './frame.ts';
import { guardedIo, type JournalIo, writeAll } from './io.ts';

const MAGIC = Buffer.from('SCSJRNL1');
const ID_BYTES = 16;
/** Magic, id, number of the segment, salt, CRC. */
const HEADER_BYTES = MAGIC.length + ID_BYTES + 8 + 4 + 4;

export interface Segment {
  readonly path: string;
  /** Of the journal, hex: the log's file names the same. */
  readonly id: string;
  readonly number: number;
  readonly salt: number;
  readonly fd: number;
  /** Bytes, and number of the next frame. */
  size: number;
  next: number;
}

const nameOf = (number: number): string => `${String(number).padStart(12, '0')}.journal`;
export const syncFolder = (folder: string): void => {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

const headerOf = (id: string, number: number, salt: number): Buffer => {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.write(id, MAGIC.length, 'hex');
  header.writeBigUInt64BE(BigInt(number), MAGIC.length + ID_BYTES);
  header.writeUInt32BE(salt, HEADER_BYTES - 8);
  header.writeUInt32BE(crc32(header.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  return header;
};

export const freshId = (): string => randomBytes(ID_BYTES).toString('hex');

/** A segment that begins with these payloads, on the disk as a whole when this returns; the ones before it are removed. Throws DiskError. */
export const makeSegment = (io: JournalIo, folder: string, id: string, number: number, payloads: readonly Uint8Array[]): Segment => {
  const path = join(folder, nameOf(number));
  return guardedIo(path, () => {
    const draft = `${path}.new`;
    const salt = randomBytes(4).readUInt32BE();
    const fd = openSync(draft, 'w');
    try {
      const parts = [headerOf(id, number, salt), ...payloads.map((payload, i) => encodeFrame(salt, i + 1, payload))];
      let size = 0;
      for (const part of parts) {
        writeAll(io, fd, part, size);
        size += part.length;
      }
      fdatasyncSync(fd);
      renameSync(draft, path);
      syncFolder(folder);
      return { path, id, number, salt, fd, size, next: payloads.length + 1 };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  });
};

/** The latest segment of the folder; drafts and segments before it go. */
const latestIn = (folder: string): string | undefined => {
  const names = readdirSync(folder);
  for (const name of names) if (name.endsWith('.new')) unlinkSync(join(folder, name));
  const [latest, ...older] = names.filter((name) => name.endsWith('.journal')).toSorted((a, b) => (a < b ? 1 : -1));
  for (const name of older) unlinkSync(join(folder, name));
  return latest && join(folder, latest);
};

/** Opens the latest segment, without a torn last write. undefined when there is none. Throws DiskError, DiskCorrupt above all. */
export const openSegment = (folder: string): { readonly segment: Segment; readonly payloads: readonly Buffer[] } | undefined => {
  if (!existsSync(folder)) return undefined;
  const path = guardedIo(folder, () => latestIn(folder));
  if (path === undefined) return undefined;
  return guardedIo(path, () => {
    const bytes = readFileSync(path);
    const header = bytes.subarray(0, HEADER_BYTES);
    if (
      header.length < HEADER_BYTES ||
      !header.subarray(0, MAGIC.length).equals(MAGIC) ||
      crc32(header.subarray(0, HEADER_BYTES - 4)) !== header.readUInt32BE(HEADER_BYTES - 4)
    )
      throw new DiskError('DiskCorrupt', `${path}: the header does not read back`);
    const id = header.subarray(MAGIC.length, MAGIC.length + ID_BYTES).toString('hex');
    const number = Number(header.readBigUInt64BE(MAGIC.length + ID_BYTES));
    const salt = header.readUInt32BE(HEADER_BYTES - 8);
    const read = readFrames(salt, bytes, HEADER_BYTES, 1);
    if (read.kind === 'damaged') throw new DiskError('DiskCorrupt', `${path}: what was synced at byte ${read.at} does not read back`);
    const fd = openSync(path, 'r+');
    if (read.end < bytes.length) {
      ftruncateSync(fd, read.end);
      fdatasyncSync(fd);
    }
    return { segment: { path, id, number, salt, fd, size: read.end, next: read.next }, payloads: read.payloads };
  });
};

export const removeSegment = ({ path }: Segment): void => guardedIo(dirname(path), () => unlinkSync(path));
