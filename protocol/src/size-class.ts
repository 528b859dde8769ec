/**
 * Sizes of what is sealed (rules B4, M5): encryption hides bytes, not how many. Messages are padded to what they would be with the
 * widest numbers, so that their size follows from plan and evidence alone; files to one of eight sizes a power of two.
 */
import { encodeCanonical } from './encoding/canonical.ts';

const MESSAGE_STEP = 1024;
const MARK = 0x80;
/** No noised sum is wider: 39 digits hold any product of two 64-bit numbers. */
export const WIDEST = -(10n ** 38n);

const roundUp = (length: number, step: number): number => Math.ceil(length / step) * step;

/** Canonical bytes of `value`, a mark, and zeros, up to the size that its twin with the widest numbers has. */
export const padded = (value: unknown, widestTwin: unknown): Uint8Array => {
  const bytes = encodeCanonical(value);
  const size = roundUp(Math.max(bytes.length, encodeCanonical(widestTwin).length) + 1, MESSAGE_STEP);
  const made = new Uint8Array(size);
  made.set(bytes);
  made[bytes.length] = MARK;
  return made;
};
/** Inverse of `padded`. Throws RangeError when there is no padding. */
export const unpadded = (bytes: Uint8Array): Uint8Array => {
  const end = bytes.findLastIndex((byte) => byte !== 0);
  if (end < 0 || bytes[end] !== MARK) throw new RangeError('the padding is missing');
  return bytes.subarray(0, end);
};

const SMALLEST_FILE = 65_536;
/** What a file of `length` bytes is padded to: at most an eighth more, from half a MiB on. */
export const fileClass = (length: number): number => {
  let step = SMALLEST_FILE;
  while (step * 16 <= length) step *= 2;
  return Math.max(SMALLEST_FILE, roundUp(length, step));
};
