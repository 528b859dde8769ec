import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Plan } from '@scs/protocol';
import { combine } from './combine.ts';

const plan = (minimumResultCardinality: number, overlapBound: number, cells = 1): Plan => ({
  domain: 'retail.purchase',
  usage: 'marketing',
  count: 'subjects',
  where: [],
  group: { column: 'household.age', cells: Array.from({ length: cells }, (_, i) => ({ label: `c${i}`, values: [`${i}`] })) },
  cellsPerSubject: 2,
  epsilon: 500_000n,
  microRho: 125_000n,
  minimumResultCardinality,
  overlapBound,
});
const nonce = '00'.repeat(32);

test.each`
  noisy  | minimum | overlap | shown
  ${60n} | ${20}   | ${3}    | ${true}
  ${59n} | ${20}   | ${3}    | ${false}
  ${20n} | ${20}   | ${1}    | ${true}
  ${19n} | ${20}   | ${1}    | ${false}
  ${0n}  | ${1}    | ${1}    | ${false}
  ${-5n} | ${1}    | ${1}    | ${false}
  ${1n}  | ${1}    | ${1}    | ${true}
`('S5, B1: a noisy count of $noisy at minimum $minimum, overlap $overlap: shown is $shown', ({ noisy, minimum, overlap, shown }) => {
  const result = combine('ab', plan(minimum, overlap), [{ cells: [noisy], nonce }]);
  expect(result.cells).toEqual([shown ? { label: 'c0', count: noisy } : { label: 'c0' }]);
});

test('S5: the sum decides, cell by cell, not any one Vault', () => {
  const outputs = [
    { cells: [30n, -4n, 10n], nonce },
    { cells: [-9n, 5n, 11n], nonce },
  ];
  expect(combine('ab', plan(21, 1, 3), outputs)).toEqual({
    envelope: 'ab',
    cells: [{ label: 'c0', count: 21n }, { label: 'c1' }, { label: 'c2', count: 21n }],
    vaults: 2,
    epsilon: 500_000n,
    cellsPerSubject: 2,
  });
});

test('M2: the order of the slices does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.bigInt(-1000n, 1000n), { minLength: 3, maxLength: 3 }), { minLength: 1 }), (all) => {
      const outputs = all.map((cells) => ({ cells, nonce }));
      expect(combine('ab', plan(5, 2, 3), outputs.toReversed())).toEqual(combine('ab', plan(5, 2, 3), outputs));
    }),
  );
});

test('B7, S5: measures are added over the Vaults, quantiles read off the sum; a suppressed cell has none', () => {
  const measured: Plan = {
    ...plan(10, 1, 2),
    measures: [
      { kind: 'mean', column: 'c', low: 0, high: 100 },
      { kind: 'quantile', column: 'c', rank: { numerator: 1, denominator: 2 }, grid: [0, 50, 100] },
    ],
  };
  const outputs = [
    { cells: [8n, 5n, 300n, -7n, 4n, 3n, 1n, 9n, 9n, 9n], nonce },
    { cells: [8n, 4n, 310n, 900n, -1n, 5n, 2n, 0n, 0n, 0n], nonce },
  ];
  const result = combine('ab', measured, outputs);
  expect(result.cells).toEqual([{ label: 'c0', count: 16n, values: [610n, 50n] }, { label: 'c1' }]);
  expect(result.measures).toEqual(measured.measures);
});
