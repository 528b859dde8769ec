/** Keyed uniform draws and their comparison (rules B6, B7): as many bytes as a public scale needs, in one go. */
import { createHash } from 'node:crypto';
import { concat, utf8 } from '../encoding/bytes.ts';
import { PRECISION, type Interval } from './enclosure.ts';

/** Bits of a uniform draw and of a threshold. */
export const DRAW_BITS = 384;
export const DRAW_BYTES = DRAW_BITS / 8;
const SHIFT = PRECISION - BigInt(DRAW_BITS);

/**
 * A probability as a threshold over 2^384, off by less than 2^-383: an event of it is a draw below the threshold. Throws
 * RangeError when the enclosure is too wide to say so.
 */
export const thresholdOf = ({ low, high }: Interval): bigint => {
  if (high - low > 1n << (SHIFT - 1n)) throw new RangeError('the enclosure of a threshold is too wide');
  return low < 0n ? 0n : low >> SHIFT;
};
export const thresholdBytes = (threshold: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(threshold.toString(16).padStart(2 * DRAW_BYTES, '0'), 'hex'));

/** 1 when the big-endian draw is below the threshold, else 0: the final borrow of a subtraction over all bytes. */
export const isBelow = (stream: Uint8Array, offset: number, threshold: Uint8Array): number => {
  let borrow = 0;
  for (let i = DRAW_BYTES - 1; i >= 0; i--) borrow = (stream[offset + i]! - threshold[i]! - borrow) >>> 31;
  return borrow;
};

/** SHAKE256(tag || seed || place): `tag` and `place` are fixed by mechanism, index and public parameters. */
export const streamOf = (tag: string, seed: Uint8Array, place: string, length: number): Uint8Array =>
  createHash('shake256', { outputLength: length })
    .update(concat(utf8(tag), seed, utf8(place)))
    .digest();

/** Throws RangeError on a seed or index no mechanism takes. */
export const checkKey = (seed: Uint8Array, index: number): void => {
  if (seed.length !== 32) throw new RangeError('the noise seed must have 32 bytes');
  if (!Number.isSafeInteger(index) || index < 0) throw new RangeError('the index must be a non-negative integer');
};

const MAX_TABLES = 64;
/** Tables of thresholds by public parameters: a handful are in use at a time. */
export const remembered = <T>(make: (name: string) => T): ((name: string) => T) => {
  const known = new Map<string, T>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const made = make(name);
    if (known.size >= MAX_TABLES) known.clear();
    known.set(name, made);
    return made;
  };
};
