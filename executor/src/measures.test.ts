import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { outputLength, outputParts, type Plan, type PlanMeasure } from '@scs/protocol';
import { compile } from './compile.ts';
import { runPlan } from './run-plan.ts';
import { temporaryFolder, writeParquet, writeQuery, type Row } from './testing/parquet.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let files = 0;
const fresh = (): string => join(folder.path, `${files++}.parquet`);
const limits = { memoryBytes: 256 * 1024 * 1024, threads: 2, timeoutMs: 30_000 };

const CENTS = 'purchase.cents';
const HOSTILE = 'a"; DROP TABLE t; --';
const columns = ['subject', 'age', CENTS, HOSTILE];
const sum = (low: number, high: number, column = CENTS): PlanMeasure => ({ kind: 'sum', column, low, high });
const mean = (low: number, high: number, column = CENTS): PlanMeasure => ({ kind: 'mean', column, low, high });
const quantile = (grid: number[], column = CENTS): PlanMeasure => ({
  kind: 'quantile',
  column,
  rank: { numerator: 1, denominator: 2 },
  grid,
});
const byAge: Plan['group'] = {
  column: 'age',
  cells: [{ label: 'young', values: ['1', '2'] }, { label: 'old', values: ['3'] }, { label: 'rest' }],
};
const plan = (changes: Partial<Plan> = {}): Plan => ({
  domain: 'retail.purchase',
  usage: 'marketing',
  count: 'subjects',
  where: [],
  group: { cells: [{ label: 'all' }] },
  cellsPerSubject: 1,
  epsilon: 500_000n,
  microRho: 125_000n,
  minimumResultCardinality: 20,
  overlapBound: 1,
  ...changes,
});
const run = async (p: Plan, rows: readonly Row[], eligible: readonly string[], threads = 2): Promise<bigint[]> => {
  const snapshot = await writeParquet(fresh(), { columns, integers: [CENTS, HOSTILE], rows });
  const list = await writeParquet(fresh(), { columns: ['subject'], rows: eligible.map((subject) => ({ subject })) });
  const outcome = await runPlan(p, { snapshot, eligible: list }, { ...limits, threads });
  if (!outcome.ok) throw new Error(outcome.fault.code);
  return outcome.value;
};
const row = (subject: string, age: string | undefined, cents: string | undefined, other?: string): Row => ({
  subject,
  age,
  [CENTS]: cents,
  [HOSTILE]: other,
});

/** What a plan means, said plainly: each subject's first k cells with its totals there. */
const naive = (p: Plan, rows: readonly Row[], eligible: readonly string[]): bigint[] => {
  const { column, cells } = p.group;
  const known = cells.flatMap((c) => c.values ?? []);
  const entered = new Map<string, Map<number, Row[]>>();
  for (const r of rows.filter((found) => eligible.includes(found['subject']!))) {
    const value = column === undefined ? undefined : r[column];
    cells.forEach((cell, i) => {
      const enters = cell.values ? value !== undefined && cell.values.includes(value) : value === undefined || !known.includes(value);
      if (!enters) return;
      const own = entered.get(r['subject']!) ?? new Map<number, Row[]>();
      entered.set(r['subject']!, own.set(i, [...(own.get(i) ?? []), r]));
    });
  }
  const numbers = Array.from({ length: outputLength(p) }, () => 0n);
  for (const own of entered.values())
    for (const [cell, found] of [...own].toSorted(([a], [b]) => a - b).slice(0, p.cellsPerSubject))
      for (const { measure, offset, width } of outputParts(p)) {
        const total = measure ? found.reduce((all, r) => all + BigInt(r[measure.column] ?? '0'), 0n) : 0n;
        if (!measure) numbers[offset + cell]! += 1n;
        else if (measure.kind === 'quantile') {
          const bin = measure.grid.findLastIndex((value) => BigInt(value) <= total);
          numbers[offset + cell * width + Math.max(0, bin)]! += 1n;
        } else {
          const [low, high] = [BigInt(measure.low), BigInt(measure.high)];
          numbers[offset + cell]! += total < low ? low : total > high ? high : total;
        }
      }
  return numbers;
};

test('B7: totals a subject, clipped before they are added; bins of the public grid', async () => {
  const rows = [
    row('a', '1', '300'),
    row('a', '1', '900'),
    row('b', '2', '5000'),
    row('c', '3', undefined),
    row('d', '3', '-50'),
    row('e', '3', '100'),
    row('stranger', '3', '100'),
  ];
  const measures = [sum(-10, 1000), mean(0, 10_000), quantile([0, 100, 1200, 5000])];
  const eligible = ['a', 'b', 'c', 'd', 'e'];
  expect(await run(plan({ group: byAge, measures }), rows, eligible)).toEqual(
    [
      [2, 3, 0],
      [2000, 90, 0],
      [6200, 100, 0],
      [0, 0, 1, 1, 2, 1, 0, 0, 0, 0, 0, 0],
    ].flatMap((part) => part.map(BigInt)),
  );
});

test('X3: equals the plain reading of the plan, in any order of rows and by any number of threads', async () => {
  const subject = fc.constantFrom('a', 'b', 'c', "o'neil");
  const number = fc.option(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String), { nil: undefined, freq: 5 });
  const small = fc.option(fc.integer({ min: -20, max: 20 }).map(String), { nil: undefined, freq: 5 });
  const age = fc.option(fc.constantFrom('1', '2', '3', '4'), { nil: undefined });
  const grid = fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 5 }).map((g) => g.toSorted((a, b) => a - b));
  const measure: fc.Arbitrary<PlanMeasure> = fc.oneof(
    fc.tuple(fc.integer({ min: -20, max: 0 }), fc.integer({ min: 1, max: 20 })).map(([low, high]) => sum(low, high)),
    fc.constant(mean(0, 1_000_000_000_000, HOSTILE)),
    grid.map((values) => quantile(values)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(subject, age, small, number).map((r) => row(...r)),
        { minLength: 1, maxLength: 30 },
      ),
      fc.array(measure, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 3 }),
      async (rows, measures, grouped, cellsPerSubject) => {
        const p = plan({ measures, cellsPerSubject, ...(grouped && { group: byAge }) });
        const expected = naive(p, rows, ['a', 'b', "o'neil"]);
        expect(await run(p, rows, ['a', 'b', "o'neil"])).toEqual(expected);
        expect(await run(p, rows.toReversed(), ['a', 'b', "o'neil"], 1)).toEqual(expected);
      },
    ),
    { numRuns: 20, seed: 6 },
  );
});

test('X3: one subject, added or removed, moves each part by no more than its bound', async () => {
  const rows = ['a', 'b', 'c', 'd'].flatMap((s, i) => [row(s, '1', `${i * 999}`), row(s, '3', `${i * -999}`), row(s, '4', '7')]);
  const p = plan({ group: byAge, measures: [sum(-100, 50), quantile([0, 10, 500])], cellsPerSubject: 2 });
  const [all, without] = [await run(p, rows, ['a', 'b', 'c', 'd']), await run(p, rows, ['a', 'b', 'c'])];
  const moved = outputParts(p).map(({ offset, length }) =>
    all.slice(offset, offset + length).reduce((sumOf, value, i) => {
      const by = value - without[offset + i]!;
      return sumOf + (by < 0n ? -by : by);
    }, 0n),
  );
  expect(moved[0]).toBe(2n);
  expect(moved[1]).toBeLessThanOrEqual(200n);
  expect(moved[2]).toBe(2n);
});

describe('hostile input', () => {
  test('X3: nothing of a measure is in the statement but its quoted column', () => {
    const types = new Map([
      ['subject', 'VARCHAR'],
      [HOSTILE, 'BIGINT'],
    ]);
    const measures = [sum(-123_456, 654_321, HOSTILE), quantile([111_111, 222_222], HOSTILE)];
    const statement = compile(plan({ measures }), types, { snapshot: '/s', eligible: '/e' });
    if (!statement.ok) throw new Error(statement.fault.code);
    expect(statement.value.sql).not.toMatch(/123.?456|654.?321|222.?222/);
    expect(statement.value.sql.split('"a""; DROP TABLE t; --"')).toHaveLength(3);
    expect(statement.value.sql.replaceAll('"a""; DROP TABLE t; --"', '')).not.toMatch(/DROP|now\(|random|approx|quantile|median|avg/i);
  });

  test.each([
    ['DOUBLE', 'f', 'ColumnTypeUnfit'],
    ['HUGEINT', 'h', 'ColumnTypeUnfit'],
    ['UBIGINT', 'u', 'ColumnTypeUnfit'],
    ['VARCHAR', 't', 'ColumnTypeUnfit'],
    ['no column', 'nope', 'ColumnMissing'],
  ])('X3: a measure of %s is refused', async (_what, column, code) => {
    const snapshot = await writeQuery(fresh(), "SELECT 's' AS subject, 1.5::DOUBLE AS f, 1::HUGEINT AS h, 1::UBIGINT AS u, 'x' AS t");
    const eligible = await writeParquet(fresh(), { columns: ['subject'], rows: [{ subject: 's' }] });
    const outcome = await runPlan(plan({ measures: [sum(0, 1, column)] }), { snapshot, eligible }, limits);
    expect(outcome).toMatchObject({ ok: false, fault: { code } });
  });
});
