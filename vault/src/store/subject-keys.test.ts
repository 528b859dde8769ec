import { afterEach, beforeEach, expect, test } from 'vitest';
import { addressOf } from '@scs/protocol';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { MAX_KEYS, subjectOfKey } from './subject-keys.ts';
import { keysBy, usesBy } from './subject-view.ts';
import type { VaultStore } from './vault-store.ts';

const KEY = actorKey('ann').publicKey;
const now = Date.UTC(2026, 0, 1);
let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { now: () => now });
  await fill(store, ['ann', 'bob'].map(bought), [granted('ann')]);
});
afterEach(async () => {
  await store.close();
  await remove();
});
const owner = (publicKey: string) => store.database.read((sql) => subjectOfKey(sql, publicKey));
const add = (subject: string, publicKey: string) => store.addKey({ subject, publicKey, by: 'operator' });

test('C4: a key stands for one subject, until it is removed or the subject erased', async () => {
  expect(await add('ann', KEY)).toEqual({ ok: true });
  expect(await add('ann', KEY)).toEqual({ ok: true });
  expect(await add('bob', KEY)).toEqual({ ok: false, code: 'KeyTaken' });
  expect(await owner(KEY)).toBe('ann');
  expect(await keysBy(store, 'ann')).toEqual([{ publicKey: KEY, since: now }]);
  expect(await store.removeKey({ subject: 'bob', publicKey: KEY, by: 'subject' })).toBe(false);
  expect(await store.removeKey({ subject: 'ann', publicKey: KEY, by: 'subject' })).toBe(true);
  expect(await owner(KEY)).toBeUndefined();
  await add('ann', KEY);
  await store.erase('ann');
  expect(await owner(KEY)).toBeUndefined();
});

test('C4: a subject named by an account address needs no registration, and can bring no more keys than fit', async () => {
  const { publicKey } = actorKey('wallet');
  expect(await owner(publicKey)).toBeUndefined();
  await store.consent({ subject: addressOf(publicKey), usage: 'marketing', state: 'granted', time: now });
  expect(await owner(publicKey)).toBe(addressOf(publicKey));
  for (let i = 0; i < MAX_KEYS; i++) expect((await add('bob', actorKey(`bob ${i}`).publicKey)).ok).toBe(true);
  expect(await add('bob', actorKey('one more').publicKey)).toEqual({ ok: false, code: 'TooManyKeys' });
});

test('C4: the subject sees who used it for what and when, and who looked', async () => {
  await add('ann', KEY);
  await store.noteSubjectAccess('ann', 'seen', 'operator');
  await store.noteSubjectAccess('nobody', 'seen', 'operator');
  const time = new Date(now).toISOString();
  const task = { task: 't1', submitter: 'x', nonce: 'n', domain: DOMAIN, usage: 'marketing' as const, ask: 10n, limit: 100n };
  await store.reserve(task);
  expect(await usesBy(store, 'ann')).toMatchObject({
    uses: [{ task: 't1', state: 'reserved', microRho: '10', reservedAt: time, openedAt: null, releasedAt: null }],
    spendings: [{}, { usage: 'marketing', reserved: 10n, spent: 0n }, {}, {}],
    accesses: [
      { time, what: 'key added', by: 'operator' },
      { time, what: 'seen', by: 'operator' },
    ],
  });
  await store.refresh('t1');
  await store.commit('t1', 8n, 7n);
  expect((await usesBy(store, 'ann')).uses).toMatchObject([{ state: 'committed', microRho: '8', openedAt: time, releasedAt: time }]);
  expect((await usesBy(store, 'bob')).uses).toEqual([]);
});
