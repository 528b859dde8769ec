import { hash } from 'node:crypto';
import { concat, hex, utf8 } from './bytes.ts';

declare const digestOf: unique symbol;
/** Lowercase hex of a SHA3-256 digest; the parameter says of what, so that digests can't be mixed up. */
export type Digest<Of extends string> = string & { readonly [digestOf]: Of };

/** SHA3-256 as raw bytes. */
export const sha3 = (...parts: readonly Uint8Array[]): Uint8Array => hash('sha3-256', concat(...parts), 'buffer');

/** Domain-separated digest: SHA3-256(len(tag) || tag || parts). Same construction in Move (`scs::digest`). */
export const taggedHash = (tag: string, ...parts: readonly Uint8Array[]): Uint8Array => sha3(prefixOf(tag), ...parts);

/** There are as many tags as the code names; the bound is for what takes one from elsewhere. */
const prefixes = new Map<string, Uint8Array>();
const MOST_PREFIXES = 1024;
const prefixOf = (tag: string): Uint8Array => {
  const known = prefixes.get(tag);
  if (known) return known;
  const name = utf8(tag);
  const prefix = concat(Uint8Array.of(name.length), name);
  if (prefixes.size < MOST_PREFIXES) prefixes.set(tag, prefix);
  return prefix;
};

export const digest = <Of extends string>(of: Of, ...parts: readonly Uint8Array[]): Digest<Of> =>
  hex(taggedHash(`SCS::${of}`, ...parts)) as Digest<Of>;

export const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
