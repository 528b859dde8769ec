/** Sets of subjects' numbers in journal entries: differences of the sorted numbers, deflated; text, as entries are canonical JSON. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const MAX_BYTES = 1024 ** 3;

/** `numbers`: sorted, joined by commas; empty for none. */
export const packNumbers = (numbers: string): string => {
  if (numbers === '') return '';
  let before = 0n;
  const steps = numbers.split(',').map((text) => {
    const number = BigInt(text);
    const step = number - before;
    before = number;
    return step.toString();
  });
  return deflateRawSync(steps.join(',')).toString('base64');
};
/** Inverse; throws on anything else. */
export const unpackNumbers = (packed: string): readonly bigint[] => {
  if (packed === '') return [];
  const steps = inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: MAX_BYTES }).toString('latin1').split(',');
  let number = 0n;
  return steps.map((step) => (number += BigInt(step)));
};
