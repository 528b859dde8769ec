/** Golden texts: what a submitter sees. */
import { expect, test } from 'vitest';
import type { TaskResult } from '@scs/protocol';
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
