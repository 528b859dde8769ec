import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { quoted } from './database.ts';
import type { VaultStore } from './vault-store.ts';
import { commitmentsOf } from './task-steps.ts';

let store: VaultStore;
let remove: () => Promise<void>;
let folder: string;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await openStore(folder);
});
afterEach(async () => {
  await store.close();
  await remove();
});
const ask = (task: string, more: object = {}) => ({
  task,
  submitter: 'x',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: 10n,
  limit: 100n,
  ...more,
});
const eligible = (task: string) =>
  store.database.read(async (sql) =>
    (
      await sql.rows(
        'SELECT subject FROM reservation_subjects s JOIN reservations r ON r.id = s.reservation JOIN subjects u ON u.id = s.id WHERE task = $task ORDER BY 1',
        { task },
      )
    ).map((row) => row['subject']),
  );

test('C4, B4: eligible are those who consent and have records; the others are left out silently', async () => {
  await fill(store, ['ann', 'bob', 'cem'].map(bought), [granted('ann'), granted('cem'), granted('eve')]);
  const reserved = await store.reserve(ask('t1'));
  expect(reserved).toMatchObject({ ok: true, reservation: { state: 'reserved', attempt: 1n } });
  expect(await eligible('t1')).toEqual(['ann', 'cem']);
});

test('the key is needed, and what was stored is there again', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  await store.reserve(ask('t1'));
  const { publicKey } = store.keys;
  await store.close();
  await expect(openStore(folder, { key: 'cd'.repeat(32) })).rejects.toMatchObject({ code: 'StoreLocked' });
  store = await openStore(folder);
  expect(store.keys.publicKey).toBe(publicKey);
  expect(await eligible('t1')).toEqual(['ann']);
});

test('A2: a snapshot is shared until something changes, and holds consenting subjects only', async () => {
  await fill(store, ['ann', 'bob'].map(bought), [granted('ann')]);
  const [one, two] = [await store.reserve(ask('t1')), await store.reserve(ask('t2'))];
  if (!one.ok || !two.ok) throw new Error('not reserved');
  expect(two.reservation.snapshot).toBe(one.reservation.snapshot);
  expect(two.reservation.firstConsent).not.toBe(one.reservation.firstConsent);
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'granted', time: Date.now() });
  const three = await store.reserve(ask('t3'));
  expect(three.ok && three.reservation.snapshot).not.toBe(one.reservation.snapshot);
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.readSnapshot(await store.snapshot(one.reservation.snapshot))) chunks.push(chunk);
  expect(Buffer.concat(chunks).subarray(0, 4).toString()).toBe('PAR1');
});

test('C2: revoked before output leaves: dropped with a fresh snapshot, and given back', async () => {
  await fill(store, ['ann', 'bob'].map(bought), [granted('ann'), granted('bob')]);
  const reserved = await store.reserve(ask('t1'));
  if (!reserved.ok) throw new Error('not reserved');
  const before = commitmentsOf(reserved.reservation, await store.snapshot(reserved.reservation.snapshot));
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() });
  const output = { task: 't1', envelope: 'e', output: Uint8Array.of(1), evidence: Uint8Array.of(2) };
  expect(await store.storeOutput({ ...output, snapshotCommitment: before.snapshot, consentCommitment: before.consent })).toEqual({
    ok: false,
    code: 'ConsentChanged',
  });
  expect(await eligible('t1')).toEqual(['ann']);
  const fresh = (await store.refresh('t1'))!;
  expect(fresh.attempt).toBe(2n);
  const after = commitmentsOf(fresh, await store.snapshot(fresh.snapshot));
  const stored = await store.storeOutput({ ...output, snapshotCommitment: after.snapshot, consentCommitment: after.consent });
  expect(stored.ok).toBe(true);
  await store.consent({ subject: 'ann', usage: 'marketing', state: 'revoked', time: Date.now() });
  expect((await store.refresh('t1'))?.attempt).toBe(2n);
  await store.commit('t1', 10n, 5n);
  const rows = await store.database.read((sql) => sql.rows('SELECT reserved, spent FROM ledger'));
  expect(rows).toMatchObject([{ reserved: 0n, spent: 10n }]);
  // B6, B5: once it has ended nothing is stored any more, and nobody's charge is touched.
  await store.end('t1');
  const late = { ...output, snapshotCommitment: after.snapshot, consentCommitment: after.consent };
  expect(await store.storeOutput(late)).toEqual({ ok: false, code: 'NotReserved' });
  expect([...(await store.charges('marketing')).values()]).toEqual([10n]);
});

test('C4: erase and re-upload resets no budget', async () => {
  await fill(store, [bought('ann'), bought('bob')], [granted('ann'), granted('bob')]);
  await store.reserve(ask('t1', { ask: 60n }));
  await store.commit('t1', 60n, 1n);
  expect(await store.erase('ann')).toBe(true);
  expect(await store.erase('nobody')).toBe(false);
  await fill(store, [{ ...bought('ann'), commodity: 'tea' }], [granted('ann')]);
  const rows = await store.database.read((sql) =>
    sql.rows("SELECT spent FROM ledger JOIN subjects USING (id) WHERE subject = 'ann' AND usage = 'marketing'"),
  );
  expect(rows).toEqual([{ spent: 60n }]);
});

test('B4: the odometer refuses by public state, whoever is eligible', async () => {
  expect(await store.reserve(ask('t1', { ask: 60n }))).toMatchObject({ ok: true });
  expect(await store.reserve(ask('t2', { ask: 60n }))).toEqual({ ok: false, code: 'BudgetExhausted', left: 40n });
  expect(await store.reserve(ask('t3', { ask: 10n, nonce: 't1' }))).toEqual({ ok: false, code: 'NonceReused' });
  await store.release('t1');
  expect(await store.reserve(ask('t2', { ask: 60n }))).toMatchObject({ ok: true });
});

test('A2: the eligible subjects of a task are a compressed set, about a bit for each account', async () => {
  await store.database.write((sql) =>
    sql.run('INSERT INTO reservation_subjects SELECT 7, i FROM range(200000) t(i) WHERE hash(i) % 2 = 0 ORDER BY hash(i + 1)'),
  );
  const file = join(store.folders.scratch, 'eligible.parquet');
  await store.writeEligible(7n, file);
  expect((await stat(file)).size).toBeLessThan(40_000);
  const rows = await store.database.read((sql) =>
    sql.rows(`SELECT count(*) AS n, sum(subject)::BIGINT = (SELECT sum(id) FROM reservation_subjects) AS same FROM ${quoted(file)}`),
  );
  expect(rows[0]).toMatchObject({ same: true });
});
