/** What the writer has in mind stays small and right, however many tasks there were (B2, B5, N5). */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { journalHead } from './journal.ts';
import type { VaultStore } from './vault-store.ts';

const HOUR = 3_600_000;
let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await openStore(folder);
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
});
afterEach(async () => {
  await store.close();
  await remove();
});
const ask = (i: number) => ({
  task: `t${i}`,
  submitter: 'x',
  nonce: `n${i}`,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: 10n,
  limit: 1_000_000n,
  time: i * HOUR,
});
/** Sixteen at a time: reserved, committed, ended. */
const tasks = async (from: number, until: number): Promise<void> => {
  for (let first = from; first < until; first += 16) {
    const numbers = Array.from({ length: 16 }, (_, i) => first + i);
    await Promise.all(numbers.map((i) => store.reserve(ask(i))));
    await Promise.all(numbers.map((i) => store.commit(`t${i}`, 3n, 1n)));
    await Promise.all(numbers.map((i) => store.end(`t${i}`)));
  }
};

test('B2, N5: what ended is not kept in mind, and is known all the same, by a Vault started anew too', async () => {
  await tasks(0, 96);
  const before = await store.look((book) => book.size);
  await tasks(96, 320);
  expect(await store.look((book) => book.size)).toBeLessThanOrEqual(before);
  for (const _ of ['as it is', 'started anew']) {
    expect(await store.reserve(ask(3))).toMatchObject({ ok: true, reservation: { task: 't3', state: 'committed', used: 3n, ended: true } });
    expect(await store.reserve({ ...ask(3), task: 'other' })).toEqual({ ok: false, code: 'NonceReused' });
    expect(new Set((await store.charges('marketing')).values())).toEqual(new Set([960n]));
    expect(await store.reserve({ ...ask(999), limit: 969n })).toEqual({ ok: false, code: 'BudgetExhausted', left: 9n });
    expect(await store.look((book) => book.size)).toBeLessThanOrEqual(before);
    await store.close();
    store = await openStore(folder);
  }
});

test('B5: tidying up between two steps leaves what is in mind as it is', async () => {
  await tasks(0, 16);
  await store.reserve(ask(20));
  const before = await store.look((book) => book);
  await store.tidy();
  expect(await store.look((book) => book)).toBe(before);
  expect(new Set((await store.charges('marketing')).values())).toEqual(new Set([58n]));
  await Promise.all([store.tidy(), store.reserve(ask(21)), store.tidy(), store.commit('t20', 1n, 1n)]);
  const rows = await store.database.read((sql) => sql.rows('SELECT reserved + spent AS charge FROM ledger'));
  expect(rows.map(({ charge }) => BigInt(String(charge)))).toEqual([59n, 59n]);
  expect(new Set((await store.charges('marketing')).values())).toEqual(new Set([59n]));
});

test('B8: the head that is told is the one on disk, after every kind of step', async () => {
  const onDisk = () => store.database.read(journalHead);
  const steps = [
    () => store.reserve(ask(1)),
    () => store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: 1 }),
    () => store.refresh('t1'),
    () => store.tidy(),
    () => store.commit('t1', 1n, 1n),
    () => store.erase('bob'),
    () => store.commit('t2', 1n, 1n),
    () => Promise.allSettled([store.reserve(ask(2)), store.commit('t2', 11n, 1n)]),
  ];
  for (const step of steps) {
    await step();
    expect(await store.journal()).toEqual(await onDisk());
  }
});
