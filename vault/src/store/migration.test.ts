/** A store that the version before left is brought to this one's schema whole, and goes on. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpfsExtension } from '../../scripts/fetch-httpfs.ts';
import { EntrySeal } from '../journal/copy.ts';
import { FolderCopy } from '../journal/folder-copy.ts';
import { aFolder, bought, DOMAIN, fill, openStore } from '../testing/a-store.ts';
import { journalFault } from './journal.ts';
import { SCHEMA_VERSION } from './schema.ts';

const KEY = 'ab'.repeat(32);
let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  for (const name of ['data', 'copy']) await mkdir(join(folder, name));
});
afterEach(() => remove());

/** The file as that version wrote it, from its dump. */
const writeOld = async (): Promise<void> => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`LOAD '${await httpfsExtension()}'`);
  await connection.run(`ATTACH '${join(folder, 'data', 'vault.db')}' AS vault (ENCRYPTION_KEY '${KEY}', ENCRYPTION_CIPHER 'GCM')`);
  await connection.run('USE vault');
  const dump = await readFile(new URL('../testing/store-1.sql', import.meta.url), 'utf8');
  await connection.run(dump);
  await connection.run('CHECKPOINT vault');
  connection.closeSync();
  instance.closeSync();
};
const ask = (task: string, amount: bigint) => ({
  task,
  submitter: '0x01',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: amount,
  limit: 100n,
});

test('from version 1: keys, ledger, consents, reservations and journal are as they were, and the Vault goes on', async () => {
  await writeOld();
  let store = await openStore(folder, { key: KEY });
  const tables = await store.database.read((sql) => sql.rows('SELECT max(version) AS version FROM migrations'));
  expect(tables).toEqual([{ version: BigInt(SCHEMA_VERSION) }]);
  expect(store.keys.signSeed).toBe('6e4431bcd3af2478c983a8047bbc060e33085dcbf88290e598777c0a377c0540');
  expect(await store.reservation('t1')).toMatchObject({ state: 'committed', used: 7n });
  expect(await store.output('t1')).toMatchObject({ envelope: 'e1', height: 4n });
  const ledger = await store.database.read((sql) => sql.rows('SELECT id, reserved, spent FROM ledger ORDER BY id'));
  expect(ledger).toEqual([
    { id: 1n, reserved: 20n, spent: 7n },
    { id: 2n, reserved: 0n, spent: 7n },
    { id: 3n, reserved: 20n, spent: 7n },
  ]);
  expect(await store.database.read(journalFault)).toBeUndefined();
  // Its sealed snapshot is not here: it gets a fresh one (C2).
  expect(await store.refresh('t2')).toMatchObject({ state: 'reserved', attempt: 3n });
  expect(await store.reserve(ask('t3', 74n))).toMatchObject({ ok: false, code: 'BudgetExhausted', left: 73n });
  expect(await store.reserve(ask('t3', 73n))).toMatchObject({ ok: true });
  // C4: who was erased gets back the account of old, with what was spent.
  await fill(store, [bought('cem')], []);
  const back = await store.database.read((sql) => sql.rows("SELECT id FROM subjects WHERE subject = 'cem'"));
  expect(back).toEqual([{ id: 3n }]);
  await store.close();
  store = await openStore(folder, { key: KEY });
  expect(await store.unfinished()).toHaveLength(3);
  await store.close();
});

test('B8: a journal that version 1 wrote is replayed, and its copy opens with the key derived then', async () => {
  await writeOld();
  const journalCopy = ({ journalKey }: { readonly journalKey: string }): FolderCopy =>
    new FolderCopy(join(folder, 'copy'), new EntrySeal(journalKey, 'enterprise-a/main'));
  let store = await openStore(folder, { key: KEY, journalCopy });
  const { journalKey } = store.keys;
  const head = await store.journal();
  await store.close();
  // The same data key and subject key give the same journal key again.
  await writeOldAgain();
  store = await openStore(folder, { key: KEY, journalCopy });
  expect(store.keys.journalKey).toBe(journalKey);
  expect(await store.journal()).toEqual(head);
  await store.close();
});
const writeOldAgain = async (): Promise<void> => {
  await rm(join(folder, 'data'), { recursive: true });
  await mkdir(join(folder, 'data'));
  await writeOld();
};
