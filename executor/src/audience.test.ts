import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Plan } from '@scs/protocol';
import { runAudience, runPlan } from './run-plan.ts';
import { temporaryFolder, writeQuery } from './testing/parquet.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let files = 0;
const fresh = (): string => join(folder.path, `${files++}.parquet`);
const limits = { memoryBytes: 256 * 1024 * 1024, threads: 2, timeoutMs: 30_000 };
const plan = (changes: Partial<Plan> = {}): Plan => ({
  domain: 'retail.purchase',
  usage: 'marketing',
  count: 'subjects',
  where: [[{ op: 'in', column: 'goods', values: ['coffee'] }]],
  group: { cells: [{ label: 'all' }] },
  cellsPerSubject: 1,
  epsilon: 500_000n,
  microRho: 125_000n,
  minimumResultCardinality: 20,
  overlapBound: 1,
  ...changes,
});
const list = (values: readonly number[]): string => `[${values.join(', ')}]::BIGINT[]`;
const run = async (p: Plan, buyers: readonly number[], others: readonly number[], eligible: readonly number[]) => {
  const snapshot = await writeQuery(
    fresh(),
    `SELECT unnest(${list(buyers)}) AS subject, 'coffee' AS goods, 1::BIGINT AS cents UNION ALL SELECT unnest(${list(others)}), 'tea', 1`,
  );
  const eligibleFile = await writeQuery(fresh(), `SELECT unnest(${list(eligible)}) AS subject`);
  const on = { snapshot, eligible: eligibleFile };
  const [bitmap, cells] = [await runAudience(p, on, limits), await runPlan(p, on, limits)];
  if (!bitmap.ok || !cells.ok) throw new Error('no answer');
  return { bitmap: bitmap.value, cells: cells.value };
};
const members = (bitmap: Uint8Array, eligible: readonly number[]): number[] =>
  [...new Set(eligible)].toSorted((a, b) => a - b).filter((_, i) => (bitmap[i >> 3]! >> (i & 7)) & 1);

test('T1: a bit for each eligible subject in ascending order, whatever order the files have', async () => {
  const eligible = [900, 5, 17, 3, 44, 12, 8, 9, 10, 11];
  const { bitmap } = await run(plan(), [44, 900, 3, 3, 1000], [5, 44], eligible);
  expect(bitmap).toHaveLength(2);
  expect(members(bitmap, eligible)).toEqual([3, 44, 900]);
});

test('T1: as many as are counted', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(20)),
      fc.array(fc.nat(20)),
      fc.uniqueArray(fc.nat(20), { minLength: 1 }),
      fc.boolean(),
      async (buyers, others, eligible, measured) => {
        const measures: NonNullable<Plan['measures']> = [{ kind: 'sum', column: 'cents', low: 0, high: 5 }];
        const { bitmap, cells } = await run(plan(measured ? { measures } : {}), buyers, others, eligible);
        expect(members(bitmap, eligible)).toEqual(eligible.filter((s) => buyers.includes(s)).toSorted((a, b) => a - b));
        expect(BigInt(members(bitmap, eligible).length)).toBe(cells[0]);
      },
    ),
    { numRuns: 15, seed: 6 },
  ));
