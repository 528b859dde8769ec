/** S4: what a Vault fetches from another domain's records, where governance lets an attribute derive across domains. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalogue } from '@scs/protocol';
import { importRecords } from '../import/import.ts';
import { aFolder, bought, CATALOGUE, copiedIn, DOMAIN, fill, granted, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import { quoted } from './database.ts';
import { domainsOf, readingName, readingOf } from './reading.ts';
import type { VaultStore } from './vault-store.ts';

const OTHER = 'bank.account';
const catalogue: Catalogue = {
  ...CATALOGUE,
  domains: [...CATALOGUE.domains, { name: OTHER, overlapBound: 1, description: '' }],
  canonicalAttributes: [
    ...CATALOGUE.canonicalAttributes,
    { name: 'account.income', domain: OTHER, type: 'string', state: 'active', directlyQueryable: false, description: '' },
  ],
};
const READING = readingName({ domain: DOMAIN, crossed: [{ domain: OTHER, column: 'account.income' }] });
const options = (folder: string) => ({ catalogue, domains: [DOMAIN, OTHER], ...copiedIn(folder) });

let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await openStore(folder, options(folder));
});
afterEach(async () => {
  await store.close();
  await remove();
});
const accounts = async (rows: readonly (readonly [string, string | null])[]): Promise<void> => {
  const values = rows.map(([subject, value]) => `(${quoted(subject)}, ${value === null ? 'NULL::VARCHAR' : quoted(value)})`).join(', ');
  const select = `SELECT subject, income AS "account.income", ${quoted(PRODUCER)} AS producer FROM (VALUES ${values}) t(subject, income)`;
  await importRecords(store, OTHER, { path: await parquetOf(store, select), format: 'parquet' }, () => undefined);
};
const reserve = async (task: string, domain = READING) => {
  const reserved = await store.reserve({ task, submitter: 'x', nonce: task, domain, usage: 'marketing', ask: 10n, limit: 25n });
  if (!reserved.ok) throw new Error(reserved.code);
  return reserved.reservation;
};
/** Rows of a reservation's snapshot: subject's name and what is fetched. */
const rowsOf = async (snapshotId: bigint): Promise<unknown[]> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.readSnapshot(await store.snapshot(snapshotId))) chunks.push(chunk);
  const path = join(store.folders.incoming, 'snapshot.parquet');
  await writeFile(path, Buffer.concat(chunks));
  return store.database.read(async (sql) => {
    const rows = await sql.rows(
      `SELECT u.subject AS name, r.* FROM read_parquet(${quoted(path)}) r JOIN subjects u ON u.id = r.subject ORDER BY u.subject`,
    );
    return rows.map((row) => [row['name'], row['account.income'] ?? null, row['purchase.commodity']]);
  });
};

test('a reading is one text, and back', () => {
  expect(READING).toBe('retail.purchase+bank.account:account.income');
  expect(readingOf(READING)).toEqual({ home: DOMAIN, crossed: [{ domain: OTHER, column: 'account.income' }] });
  expect(domainsOf(READING)).toEqual([DOMAIN, OTHER]);
  expect([readingName({ domain: DOMAIN }), domainsOf(DOMAIN)]).toEqual([DOMAIN, [DOMAIN]]);
});

test('S4, A2: what all of a subject’s records say, else nothing; consenting subjects of the home alone; other tasks see none of it', async () => {
  await fill(store, ['ann', 'bob', 'cem', 'dan', 'eve'].map(bought), ['ann', 'bob', 'cem', 'dan', 'far'].map(granted));
  await accounts([
    ['ann', 'A'],
    ['ann', 'A'],
    ['bob', 'A'],
    ['bob', 'B'],
    ['cem', 'C'],
    ['cem', null],
    ['eve', 'E'],
    ['far', 'F'],
  ]);
  const crossing = await reserve('t1');
  expect(await rowsOf(crossing.snapshot)).toEqual([
    ['ann', 'A', 'coffee'],
    ['bob', null, 'coffee'],
    ['cem', null, 'coffee'],
    ['dan', null, 'coffee'],
  ]);
  const plain = await reserve('t2', DOMAIN);
  expect(plain.snapshot).not.toBe(crossing.snapshot);
  expect(await rowsOf(plain.snapshot)).toEqual(['ann', 'bob', 'cem', 'dan'].map((name) => [name, null, 'coffee']));
});

test('A2: shared until the records of either domain change', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  await accounts([['ann', 'A']]);
  const first = await reserve('t1');
  expect((await reserve('t2')).snapshot).toBe(first.snapshot);
  await store.commit('t1', 0n, 1n);
  await store.release('t2');
  await accounts([['ann', 'B']]);
  const second = await reserve('t3');
  expect(second.snapshot).not.toBe(first.snapshot);
  expect(await rowsOf(second.snapshot)).toEqual([['ann', null, 'coffee']]);
});

test('B4: it counts against the odometer of each domain read', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  await accounts([['ann', 'A']]);
  await reserve('t1', OTHER);
  await reserve('t2', OTHER);
  const ask = { task: 't3', submitter: 'x', nonce: 't3', usage: 'marketing' as const, ask: 10n, limit: 25n };
  expect(await store.reserve({ ...ask, domain: READING })).toEqual({ ok: false, code: 'BudgetExhausted', left: 5n });
  expect(await store.reserve({ ...ask, limit: 30n, domain: READING })).toMatchObject({ ok: true });
  expect(await store.reserve({ ...ask, task: 't4', nonce: 't4', limit: 30n, domain: OTHER })).toMatchObject({ ok: false, left: 0n });
});

test('C2: the Vault started anew knows what the task reads, for a fresh snapshot', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  await accounts([['ann', 'A']]);
  await reserve('t1');
  await store.close();
  store = await openStore(folder, options(folder));
  await store.consent({ subject: 'ann', usage: 'marketing', state: 'revoked', time: Date.now() });
  const refreshed = await store.refresh('t1');
  expect(refreshed).toMatchObject({ domain: READING, attempt: 2n });
  expect(await rowsOf(refreshed!.snapshot)).toEqual([]);
});

test('A2: a task after another has ended has a snapshot that is there', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  await accounts([['ann', 'A']]);
  await reserve('t1');
  await store.commit('t1', 10n, 1n);
  await store.end('t1');
  expect(await rowsOf((await reserve('t2')).snapshot)).toEqual([['ann', 'A', 'coffee']]);
});
