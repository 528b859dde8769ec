/**
 * Frames of the agreement's journal: magic, length, number, CRC-32, payload. A frame is one write that was synced before the next was
 * begun, so whatever lies after a frame that does not read back tells a torn last write from damage. Pure.
 */
import { crc32 } from 'node:zlib';

export const HEADER_BYTES = 20;
/** The largest payload: a block and its message fit, and what a torn write can leave behind is bounded. */
export const MOST_PAYLOAD = 16 * 1024 * 1024;
const MAGIC = 0x53435346;

/** Where a frame may begin. A peer that knew it could fill a block with it, and a torn write of that would be checked at each. */
const magicOf = (salt: number): number => (MAGIC ^ salt) >>> 0;

/**
 * `salt` is drawn for each segment and kept from everybody else: bytes that a peer had stored here can't pass for a frame. Without it
 * a block could hold a valid frame, and a torn write of it would look like damage.
 */
export const encodeFrame = (salt: number, number: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(magicOf(salt), 0);
  header.writeUInt32BE(payload.length, 4);
  header.writeBigUInt64BE(BigInt(number), 8);
  header.writeUInt32BE(crc32(payload, crc32(header.subarray(0, 16), salt)), 16);
  return Buffer.concat([header, payload]);
};

/** The payload of the frame at this place; undefined when there is no whole one. */
const frameAt = (salt: number, bytes: Buffer, at: number): { readonly number: number; readonly payload: Buffer } | undefined => {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32BE(at) !== magicOf(salt)) return undefined;
  const length = bytes.readUInt32BE(at + 4);
  const from = at + HEADER_BYTES;
  if (length > MOST_PAYLOAD || from + length > bytes.length) return undefined;
  const payload = bytes.subarray(from, from + length);
  if (crc32(payload, crc32(bytes.subarray(at, at + 16), salt)) !== bytes.readUInt32BE(at + 16)) return undefined;
  return { number: Number(bytes.readBigUInt64BE(at + 8)), payload };
};

export type ReadFrames =
  | {
      readonly kind: 'whole';
      readonly payloads: readonly Buffer[];
      /** Length without the torn last write. */ readonly end: number;
      readonly next: number;
    }
  | { readonly kind: 'damaged'; readonly at: number };

/**
 * All frames from `start` on, numbered from `first`. What doesn't read back is a torn last write when it is no longer than one and no
 * whole frame follows; otherwise it was synced, and is damaged.
 */
export const readFrames = (salt: number, bytes: Buffer, start: number, first: number): ReadFrames => {
  const payloads: Buffer[] = [];
  let at = start;
  let next = first;
  for (;;) {
    const frame = frameAt(salt, bytes, at);
    if (frame?.number !== next) break;
    payloads.push(frame.payload);
    at += HEADER_BYTES + frame.payload.length;
    next += 1;
  }
  if (bytes.length - at > HEADER_BYTES + MOST_PAYLOAD) return { kind: 'damaged', at };
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(magicOf(salt));
  for (let later = bytes.indexOf(magic, at); later >= 0; later = bytes.indexOf(magic, later + 1))
    if (frameAt(salt, bytes, later)) return { kind: 'damaged', at };
  return { kind: 'whole', payloads, end: at, next };
};
