/**
 * Sets of subjects' numbers in journal entries, as text, for entries are canonical JSON: a colon, and in Base64, deflated, the steps from
 * each sorted number to the next, seven bits a byte, the lowest first. Entries of before have steps in decimal, without a colon.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const MAX_BYTES = 1024 ** 3;
/** Above this, speed counts more than the last few bytes. */
const LARGE = 65_536;

const stepsOf = (numbers: Uint32Array): Uint8Array => {
  const bytes = new Uint8Array(5 * numbers.length);
  let at = 0;
  let before = 0;
  for (const number of numbers) {
    let step = number - before;
    before = number;
    for (; step > 127; step >>>= 7) bytes[at++] = (step & 127) | 128;
    bytes[at++] = step;
  }
  return bytes.subarray(0, at);
};
/** `numbers`: ascending. Empty text for none. */
export const packNumbers = (numbers: Uint32Array): string => {
  if (numbers.length === 0) return '';
  const steps = stepsOf(numbers);
  return `:${deflateRawSync(steps, { level: steps.length > LARGE ? 1 : 6 }).toString('base64')}`;
};

const unpackSteps = (bytes: Uint8Array): Uint32Array => {
  const numbers = new Uint32Array(bytes.length);
  let [count, number, step, factor] = [0, 0, 0, 1];
  for (const byte of bytes) {
    step += (byte & 127) * factor;
    factor *= 128;
    if (byte > 127) continue;
    number += step;
    numbers[count++] = number;
    [step, factor] = [0, 1];
  }
  return numbers.slice(0, count);
};
const unpackDecimal = (text: string): Uint32Array => {
  let number = 0;
  return Uint32Array.from(text.split(','), (step) => (number += Number(step)));
};
/** Inverse; throws on what is no deflated data. */
export const unpackNumbers = (packed: string): Uint32Array => {
  if (packed === '') return new Uint32Array();
  const isNew = packed.startsWith(':');
  const bytes = inflateRawSync(Buffer.from(isNew ? packed.slice(1) : packed, 'base64'), { maxOutputLength: MAX_BYTES });
  return isNew ? unpackSteps(bytes) : unpackDecimal(bytes.toString('latin1'));
};
