/** What repeats, a replay, a lost journal, a new key and a half-written file of consents may not do to charges and revocations (B5, B8, C2). */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importConsents } from '../import/import.ts';
import { JournalError, type JournalCopy } from '../journal/copy.ts';
import { aFolder, bought, CATALOGUE, copiedIn, DOMAIN, fill, granted, openStore, parquetOf } from '../testing/a-store.ts';
import { commitmentsOf } from './task-steps.ts';
import type { VaultStore } from './vault-store.ts';

let folder: string;
let remove: () => Promise<void>;
let store: VaultStore;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
});
afterEach(async () => {
  await store.close();
  await remove();
});
const ask = { task: 't1', submitter: 'x', nonce: 't1', domain: DOMAIN, usage: 'marketing' as const, ask: 10n, limit: 100n };
const people = ['ann', 'bob'];
const outputOf = async () => {
  const reservation = (await store.reservation('t1'))!;
  const { snapshot, consent } = commitmentsOf(reservation, await store.snapshot(reservation.snapshot));
  const bytes = { output: Uint8Array.of(1), evidence: Uint8Array.of(2) };
  return { task: 't1', envelope: 'e', snapshotCommitment: snapshot, consentCommitment: consent, ...bytes };
};
/** Each one's, in the file and in the writer's mind. */
const charges = async (): Promise<readonly bigint[]> => {
  const rows = await store.database.read((sql) => sql.rows('SELECT (reserved + spent)::BIGINT AS charge FROM ledger ORDER BY id'));
  const inFile = rows.map((row) => row['charge'] as bigint).filter((charge) => charge > 0n);
  expect([...(await store.charges('marketing')).values()]).toEqual(inFile);
  return inFile;
};
const revoke = (subject: string) => store.consent({ subject, usage: 'marketing', state: 'revoked', time: Date.now() });
/** The snapshot's file gone, as after a restore: the reservation has none. */
const withoutSnapshots = async (): Promise<void> => {
  await rm(store.folders.sealed, { recursive: true });
  await store.close();
  store = await openStore(folder);
  expect((await store.reservation('t1'))!.snapshot).toBe(0n);
};

test('B5: who revokes after a commit stays charged, though the task asks again without its snapshot', async () => {
  store = await openStore(folder);
  await fill(store, people.map(bought), people.map(granted));
  await store.reserve(ask);
  await store.commit('t1', 10n, 1n);
  await withoutSnapshots();
  expect(await charges()).toEqual([10n, 10n]);
  await revoke('bob');
  expect(await store.reserve(ask)).toMatchObject({ ok: true, reservation: { state: 'committed' } });
  expect(await charges()).toEqual([10n, 10n]);
});

test('B3, B5: who revokes after the output was stored stays charged, though the task asks again without its snapshot', async () => {
  store = await openStore(folder);
  await fill(store, people.map(bought), people.map(granted));
  await store.reserve(ask);
  expect(await store.storeOutput(await outputOf())).toMatchObject({ ok: true });
  await withoutSnapshots();
  await revoke('bob');
  expect(await store.reserve(ask)).toMatchObject({ ok: true, reservation: { state: 'reserved' } });
  await store.commit('t1', 10n, 1n);
  expect(await charges()).toEqual([10n, 10n]);
});

test('B8, C2: with the journal lost, an open reservation stores no output of those who count as revoked', async () => {
  store = await openStore(folder, copiedIn(folder));
  await fill(store, people.map(bought), people.map(granted));
  await store.reserve(ask);
  const output = await outputOf();
  await store.close();
  await rm(join(folder, 'copy'), { recursive: true });
  store = await openStore(folder, { ...copiedIn(folder), journalLost: true });
  expect(await store.storeOutput(output)).toEqual({ ok: false, code: 'ConsentChanged' });
});

test('B5: after a new key the ledger is the same, and goes on', async () => {
  store = await openStore(folder);
  await fill(store, people.map(bought), people.map(granted));
  await store.reserve(ask);
  let file = '';
  await store.rekey('cd'.repeat(32), (taken) => Promise.resolve(void (file = taken)));
  expect(await charges()).toEqual([10n, 10n]);
  await store.commit('t1', 9n, 1n);
  await store.tidy();
  expect(await charges()).toEqual([9n, 9n]);
  await store.close();
  store = await openStore(folder, { key: 'cd'.repeat(32), file });
  expect(await charges()).toEqual([9n, 9n]);
  expect(await store.reserve({ ...ask, task: 't2', nonce: 't2' })).toMatchObject({ ok: true });
  expect(await charges()).toEqual([19n, 19n]);
});

test('S1: a task after a new catalogue has a snapshot with its columns', async () => {
  store = await openStore(folder);
  await fill(store, people.map(bought), people.map(granted));
  const before = await store.reserve(ask);
  const [first] = CATALOGUE.canonicalAttributes;
  await store.learn({ ...CATALOGUE, canonicalAttributes: [...CATALOGUE.canonicalAttributes, { ...first!, name: 'purchase.shop' }] });
  const after = await store.reserve({ ...ask, task: 't2', nonce: 't2' });
  expect(after.ok && after.reservation.snapshot).not.toBe(before.ok && before.reservation.snapshot);
});

test('B8, C4: a file of consents whose entries reached the copy in part is imported again, whole', async () => {
  let cut = false;
  const { journalCopy } = copiedIn(folder);
  store = await openStore(folder, {
    journalCopy: (keys) => {
      const copy: JournalCopy = journalCopy!(keys);
      return {
        head: () => copy.head(),
        read: (sequence) => copy.read(sequence),
        append: async (after, entries) => {
          await copy.append(after, cut ? entries.slice(0, 1) : entries);
          if (cut) throw new JournalError('JournalUnavailable', 'died here');
        },
      };
    },
  });
  await fill(store, ['s7'].map(bought), ['s7'].map(granted));
  const select = `SELECT 's' || i AS subject, 'marketing' AS usage, 'revoked' AS state, TIMESTAMPTZ '2025-01-01T00:00:00Z' AS time FROM range(20002) t(i)`;
  const file = { path: await parquetOf(store, select), format: 'parquet' as const };
  const again = () => importConsents(store, file, Date.now(), () => undefined);
  cut = true;
  await expect(again()).rejects.toThrow('died here');
  cut = false;
  expect(await again()).toMatchObject({ fresh: true });
  const rows = await store.database.read((sql) => sql.rows('SELECT DISTINCT id FROM consents WHERE NOT granted'));
  expect(rows).toHaveLength(20_002);
});
