import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, bought, copiedIn, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { replenish } from './replenish.ts';
import type { VaultStore } from './vault-store.ts';

let folder: string;
let remove: () => Promise<void>;
let store: VaultStore;
const open = (name: string): Promise<VaultStore> => openStore(join(folder, name), copiedIn(folder));
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await open('a');
  await fill(store, [bought('ann'), bought('bob')], [granted('ann'), granted('bob')]);
});
afterEach(async () => {
  await store.close();
  await remove();
});

const ask = (task: string, usage: 'marketing' | 'analytics' = 'marketing') =>
  store.reserve({ task, submitter: 'x', nonce: task, domain: DOMAIN, usage, ask: 60n, limit: 100n });
const to = (count: number, usage: 'marketing' | 'analytics' = 'marketing') =>
  store.write('replenish', (sql) => replenish(sql, usage, count));
const accounts = () =>
  store.database.read(async (sql) =>
    (await sql.rows('SELECT reserved, spent FROM ledger ORDER BY id')).map((r) => [r['reserved'], r['spent']]),
  );

test('B2: the odometer and each subject count from nothing; what is reserved stays', async () => {
  await ask('t1');
  await store.commit('t1', 60n, 1n);
  expect(await ask('t2')).toMatchObject({ ok: false, code: 'BudgetExhausted', left: 40n });
  await to(1);
  expect(await ask('t3')).toMatchObject({ ok: true });
  await to(2);
  expect(await accounts()).toEqual([
    [60n, 0n],
    [60n, 0n],
  ]);
  expect(await ask('t4')).toMatchObject({ ok: false, left: 40n });
  await store.commit('t3', 50n, 2n);
  expect(await accounts()).toEqual([
    [0n, 50n],
    [0n, 50n],
  ]);
  expect(await ask('t5')).toMatchObject({ ok: false, left: 50n });
});

test('B5: once for each that the masters certified; older counts and other usages change nothing', async () => {
  await ask('t1');
  await store.commit('t1', 60n, 1n);
  const before = await store.journal();
  await to(1, 'analytics');
  await to(1, 'analytics');
  expect((await store.journal()).sequence).toBe(before.sequence + 1n);
  expect(await ask('t2')).toMatchObject({ ok: false });
  await to(3);
  expect(await ask('t3')).toMatchObject({ ok: true });
  await store.commit('t3', 60n, 1n);
  await to(2);
  await to(3);
  expect(await ask('t4')).toMatchObject({ ok: false, left: 40n });
});

test('B8: a Vault restored from an old backup has been replenished as often', async () => {
  await store.close();
  await cp(join(folder, 'a'), join(folder, 'backup'), { recursive: true });
  store = await open('a');
  await ask('t1');
  await store.commit('t1', 60n, 1n);
  await to(1);
  await ask('t2');
  await store.commit('t2', 30n, 1n);
  await store.close();
  store = await open('backup');
  await to(1);
  expect(await accounts()).toEqual([
    [0n, 30n],
    [0n, 30n],
  ]);
  expect(await ask('t3')).toMatchObject({ ok: true });
});
