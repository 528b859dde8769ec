import { hash } from 'node:crypto';

/** Small byte work that the devnet does everywhere. Addresses are 32 bytes. */
export const concat = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
export const sha3 = (...parts: readonly Uint8Array[]): Uint8Array =>
  hash('sha3-256', parts.length === 1 ? parts[0]! : Buffer.concat(parts), 'buffer');
export const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

/** Bytes of `0x...` with an even number of digits; undefined for anything else. */
export const fromHex = (text: string): Uint8Array | undefined =>
  /^0x(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : undefined;

/** A state key as a string of one character a byte: what maps need. */
export const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
export const bytesOf = (key: string): Uint8Array => Buffer.from(key, 'latin1');

/** The 32 bytes of `0x1` or a longer form; undefined for anything else. */
export const addressBytes = (text: string): Uint8Array | undefined => {
  const digits = /^0x([0-9a-f]{1,64})$/i.exec(text)?.[1];
  return digits === undefined ? undefined : Buffer.from(digits.padStart(64, '0'), 'hex');
};

/** As Aptos writes addresses: `0x1` for the sixteen special ones, all 64 digits for the others. */
export const addressText = (bytes: Uint8Array): string => {
  const digits = Buffer.from(bytes).toString('hex');
  return /^0{63}/.test(digits) ? `0x${digits.slice(63)}` : `0x${digits}`;
};

export const uleb128 = (value: number): Uint8Array => {
  if (value < 0x80) return Uint8Array.of(value);
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Uint8Array.from(out);
};

export const u64Bytes = (value: bigint): Uint8Array => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(value);
  return out;
};

/** BCS of a vector of bytes, and of a vector of things already serialized. */
export const bcsBytes = (bytes: Uint8Array): Uint8Array => concat(uleb128(bytes.length), bytes);
export const bcsVector = (items: readonly Uint8Array[]): Uint8Array => concat(uleb128(items.length), ...items);
export const bcsString = (text: string): Uint8Array => bcsBytes(Buffer.from(text, 'utf8'));
