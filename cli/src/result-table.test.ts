/** Golden texts: what a submitter sees. */
import { expect, test } from 'vitest';
import type { TaskResult } from '@scs/protocol';
import { ratio } from './result-measures.ts';
import { resultJson, resultLines } from './result-table.ts';

const result = (cells: TaskResult['cells'], changes: Partial<TaskResult> = {}): TaskResult => ({
  envelope: 'ab'.repeat(32),
  cells,
  vaults: 3,
  epsilon: 500_000n,
  cellsPerSubject: 1,
  ...changes,
});

test('counts, intervals, bars', () => {
  expect(
    resultLines(
      result([
        { label: 'under_45', count: 412n },
        { label: '45_and_over', count: 388n },
        { label: 'unknown', count: 97n },
      ]),
    ),
  ).toEqual([
    'cell           count  95 % interval',
    'under_45         412       402..422  ████████████████████████████████████████',
    '45_and_over      388       378..398  █████████████████████████████████████▋',
    'unknown           97        87..107  █████████▍',
    'Noise: 3 Vaults, each with discrete Laplace at epsilon 0.5; together within +-10 in 95 of 100 cases.',
  ]);
});
test('S5: a suppressed cell has no number', () => {
  expect(resultLines(result([{ label: 'all', count: 70n }, { label: '19-24' }]))).toEqual([
    'cell     count  95 % interval',
    'all         70         60..80  ████████████████████████████████████████',
    '19-24  suppressed: the noisy count is below the minimum cardinality',
    'Noise: 3 Vaults, each with discrete Laplace at epsilon 0.5; together within +-10 in 95 of 100 cases.',
  ]);
});
test('a negative noisy count is shown as it is; its interval and bar end at zero', () => {
  expect(resultLines(result([{ label: 'all', count: -12n }], { vaults: 1 }))).toEqual([
    'cell     count  95 % interval',
    'all        -12           0..0',
    'Noise: 1 Vault, with discrete Laplace at epsilon 0.5; together within +-6 in 95 of 100 cases.',
  ]);
});
test('all suppressed', () => {
  expect(resultLines(result([{ label: 'all' }]))[1]).toBe('all    suppressed: the noisy count is below the minimum cardinality');
});
test('JSON for scripts', () => {
  expect(JSON.parse(resultJson(result([{ label: 'a', count: -1n }, { label: 'b' }])))).toEqual({
    envelope: 'ab'.repeat(32),
    vaults: 3,
    epsilon: '0.5',
    halfWidth95: 10,
    cells: [
      { label: 'a', count: -1 },
      { label: 'b', suppressed: true },
    ],
  });
});

test('B7: sums, means and quantiles below the counts', () => {
  const measured = result(
    [
      { label: 'under_45', count: 400n, values: [1_000_000n, -15n, 2_500n] },
      { label: 'over', count: 200n, values: [-3n, 100n, 0n] },
      { label: 'rest' },
    ],
    {
      epsilon: 800_000n,
      measures: [
        { kind: 'sum', column: 'purchase.cents', low: 0, high: 5_000 },
        { kind: 'mean', column: 'purchase.cents', low: 0, high: 5_000 },
        { kind: 'quantile', column: 'purchase.cents', rank: { numerator: 5, denominator: 10 }, grid: [0, 1_000, 2_500] },
      ],
    },
  );
  expect(resultLines(measured).slice(4)).toMatchInlineSnapshot(`
    [
      "Noise: 3 Vaults, each with discrete Laplace at epsilon 0.2; together within +-25 in 95 of 100 cases.",
      "sum of purchase.cents: each subject's total clipped to 0..5000",
      "under_45     1000000  875781..1124219",
      "over              -3  -124222..124216",
      "rest      suppressed",
      "mean of purchase.cents: each subject's total clipped to 0..5000",
      "under_45       -0.04  -331.29..331.21",
      "over            0.50  -709.25..710.39",
      "rest      suppressed",
      "quantile 0.5 of purchase.cents: each subject's total counted by the grid 0, 1000, 2500; each bin within +-17 in 95 of 100 cases",
      "under_45        2500  2500 or more",
      "over               0  below 1000",
      "rest      suppressed",
    ]
  `);
  expect(JSON.parse(resultJson(measured)).cells).toMatchInlineSnapshot(`
    [
      {
        "count": 400,
        "label": "under_45",
        "measures": [
          {
            "from": "875781",
            "measure": "sum of purchase.cents",
            "to": "1124219",
            "value": "1000000",
          },
          {
            "from": "-331.29",
            "measure": "mean of purchase.cents",
            "to": "331.21",
            "value": "-0.04",
          },
          {
            "from": "2500",
            "measure": "quantile 0.5 of purchase.cents",
            "value": "2500",
          },
        ],
      },
      {
        "count": 200,
        "label": "over",
        "measures": [
          {
            "from": "-124222",
            "measure": "sum of purchase.cents",
            "to": "124216",
            "value": "-3",
          },
          {
            "from": "-709.25",
            "measure": "mean of purchase.cents",
            "to": "710.39",
            "value": "0.50",
          },
          {
            "below": "1000",
            "measure": "quantile 0.5 of purchase.cents",
            "value": "0",
          },
        ],
      },
      {
        "label": "rest",
        "suppressed": true,
      },
    ]
  `);
});
test('a result that lacks a value is no result', () =>
  expect(() => resultLines(result([{ label: 'a', count: 50n }], { measures: [{ kind: 'sum', column: 'c', low: 0, high: 1 }] }))).toThrow(
    RangeError,
  ));
test.each`
  a       | b     | text
  ${1n}   | ${3n} | ${'0.33'}
  ${2n}   | ${3n} | ${'0.67'}
  ${-1n}  | ${8n} | ${'-0.13'}
  ${0n}   | ${8n} | ${'0.00'}
  ${700n} | ${7n} | ${'100.00'}
`('$a / $b is $text', ({ a, b, text }: { a: bigint; b: bigint; text: string }) => expect(ratio(a, b)).toBe(text));
