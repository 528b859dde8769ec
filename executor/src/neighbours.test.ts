/**
 * B4: whether a query fails, and how, does not depend on any one person's values. What a Vault can hold in a snapshot's columns (text,
 * BIGINT, DATE) always gives an answer; a file of other types fails for its type, with this person's record or without.
 */
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Plan } from '@scs/protocol';
import { runPlan } from './run-plan.ts';
import { temporaryFolder, writeQuery } from './testing/parquet.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let files = 0;
const limits = { memoryBytes: 256 * 1024 * 1024, threads: 1, timeoutMs: 30_000 };
const query: Plan = {
  domain: 'retail.purchase',
  usage: 'marketing',
  count: 'subjects',
  where: [
    [
      { op: 'days', column: 'day', from: '2017-01-01', until: '2018-01-01' },
      { op: 'range', column: 'cents', atLeast: 0 },
      { op: 'hash', column: 'text', key: 'ab'.repeat(32), groups: 2, in: [0, 1] },
      { op: 'notIn', column: 'text', values: ['x'] },
    ],
  ],
  group: { column: 'text', cells: [{ label: 'x', values: ['x'] }, { label: 'rest' }] },
  measures: [
    { kind: 'sum', column: 'cents', low: -100, high: 100 },
    { kind: 'mean', column: 'cents', low: 0, high: 100 },
    { kind: 'quantile', column: 'cents', rank: { numerator: 1, denominator: 2 }, grid: [0, 10] },
  ],
  cellsPerSubject: 1,
  epsilon: 500_000n,
  microRho: 125_000n,
  minimumResultCardinality: 20,
  overlapBound: 1,
};
/** Success, or the whole fault; for ann's ordinary record alone, or with bob's beside. */
const endOf = async (bob: string | undefined, type = 'BIGINT'): Promise<unknown> => {
  const ann = `SELECT 'ann' AS subject, DATE '2017-03-01' AS day, 5::${type} AS cents, 'x'::VARCHAR AS text`;
  const snapshot = await writeQuery(
    join(folder.path, `${files++}.parquet`),
    bob === undefined ? ann : `${ann} UNION ALL SELECT 'bob', ${bob}`,
  );
  const subjects = bob === undefined ? "('ann')" : "('ann'), ('bob')";
  const eligible = await writeQuery(join(folder.path, `${files++}.parquet`), `SELECT * FROM (VALUES ${subjects}) t(subject)`);
  const outcome = await runPlan(query, { snapshot, eligible }, limits);
  return outcome.ok ? 'answered' : outcome.fault;
};

test.each([
  ['the largest number', `DATE '2017-03-01', 9223372036854775807, 'x'`],
  [
    'totals beyond 64 bits',
    `DATE '2017-03-01', 9223372036854775807, 'x' UNION ALL SELECT 'bob', DATE '2017-03-01', 9223372036854775807, 'x'`,
  ],
  ['the smallest number', `DATE '2017-03-01', -9223372036854775807 - 1, 'x'`],
  ['nothing but missing values', 'NULL, NULL, NULL'],
  ['the first and last days', `DATE '0001-01-01', 0, 'x' UNION ALL SELECT 'bob', DATE '9999-12-31', 0, 'x'`],
  ['a day beyond what imports take', `DATE '5000000-01-01', 0, 'x'`],
  ['infinity as a day', `DATE 'infinity', 0, 'x'`],
  ['a huge text', `DATE '2017-03-01', 0, repeat('é', 1000000)`],
  ['a text that reads like a number that is none', `DATE '2017-03-01', 0, 'NaN'`],
  ['quotes and zeros', `DATE '2017-03-01', 0, '''"; DROP' || chr(1)`],
])('B4: %s of one person fails nothing', async (_, bob) => expect(await endOf(bob)).toBe('answered'));

test.each([
  ['DOUBLE', `DATE '2017-03-01', 'NaN'::DOUBLE, 'x'`],
  ['DOUBLE', `DATE '2017-03-01', 'infinity'::DOUBLE, 'x'`],
  ['HUGEINT', `DATE '2017-03-01', 170141183460469231731687303715884105727::HUGEINT, 'x'`],
])('B4: a column of %s fails for its type, and with the same words', async (type, bob) => {
  const without = await endOf(undefined, type);
  expect(without).toMatchObject({ code: 'ColumnTypeUnfit' });
  expect(await endOf(bob, type)).toEqual(without);
});
