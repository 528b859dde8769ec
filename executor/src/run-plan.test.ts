import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { hashGroup, semanticHashKey, type Plan, type PlanPredicate } from '@scs/protocol';
import { compile } from './compile.ts';
import { isSafePath, LockedDatabase, type Limits } from './locked-database.ts';
import { runPlan } from './run-plan.ts';
import { temporaryFolder, writeParquet, writeQuery, type Row } from './testing/parquet.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let files = 0;
const fresh = (): string => join(folder.path, `${files++}.parquet`);
const limits: Limits = { memoryBytes: 256 * 1024 * 1024, threads: 2, timeoutMs: 30_000 };

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
const AGE = 'household.age';
const DAY = 'purchase.day';
const COMMODITY = 'purchase.commodity';
const columns = ['subject', DAY, COMMODITY, AGE];
const row = (subject: string, day: string | undefined, commodity: string | undefined, age: string | undefined): Row => ({
  subject,
  [DAY]: day,
  [COMMODITY]: commodity,
  [AGE]: age,
});
const run = async (p: Plan, rows: readonly Row[], eligible: readonly string[], names = columns) => {
  const snapshot = await writeParquet(fresh(), { columns: names, dates: [DAY], rows });
  const list = await writeParquet(fresh(), { columns: ['subject'], rows: eligible.map((subject) => ({ subject })) });
  return runPlan(p, { snapshot, eligible: list }, limits);
};
const cells = async (...args: Parameters<typeof run>): Promise<bigint[]> => {
  const outcome = await run(...args);
  if (!outcome.ok) throw new Error(outcome.fault.code);
  return outcome.value;
};

/** What a plan means, said plainly. */
const naive = (p: Plan, rows: readonly Row[], eligible: readonly string[]): bigint[] => {
  const holds = (r: Row, x: PlanPredicate): boolean => {
    const value = r[x.column];
    if (x.op === 'days') return value !== undefined && value >= x.from && value < x.until;
    if (x.op === 'hash') return value !== undefined && x.in.includes(hashGroup(x.key, value, x.groups));
    if (x.op === 'range') return value !== undefined && Number(value) >= (x.atLeast ?? -Infinity) && Number(value) < (x.below ?? Infinity);
    return x.op === 'in' ? value !== undefined && x.values.includes(value) : value === undefined || !x.values.includes(value);
  };
  const { column, cells: list } = p.group;
  const known = list.flatMap((c) => c.values ?? []);
  const entered = new Map<string, Set<number>>();
  for (const r of rows) {
    if (!eligible.includes(r['subject']!) || !p.where.every((anyOf) => anyOf.some((x) => holds(r, x)))) continue;
    const value = column === undefined ? undefined : r[column];
    list.forEach((c, i) => {
      const enters = c.values ? value !== undefined && c.values.includes(value) : value === undefined || !known.includes(value);
      if (enters) entered.set(r['subject']!, (entered.get(r['subject']!) ?? new Set()).add(i));
    });
  }
  const counts = list.map(() => 0n);
  for (const set of entered.values()) for (const cell of [...set].toSorted((a, b) => a - b).slice(0, p.cellsPerSubject)) counts[cell]!++;
  return counts;
};

const byAge: Plan['group'] = {
  column: AGE,
  cells: [{ label: 'under_45', values: ['19-24', '25-34'] }, { label: '45_and_over', values: ['45-54'] }, { label: 'unknown' }],
};

describe('counting', () => {
  test('S8: distinct subjects, all cells, empty ones too', async () => {
    const rows = [
      row('a', '2026-01-05', 'COFFEE', '19-24'),
      row('a', '2026-01-06', 'COFFEE', '19-24'),
      row('b', '2026-01-05', 'COFFEE', '25-34'),
      row('c', '2026-01-05', 'TEA', '45-54'),
      row('d', '2026-02-01', 'COFFEE', '45-54'),
      row('e', '2026-01-31', 'COFFEE', undefined),
      row('f', '2026-01-05', 'COFFEE', '19-24'),
    ];
    const where: Plan['where'] = [
      [{ op: 'in', column: COMMODITY, values: ['COFFEE'] }],
      [{ op: 'days', column: DAY, from: '2026-01-01', until: '2026-02-01' }],
    ];
    expect(await cells(plan({ where, group: byAge }), rows, ['a', 'b', 'c', 'd', 'e'])).toEqual([2n, 0n, 1n]);
    expect(await cells(plan({ where }), rows, ['a', 'b', 'c', 'd', 'e'])).toEqual([3n]);
    expect(await cells(plan({ where }), rows, [])).toEqual([0n]);
  });

  test('S8, B7: a subject enters at most k cells, the first in the plan, whatever the order of its rows', async () => {
    const rows = [
      row('a', undefined, undefined, '45-54'),
      row('a', undefined, undefined, undefined),
      row('a', undefined, undefined, '25-34'),
    ];
    for (const [k, expected] of [
      [1, [1n, 0n, 0n]],
      [2, [1n, 1n, 0n]],
      [3, [1n, 1n, 1n]],
    ] as const) {
      expect(await cells(plan({ group: byAge, cellsPerSubject: k }), rows, ['a'])).toEqual(expected);
      expect(await cells(plan({ group: byAge, cellsPerSubject: k }), rows.toReversed(), ['a'])).toEqual(expected);
    }
  });

  const value = fc.option(fc.constantFrom('x', 'y', 'z', "'; DROP TABLE t; --", '"', ''), { nil: undefined });
  const day = fc.option(fc.constantFrom('2026-01-01', '2026-01-02', '2026-02-28', '1999-12-31'), { nil: undefined });
  const subject = fc.constantFrom('a', 'b', 'c', 'd', "o'neil", '%');
  const values = fc.uniqueArray(fc.constantFrom('x', 'y', 'z', "'; DROP TABLE t; --", '"', '', 'never'), { maxLength: 4 });
  const anyPredicate: fc.Arbitrary<PlanPredicate> = fc.oneof(
    fc.record({ op: fc.constant('in' as const), column: fc.constantFrom(COMMODITY, AGE), values }),
    fc.record({ op: fc.constant('notIn' as const), column: fc.constantFrom(COMMODITY, AGE), values }),
    fc.record({
      op: fc.constant('days' as const),
      column: fc.constant(DAY),
      from: fc.constantFrom('2026-01-01', '2026-01-02'),
      until: fc.constantFrom('2026-01-02', '2026-03-01'),
    }),
    fc.record({
      op: fc.constant('hash' as const),
      column: fc.constantFrom(COMMODITY, AGE),
      key: fc.constantFrom(semanticHashKey('v1', 1, 'coupon'), semanticHashKey('v1', 2, 'coupon')),
      groups: fc.constant(4),
      in: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
    }),
  );
  const groups: fc.Arbitrary<Plan['group']> = fc.oneof(
    fc.constant<Plan['group']>({ cells: [{ label: 'all' }] }),
    fc.array(values, { minLength: 1, maxLength: 4 }).chain((lists) =>
      fc.boolean().map((otherwise): Plan['group'] => ({
        column: AGE,
        cells: [...lists.map((v, i) => ({ label: `c${i}`, values: v })), ...(otherwise ? [{ label: 'otherwise' }] : [])],
      })),
    ),
  );
  test('X3: equals the plain reading of the plan', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(subject, day, value, value).map((r) => row(...r)),
          { minLength: 1, maxLength: 30 },
        ),
        fc.uniqueArray(subject, { minLength: 1 }),
        fc.array(fc.array(anyPredicate, { minLength: 1, maxLength: 2 }), { maxLength: 3 }),
        groups,
        fc.integer({ min: 1, max: 4 }),
        async (rows, eligible, where, group, cellsPerSubject) => {
          const p = plan({ where, group, cellsPerSubject });
          expect(await cells(p, rows, eligible)).toEqual(naive(p, rows, eligible));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('hostile input', () => {
  test('X3: names are identifiers of the snapshot, however they are spelt', async () => {
    const name = 'a"; DROP TABLE t; --';
    const rows = [{ subject: 'a', [name]: "x' OR 1=1" }];
    const where: Plan['where'] = [[{ op: 'in', column: name, values: ["x' OR 1=1"] }]];
    expect(await cells(plan({ where }), rows, ['a'], ['subject', name])).toEqual([1n]);
    expect(await run(plan({ where }), [row('a', undefined, undefined, undefined)], ['a'])).toMatchObject({
      fault: { code: 'ColumnMissing' },
    });
  });

  test('X3: nothing of a plan is in the statement but quoted columns', () => {
    const where: Plan['where'] = [[{ op: 'notIn', column: COMMODITY, values: ['secret-value'] }]];
    const group: Plan['group'] = { column: COMMODITY, cells: [{ label: 'secret-label', values: ['secret-group'] }, { label: 'o' }] };
    const statement = compile(
      plan({ where, group }),
      new Map([
        ['subject', 'VARCHAR'],
        [COMMODITY, 'VARCHAR'],
      ]),
      { snapshot: '/s', eligible: '/e' },
    );
    if (!statement.ok) throw new Error(statement.fault.code);
    expect(statement.value.sql).not.toMatch(/secret|\/s|\/e'/);
    expect(statement.value.sql).not.toMatch(/now\(|random|current_|approx|hash|limit/i);
    expect(statement.value.sql).toMatch(/ORDER BY place$/);
  });

  const faults: readonly [what: string, changes: Partial<Plan>, code: string][] = [
    ['a float predicate', { where: [[{ op: 'in', column: 'f', values: ['1'] }]] }, 'ColumnTypeUnfit'],
    ['a float group', { group: { column: 'f', cells: [{ label: 'x', values: ['1'] }] } }, 'ColumnTypeUnfit'],
    ['days on text', { where: [[{ op: 'days', column: 't', from: '2026-01-01', until: '2026-01-02' }]] }, 'ColumnTypeUnfit'],
    ['no such day', { where: [[{ op: 'days', column: 'd', from: '2026-02-30', until: '2026-03-02' }]] }, 'PlanUnfit'],
    ['no day at all', { where: [[{ op: 'days', column: 'd', from: "now'", until: 'infinity' }]] }, 'PlanUnfit'],
    ['no group column', { group: { column: 'nope', cells: [{ label: 'x' }] } }, 'ColumnMissing'],
    ['cells without column', { group: { cells: [{ label: 'x' }, { label: 'y' }] } }, 'PlanUnfit'],
  ];
  test.each(faults)('X3: %s is refused', async (_what, changes, code) => {
    const snapshot = await writeQuery(fresh(), "SELECT 's' AS subject, 1.5::DOUBLE AS f, 'x' AS t, DATE '2026-01-01' AS d");
    const eligible = await writeParquet(fresh(), { columns: ['subject'], rows: [{ subject: 's' }] });
    expect(await runPlan(plan(changes), { snapshot, eligible }, limits)).toMatchObject({ ok: false, fault: { code } });
  });

  test('integers are compared by their one text', async () => {
    const snapshot = await writeQuery(fresh(), "SELECT 's' || i AS subject, i::SMALLINT AS n FROM range(10) t(i)");
    const eligible = await writeQuery(fresh(), "SELECT 's' || i AS subject FROM range(10) t(i)");
    const where: Plan['where'] = [[{ op: 'in', column: 'n', values: ['1', '02', '3', '4.0'] }]];
    expect(await runPlan(plan({ where }), { snapshot, eligible }, limits)).toEqual({ ok: true, value: [2n] });
  });

  test('subjects are names or numbers, the same in both files', async () => {
    const numbers = await writeQuery(fresh(), 'SELECT i AS subject FROM range(10) t(i)');
    const few = await writeQuery(fresh(), 'SELECT i AS subject FROM range(4) t(i)');
    const names = await writeQuery(fresh(), 'SELECT CAST(i AS VARCHAR) AS subject FROM range(10) t(i)');
    const floats = await writeQuery(fresh(), 'SELECT CAST(i AS DOUBLE) AS subject FROM range(10) t(i)');
    const none = await writeQuery(fresh(), 'SELECT i AS other FROM range(10) t(i)');
    const on = (snapshot: string, eligible: string) => runPlan(plan(), { snapshot, eligible }, limits);
    expect(await on(numbers, few)).toEqual({ ok: true, value: [4n] });
    expect(await on(names, numbers)).toMatchObject({ fault: { code: 'ColumnTypeUnfit' } });
    expect(await on(floats, floats)).toMatchObject({ fault: { code: 'ColumnMissing' } });
    expect(await on(none, none)).toMatchObject({ fault: { code: 'ColumnMissing' } });
  });

  test('a broken file, a missing file, a wrong path: a fault without its content', async () => {
    const broken = fresh();
    writeFileSync(broken, 'PAR1 secret-content PAR1');
    const eligible = await writeParquet(fresh(), { columns: ['subject'], rows: [{ subject: 's' }] });
    for (const snapshot of [broken, fresh(), '/etc/../etc/passwd', "/x'y"]) {
      const outcome = await runPlan(plan(), { snapshot, eligible }, limits);
      expect(outcome).toMatchObject({ ok: false, fault: { code: 'SnapshotUnreadable' } });
      expect(JSON.stringify(outcome)).not.toMatch(/secret|passwd/);
    }
  });

  test('the time limit ends a query', async () => {
    const snapshot = await writeQuery(fresh(), "SELECT 's' || i AS subject FROM range(1000) t(i)");
    const outcome = await runPlan(plan(), { snapshot, eligible: snapshot }, limits, (_ms, fire) => {
      fire();
      return () => undefined;
    });
    expect(outcome).toMatchObject({ ok: false, fault: { code: 'ExecutorTimeout' } });
  });

  test('memory is bounded', async () => {
    const snapshot = await writeQuery(fresh(), "SELECT 'subject-number-' || i AS subject, 'v' || i AS v FROM range(400000) t(i)");
    const group: Plan['group'] = { column: 'v', cells: [{ label: 'o' }] };
    const outcome = await runPlan(plan({ group }), { snapshot, eligible: snapshot }, { ...limits, memoryBytes: 6 * 1024 * 1024 });
    expect(outcome).toMatchObject({ ok: false, fault: { code: 'MemoryExceeded' } });
  });

  test('A2: the database reaches its two files and nothing else', async () => {
    const snapshot = await writeParquet(fresh(), { columns: ['subject'], rows: [{ subject: 's' }] });
    const before = readFileSync(snapshot);
    using database = await LockedDatabase.open([snapshot], limits);
    expect([...(await database.columns(snapshot)).keys()]).toEqual(['subject']);
    for (const sql of [
      "SELECT * FROM read_csv('/etc/hostname')",
      "SELECT * FROM read_parquet('/tmp/*.parquet')",
      "SELECT * FROM read_parquet('http://127.0.0.1/x')",
      "SELECT * FROM glob('/etc/*')",
      `COPY (SELECT 1) TO '${fresh()}'`,
      `COPY (SELECT 1 AS subject) TO '${snapshot}'`,
      `ATTACH '${fresh()}'`,
      'INSTALL httpfs',
      "LOAD '/tmp/x.duckdb_extension'",
      'SET enable_external_access = true',
      'SET memory_limit = 1',
    ])
      await expect(database.run(sql)).rejects.toThrow(/disabled|locked|[Pp]ermission/);
    expect(readFileSync(snapshot).equals(before)).toBe(true);
  });

  test('paths are plain', () => {
    for (const path of ['/scratch/work/snapshot.parquet', '/a']) expect(isSafePath(path)).toBe(true);
    for (const path of ["/a'b", 'a', '/a/../b', '/a b', '', '/a*', 's3://x/y']) expect(isSafePath(path)).toBe(false);
  });
});
