/** Bytes and hex, without Buffer so that the rules run anywhere. Hex is lowercase and bare, except addresses (0x). */

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true });
export const utf8 = (text: string): Uint8Array => encoder.encode(text);
export const fromUtf8 = (bytes: Uint8Array): string => strict.decode(bytes);

const DIGITS = utf8('0123456789abcdef');
/** By byte: the character codes of its two digits. By character code: the digit's value, or NONE. */
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS[byte >> 4]!);
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS[byte & 15]!);
const NONE = 0x80;
const VALUES = new Uint8Array(128).fill(NONE);
DIGITS.forEach((code, value) => (VALUES[code] = value));
const text = new TextDecoder();

/** Tables rather than string building: records are turned into hex and back at every certified leaf. */
export const hex = (bytes: Uint8Array): string => {
  const digits = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    digits[2 * i] = HIGH[bytes[i]!]!;
    digits[2 * i + 1] = LOW[bytes[i]!]!;
  }
  return text.decode(digits);
};

const valueAt = (digits: string, i: number): number => VALUES[digits.charCodeAt(i)] ?? NONE;

/** Throws RangeError on anything but lowercase hex of whole bytes: two spellings of one value would be two identities. */
export const fromHex = (digits: string): Uint8Array => {
  const bytes = new Uint8Array(digits.length >> 1);
  let seen = digits.length & 1 ? NONE : 0;
  for (let i = 0; i < bytes.length; i++) {
    const high = valueAt(digits, 2 * i);
    const low = valueAt(digits, 2 * i + 1);
    seen |= high | low;
    bytes[i] = (high << 4) | low;
  }
  if (seen & NONE) throw new RangeError('not lowercase hex of whole bytes');
  return bytes;
};

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);
