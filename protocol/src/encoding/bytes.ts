/** Bytes and hex, without Buffer so that the rules run anywhere. Hex is lowercase and bare, except addresses (0x). */
const HEX = /^(?:[0-9a-f]{2})*$/;

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const fromUtf8 = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

export const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/** Throws RangeError on anything but lowercase hex of whole bytes: two spellings of one value would be two identities. */
export const fromHex = (text: string): Uint8Array => {
  if (!HEX.test(text)) throw new RangeError('not lowercase hex of whole bytes');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
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
