/** C4: who was erased comes back by their own new word, and is charged where they left off; an old file brings nobody back. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, copiedIn, DOMAIN, openStore, PRODUCER } from '../testing/a-store.ts';
import { importConsents, importRecords, type Imported } from './import.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const later = (ms: number): string => new Date(NOW + ms).toISOString();
let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
let lines: string[];
const open = (): Promise<VaultStore> =>
  openStore(folder, {
    now: () => NOW,
    ...copiedIn(folder),
  });
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await open();
  lines = [];
});
afterEach(async () => {
  await store.close();
  await remove();
});

const RECORDS = ['ann', 'bob', 'ann']
  .map((subject, i) => `${subject},2017-03-0${i + 1},coffee,25-34,${PRODUCER}\n`)
  .reduce((text, row) => text + row, 'subject,purchase.day,purchase.commodity,household.age,producer\n');
const bring = async (text: string): Promise<Imported> => {
  const path = join(store.folders.incoming, 'again.csv');
  await writeFile(path, text);
  return importRecords(store, DOMAIN, { path, format: 'csv' }, (line) => lines.push(line));
};
const say = async (text: string): Promise<Imported> => {
  const path = join(store.folders.incoming, 'consents.csv');
  await writeFile(path, `subject,usage,state,time\n${text}`);
  return importConsents(store, { path, format: 'csv' }, NOW + 10_000, (line) => lines.push(line));
};
const held = (): Promise<readonly unknown[]> =>
  store.database.read(async (sql) =>
    (await sql.rows(`SELECT subject AS name FROM (SELECT subject AS id FROM "records/${DOMAIN}") JOIN subjects USING (id) ORDER BY 1`)).map(
      ({ name }) => name,
    ),
  );
const ask = (task: string) => ({ task, submitter: 'x', nonce: task, domain: DOMAIN, usage: 'marketing' as const, ask: 60n, limit: 100n });
/** The subjects that the task charges. */
const charged = async (task: string): Promise<readonly unknown[]> => {
  expect(await store.reserve(ask(task))).toMatchObject({ ok: true });
  return store.database.read(async (sql) =>
    (
      await sql.rows(
        'SELECT subject FROM reservations r JOIN reservation_subjects s ON s.reservation = r.id JOIN subjects u ON u.id = s.id WHERE task = $task ORDER BY 1',
        { task },
      )
    ).map(({ subject }) => subject),
  );
};

test('C4, B5: the same files again, byte by byte: nothing until they consent anew, then their records alone, and the charge stands', async () => {
  const consents = 'ann,marketing,granted,2024-01-01T00:00:00Z\nbob,marketing,granted,2024-01-01T00:00:00Z\n';
  await bring(RECORDS);
  await say(consents);
  expect(await charged('t1')).toEqual(['ann', 'bob']);
  await store.commit('t1', 60n, 1n);
  await store.erase('ann');
  expect(await bring(RECORDS)).toMatchObject({ fresh: false });
  expect(await say(consents)).toMatchObject({ fresh: false });
  expect(await held()).toEqual(['bob']);

  await store.consent({ subject: 'ann', usage: 'marketing', state: 'granted', time: NOW });
  expect(await bring(RECORDS)).toMatchObject({ fresh: true, rows: 2n, duplicates: 0n });
  expect(await held()).toEqual(['ann', 'ann', 'bob']);
  expect(await bring(RECORDS)).toMatchObject({ fresh: false });
  expect(await held()).toEqual(['ann', 'ann', 'bob']);
  const ledger = await store.database.read((sql) =>
    sql.rows('SELECT subject, spent FROM ledger JOIN subjects USING (id) ORDER BY subject'),
  );
  expect(ledger).toEqual(['ann', 'bob'].map((subject) => ({ subject, spent: 60n })));

  // And again: each erasure needs a word of after it.
  await store.erase('ann');
  expect(await bring(RECORDS)).toMatchObject({ fresh: false });
  expect(await held()).toEqual(['bob']);
});

test('C4: a grant of before the erasure counts no more, in whatever file; one of after it does', async () => {
  await bring(RECORDS);
  await store.erase('ann');
  expect(await say(`ann,marketing,granted,${later(0)}\nbob,marketing,granted,${later(0)}\n`)).toMatchObject({
    rows: 1n,
    unmatched: [{ column: 'time', reason: 'Erased', rows: '1', firstRow: '1' }],
  });
  expect(lines).toContain('left out: 1 rows, first row 1: column time: Erased');
  expect(await charged('t1')).toEqual(['bob']);
  await store.release('t1');
  await say(`ann,marketing,granted,${later(1)}\n`);
  await bring(RECORDS);
  expect(await charged('t2')).toEqual(['ann', 'bob']);
});

test('C4: a subject who speaks in the millisecond of the erasure, or by a clock that is behind, is heard', async () => {
  await bring(RECORDS);
  await store.consent({ subject: 'ann', usage: 'marketing', state: 'granted', time: NOW + 5 });
  await store.erase('ann');
  await store.consent({ subject: 'ann', usage: 'marketing', state: 'granted', time: NOW - 5 });
  const times = await store.database.read((sql) => sql.rows('SELECT time FROM consents'));
  expect(times).toEqual([{ time: BigInt(NOW + 6) }]);
});

test('C4, B8: a restored Vault, whose records come in again, leaves out who was erased since; a new file is a new word', async () => {
  await store.close();
  store = await open();
  const empty = join(folder, 'before');
  await store.close();
  await cp(join(folder, 'data'), empty, { recursive: true });
  store = await open();
  await bring(RECORDS);
  await store.erase('ann');
  await store.close();
  await rm(join(folder, 'data'), { recursive: true });
  await cp(empty, join(folder, 'data'), { recursive: true });
  store = await open();
  expect(await bring(RECORDS)).toMatchObject({ rows: 1n, unmatched: [{ column: 'subject', reason: 'Erased', rows: '2', firstRow: '1' }] });
  expect(await held()).toEqual(['bob']);
  await say(`ann,marketing,granted,${later(1)}\n`);
  expect(await bring(RECORDS)).toMatchObject({ rows: 2n });
  await store.erase('ann');
  await bring(`${RECORDS}ann,2018-01-01,tea,25-34,${PRODUCER}\n`);
  expect(await held()).toContain('ann');
});
