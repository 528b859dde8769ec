import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TaskResult } from './evidence.ts';
import { MAX_OUTPUT_VALUES } from './output-layout.ts';
import { fileClass, unpadded } from './size-class.ts';
import { encodeCanonical } from './encoding/canonical.ts';
import { decodeSliceOutput, decodeTaskResult, encodeSliceOutput, encodeSliceRelease, encodeTaskResult } from './slice-input.ts';
import { digestOf } from './testing/keys.ts';

const nonce = digestOf('nonce');
const envelope = digestOf('envelope');
const numbers = (length: number) => fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }), { minLength: length, maxLength: length });

test('B4: a sealed output is as long whatever its numbers are', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }).chain((length) => fc.tuple(numbers(length), numbers(length))),
      ([a, b]) => encodeSliceRelease({ cells: a, nonce }).length === encodeSliceRelease({ cells: b, nonce }).length,
    ),
  ));

test('S5, B4: a result is as long whether cells are suppressed or not', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n })), { minLength: 1, maxLength: 100 }),
      (cells) => {
        const of = (shown: boolean): TaskResult => ({
          envelope,
          cells: cells.map(([isShown, value], i) =>
            shown && isShown ? { label: `${i}`, count: value, values: [value] } : { label: `${i}` },
          ),
          vaults: 3,
          epsilon: 1n,
          cellsPerSubject: 1,
          measures: [{ kind: 'sum', column: 'spent', low: 0, high: 100 }],
        });
        return encodeTaskResult(of(true)).length === encodeTaskResult(of(false)).length;
      },
    ),
  ));

test('what was padded is read again; without padding nothing is', () => {
  const result = { envelope, cells: [{ label: 'all', count: -5n }], vaults: 3, epsilon: 1n, cellsPerSubject: 1 };
  const bytes = encodeTaskResult(result);
  expect(bytes.length % 1024).toBe(0);
  expect(decodeTaskResult(bytes)).toEqual(result);
  expect(() => decodeTaskResult(encodeCanonical(result))).toThrow(RangeError);
  expect(() => unpadded(new Uint8Array(8))).toThrow(RangeError);
  const output = { cells: [1n], nonce };
  expect(decodeSliceOutput(encodeSliceOutput(output))).toEqual(output);
});

test('B4: a file is padded to one of eight sizes a power of two', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (length) => {
      const size = fileClass(length);
      expect(size).toBeGreaterThanOrEqual(length);
      expect(size).toBeLessThanOrEqual(Math.max(65_536, length < 524_288 ? length + 65_536 : length * 1.126));
      expect(fileClass(size)).toBe(size);
    }),
  ));

test('the largest output, padded, is far from what a message may hold', () => {
  const cells = Array.from({ length: MAX_OUTPUT_VALUES }, () => 0n);
  expect(encodeSliceRelease({ cells, nonce }).length).toBeLessThan(256 * 1024);
});
