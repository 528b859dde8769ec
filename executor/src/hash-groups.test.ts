import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hashGroup, semanticHashKey, type Plan } from '@scs/protocol';
import { withHashGroupsListed } from './hash-groups.ts';
import { LockedDatabase } from './locked-database.ts';
import { runPlan } from './run-plan.ts';
import { temporaryFolder, writeParquet } from './testing/parquet.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let files = 0;
const fresh = (): string => join(folder.path, `${files++}.parquet`);
const limits = { memoryBytes: 256 * 1024 * 1024, threads: 1, timeoutMs: 30_000 };
const COUPON = 'campaign.coupon';
const CENTS = 'purchase.cents';
const key = semanticHashKey('v1', 3, 'coupon_group');

const plan = (where: Plan['where']): Plan => ({
  domain: 'retail.campaign',
  usage: 'marketing',
  count: 'subjects',
  where,
  group: { cells: [{ label: 'all' }] },
  cellsPerSubject: 1,
  epsilon: 500_000n,
  microRho: 125_000n,
  minimumResultCardinality: 20,
  overlapBound: 1,
});
const rows = Array.from({ length: 40 }, (_, i) => ({
  subject: `s${i}`,
  ...(i % 10 !== 9 && { [COUPON]: `C-${i}'";--`, [CENTS]: `${i * 100 - 500}` }),
}));
const subjects = rows.map(({ subject }) => subject);
const counted = async (where: Plan['where']) => {
  const snapshot = await writeParquet(fresh(), { columns: ['subject', COUPON, CENTS], integers: [CENTS], rows });
  const eligible = await writeParquet(fresh(), {
    columns: ['subject'],
    rows: subjects.map((subject) => ({ subject })),
  });
  return runPlan(plan(where), { snapshot, eligible }, limits);
};

describe('S2: hash groups', () => {
  test('are those of the values that hash into them; a missing value is in none', async () => {
    const groups = await Promise.all([0, 1, 2, 3].map((group) => counted([[{ op: 'hash', column: COUPON, key, groups: 4, in: [group] }]])));
    const expected = [0, 1, 2, 3].map(
      (group) => rows.filter((r) => r[COUPON] !== undefined && hashGroup(key, r[COUPON], 4) === group).length,
    );
    expect(groups.map((g) => g.ok && g.value)).toEqual(expected.map((n) => [BigInt(n)]));
    expect(expected.reduce((a, b) => a + b)).toBe(36);
  });
  test('more values than a slice holds: refused, not cut short', async () => {
    const snapshot = await writeParquet(fresh(), { columns: ['subject', COUPON, CENTS], integers: [CENTS], rows });
    const where: Plan['where'] = [[{ op: 'hash', column: COUPON, key, groups: 4, in: [0] }]];
    using database = await LockedDatabase.open([snapshot], limits);
    const listed = async (most: number) =>
      withHashGroupsListed(plan(where), await database.columns(snapshot), { snapshot }, database, most);
    expect(await listed(36)).toMatchObject({ ok: true });
    expect(await listed(35)).toMatchObject({ fault: { code: 'MemoryExceeded' } });
  });
  test('a column that is not there, or has no one text', async () => {
    const of = (column: string) => counted([[{ op: 'hash', column, key, groups: 4, in: [1] }]]);
    expect(await of('campaign.other')).toMatchObject({ fault: { code: 'ColumnMissing' } });
  });
});

describe('S2: ranges of integers', () => {
  test.each([
    [{ atLeast: 0 }, (n: number) => n >= 0],
    [{ below: 0 }, (n: number) => n < 0],
    [{ atLeast: 1000, below: 2000 }, (n: number) => n >= 1000 && n < 2000],
    [{}, () => true],
  ])('%j; a missing value is in none', async (range, holds) => {
    const expected = rows.filter((r) => CENTS in r && holds(Number(r[CENTS]))).length;
    expect(await counted([[{ op: 'range', column: CENTS, ...range }]])).toMatchObject({ value: [BigInt(expected)] });
  });
  test('of text: refused', async () =>
    expect(await counted([[{ op: 'range', column: COUPON, atLeast: 1 }]])).toMatchObject({ fault: { code: 'ColumnTypeUnfit' } }));
});
