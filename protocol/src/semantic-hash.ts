/**
 * The hash of hashed query attributes (rule S2). The key is public and new in each epoch: it keeps nobody from hashing a guess, it
 * keeps the groups of one epoch from being laid beside those of another. What protects a value is that groups are few and answers noised.
 */
import { fromHex, hex, utf8 } from './encoding/bytes.ts';
import { digest, taggedHash } from './encoding/hash.ts';

/** Hex; of an attribute in an epoch under a semantic version: a pure function of what resolution may see (S6). */
export const semanticHashKey = (semanticVersion: string, epoch: number, attribute: string): string =>
  digest('semantic-hash-key', utf8(`${semanticVersion}/${epoch}/${attribute}`));

/** 0 to groups-1. Even to 1 in 2^57. */
export const hashGroup = (key: string, value: string, groups: number): number => {
  const bytes = taggedHash('SCS::semantic-hash', fromHex(key), utf8(value));
  return Number(BigInt(`0x${hex(bytes.subarray(0, 8))}`) % BigInt(groups));
};
