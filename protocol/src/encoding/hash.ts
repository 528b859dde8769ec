import { hash } from 'node:crypto';
import { concat, hex, utf8 } from './bytes.ts';

declare const digestOf: unique symbol;
/** Lowercase hex of a SHA3-256 digest; the parameter says of what, so that digests can't be mixed up. */
export type Digest<Of extends string> = string & { readonly [digestOf]: Of };

/** SHA3-256 as raw bytes. */
export const sha3 = (...parts: readonly Uint8Array[]): Uint8Array => hash('sha3-256', concat(...parts), 'buffer');

/** Domain-separated digest: SHA3-256(len(tag) || tag || parts). Same construction in Move (`scs::digest`). */
export const taggedHash = (tag: string, ...parts: readonly Uint8Array[]): Uint8Array => {
  const name = utf8(tag);
  return sha3(Uint8Array.of(name.length), name, ...parts);
};

export const digest = <Of extends string>(of: Of, ...parts: readonly Uint8Array[]): Digest<Of> =>
  hex(taggedHash(`SCS::${of}`, ...parts)) as Digest<Of>;

export const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
