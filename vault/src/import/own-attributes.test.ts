/** S3: values of local attributes that the manifest promotes are kept, and are in snapshots; others are not. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OwnAttribute } from '@scs/protocol';
import { viewOf } from '../store/subject-view.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, DOMAIN, fill, granted, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import { importRecords } from './import.ts';
import { localAttributes } from './local-attributes.ts';

const kept = (local: string, type: OwnAttribute['type']) => ({ domain: DOMAIN, local, type });
let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await openStore(folder, { attributes: [kept('STORE_ID', 'string'), kept('POINTS', 'integer'), kept('STORE_ID', 'string')] });
});
afterEach(async () => {
  await store.close();
  await remove();
});
const load = async (columns: string, mapping: Parameters<typeof importRecords>[4] = {}) => {
  const canonical = `DATE '2017-03-01' AS "purchase.day", 'coffee' AS "purchase.commodity", '25-34' AS "household.age"`;
  const select = `SELECT 'ann' AS subject, '${PRODUCER}' AS producer, ${canonical}${columns}`;
  return importRecords(store, DOMAIN, { path: await parquetOf(store, select), format: 'parquet' }, () => undefined, mapping);
};
const recordsOfAnn = async () =>
  (await viewOf(store, 'ann'))!.records[DOMAIN]!.map((r) => [r['local/string/STORE_ID'], r['local/integer/POINTS']]);

test('kept from the import on; a file without the column is fine; the subject sees what is held (C4)', async () => {
  await load(`, '17' AS "STORE_ID", 5 AS "POINTS"`);
  await load('');
  expect(new Set(await recordsOfAnn())).toEqual(
    new Set([
      ['17', '5'],
      [null, null],
    ]),
  );
});
test('strict like any other column', async () => {
  await expect(load(`, 'x' AS "POINTS"`)).rejects.toMatchObject({
    code: 'ValueInvalid',
    message: 'column POINTS, row 1: expected a whole number',
  });
});
test('reported as before, by name, type and band, where the mapping says so; never by value', async () => {
  const mapping = {
    subject: 'subject',
    producerColumn: 'producer',
    attributes: [],
    others: 'report' as const,
    unmatched: 'refuse' as const,
  };
  await load(`, '17' AS "STORE_ID", 3 AS "SHELF"`, { mapping });
  expect(await localAttributes(store)).toEqual([
    { domain: DOMAIN, name: 'SHELF', type: 'integer', coverage: 'most' },
    { domain: DOMAIN, name: 'STORE_ID', type: 'string', coverage: 'most' },
  ]);
});
test('promoted later: the column is there, empty, and filled by what comes after', async () => {
  await fill(store, [{ subject: 'ann', day: '2017-03-01', commodity: 'tea', age: null }], [granted('ann')]);
  await store.close();
  store = await openStore(folder, { attributes: [kept('SHELF', 'integer')] });
  expect(store.columnsOf(DOMAIN).map(({ name }) => name)).toEqual([
    'household.age',
    'purchase.commodity',
    'purchase.day',
    'local/integer/SHELF',
  ]);
  await load(`, 3 AS "SHELF"`);
  expect(new Set((await viewOf(store, 'ann'))!.records[DOMAIN]!.map((r) => r['local/integer/SHELF']))).toEqual(new Set(['3', null]));
});
