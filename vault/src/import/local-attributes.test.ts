/** S3: what is not canonical is reported by name, type and coverage band, where the source's mapping says so; never its values. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Mapping } from '@scs/protocol';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, DOMAIN, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import { importRecords } from './import.ts';
import { localAttributes } from './local-attributes.ts';

let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder);
});
afterEach(async () => {
  await store.close();
  await remove();
});

/** Of 20 records: STORE_ID in all, TILL in half, NOTE in one; a float, an unprintable name and a list besides. */
const SELECT = `SELECT 'household-' || i AS subject, DATE '2017-03-01' AS "purchase.day", 'coffee' AS "purchase.commodity",
    '25-34' AS "household.age", i AS "STORE_ID", CASE WHEN i % 2 = 0 THEN DATE '2017-01-01' END AS "TILL",
    CASE WHEN i = 3 THEN 'secret-value' END AS "NOTE", 1.5::DOUBLE AS "FLOAT", 'x' AS "bad'; name", [1] AS "LIST"
  FROM range(20) t(i)`;
const mapping = (others?: Mapping['others']): Mapping => ({
  subject: 'subject',
  producerColumn: 'producer',
  producer: PRODUCER,
  attributes: [],
  unmatched: 'refuse',
  ...(others && { others }),
});
const load = async (others?: Mapping['others'], select = SELECT): Promise<void> => {
  const file = { path: await parquetOf(store, select), format: 'parquet' as const };
  await importRecords(store, DOMAIN, file, () => undefined, { mapping: mapping(others) });
};

test('by name, type and band', async () => {
  await load('report');
  expect(await localAttributes(store)).toEqual([
    { domain: DOMAIN, name: 'NOTE', type: 'string', coverage: 'few' },
    { domain: DOMAIN, name: 'STORE_ID', type: 'integer', coverage: 'most' },
    { domain: DOMAIN, name: 'TILL', type: 'date', coverage: 'some' },
  ]);
});
test('only where the mapping says so', async () => {
  await load();
  await load('ignore', SELECT.replace('range(20)', 'range(21)'));
  expect(await localAttributes(store)).toEqual([]);
});
test('over all imports, of the last type', async () => {
  await load('report');
  await load('report', SELECT.replace('i AS "STORE_ID"', '\'s\' || i AS "STORE_ID"').replace('i = 3', 'i <> 3'));
  expect(await localAttributes(store)).toMatchObject([
    { name: 'NOTE', coverage: 'some' },
    { name: 'STORE_ID', type: 'string', coverage: 'most' },
    { name: 'TILL' },
  ]);
});
test('no value is kept anywhere', async () => {
  await load('report');
  const rows = await store.database.read((sql) => sql.rows('FROM local_attributes'));
  expect(rows.map((row) => Object.keys(row).toSorted())).toEqual(
    Array.from({ length: 3 }, () => ['domain', 'name', 'present', 'records', 'type']),
  );
});
