/** Bytes and hex, without Buffer so that the rules run anywhere. Hex is lowercase and bare, except addresses (0x). */
const HEX = /^(?:[0-9a-f]{2})*$/;

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const fromUtf8 = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, b) => b.toString(16).padStart(2, '0'));
export const hex = (bytes: Uint8Array): string => {
  let text = '';
  for (const b of bytes) text += PAIRS[b]!;
  return text;
};

/** Of one lowercase hex digit's character code. */
const nibble = (code: number): number => (code > 57 ? code - 87 : code - 48);

/** Throws RangeError on anything but lowercase hex of whole bytes: two spellings of one value would be two identities. */
export const fromHex = (text: string): Uint8Array => {
  if (!HEX.test(text)) throw new RangeError('not lowercase hex of whole bytes');
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (nibble(text.charCodeAt(2 * i)) << 4) | nibble(text.charCodeAt(2 * i + 1));
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
