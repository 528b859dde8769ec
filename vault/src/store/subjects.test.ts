/** C4: a lasting number each, in however many parts they are looked at. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, openStore } from '../testing/a-store.ts';
import { enrol, partsOf } from './subjects.ts';
import type { VaultStore } from './vault-store.ts';

let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  store = await openStore(folder);
});
afterEach(async () => {
  await store.close();
  await remove();
});
/** Enrols `s0` to `s<count - 1>`, as if there were so many. */
const enrolled = (count: number, estimate: number) =>
  store.database.write(async (sql) => {
    await sql.run(`CREATE OR REPLACE TEMP TABLE source AS SELECT 's' || (i % ${count}) AS subject FROM range(${2 * count}) t(i)`);
    return enrol(sql, 'source', store.keys.subjectKey, estimate);
  });
const named = async (): Promise<ReadonlyMap<unknown, unknown>> =>
  new Map((await store.database.read((sql) => sql.rows('SELECT subject, id FROM subjects'))).map((row) => [row['subject'], row['id']]));

test('C4: in three parts each has one number of its own; whoever was erased gets theirs back', async () => {
  expect(partsOf(5_000_000)).toHaveLength(3);
  expect(await enrolled(50, 5_000_000)).toEqual({ first: 1n, last: 50n });
  const before = await named();
  expect([...before.values()].toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 50 }, (_, i) => BigInt(i + 1)));
  for (const subject of ['s3', 's4', 's30']) expect(await store.erase(subject)).toBe(true);
  expect(await enrolled(60, 5_000_000)).toEqual({ first: 51n, last: 60n });
  const after = await named();
  expect(after.size).toBe(60);
  for (const [subject, id] of before) expect([subject, after.get(subject)]).toEqual([subject, id]);
});
