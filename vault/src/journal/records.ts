/**
 * Records of a journal's copy:
 *
 *   length of what follows (u32) | sequence (u64) | head (32 bytes) | sealed entry
 */
import { concat, fromHex, hex } from '@scs/protocol';
import type { JournalEntry, JournalHead } from '../store/journal.ts';
import type { EntrySeal } from './copy.ts';

const PREFIX_BYTES = 4 + 8 + 32;

export interface RawRecord extends JournalHead {
  readonly sealed: Uint8Array;
}
/** Of files and objects that hold records from this sequence on: they sort by it. */
export const nameOf = (sequence: bigint): string => `${sequence.toString().padStart(20, '0')}.journal`;
/** undefined for what is no such name. */
export const firstOf = (name: string): bigint | undefined => {
  const match = /^(\d{20})\.journal$/.exec(name);
  return match ? BigInt(match[1]!) : undefined;
};

export const recordOf = (entry: JournalEntry, seal: EntrySeal): Uint8Array => {
  const sealed = seal.seal(entry);
  const prefix = Buffer.alloc(12);
  prefix.writeUInt32BE(8 + 32 + sealed.length, 0);
  prefix.writeBigUInt64BE(entry.sequence, 4);
  return concat(prefix, fromHex(entry.head), sealed);
};

/** Whole records, and how many bytes they take. */
export const recordsOf = (bytes: Buffer): { readonly records: readonly RawRecord[]; readonly whole: number } => {
  const records: RawRecord[] = [];
  let at = 0;
  while (at + PREFIX_BYTES <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length || end < at + PREFIX_BYTES) break;
    records.push({
      sequence: bytes.readBigUInt64BE(at + 4),
      head: hex(bytes.subarray(at + 12, at + PREFIX_BYTES)),
      sealed: bytes.subarray(at + PREFIX_BYTES, end),
    });
    at = end;
  }
  return { records, whole: at };
};
