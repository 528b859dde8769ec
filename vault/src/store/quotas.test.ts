/** C5, B4: quotas of the manifest, by actor and usage, from what is public alone. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Quota } from '@scs/protocol';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { quotasFor } from './quotas.ts';
import type { VaultStore } from './vault-store.ts';

const [ROASTERY, BAKERY] = [`0x${'1'.repeat(64)}`, `0x${'2'.repeat(64)}`];
const HOUR = 3_600_000;
let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  store = await openStore(folder);
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
});
afterEach(async () => {
  await store.close();
  await remove();
});
let tasks = 0;
const reserve = async (quotas: readonly Quota[], more: object = {}): Promise<string> => {
  const task = `task-${++tasks}`;
  const reserved = await store.reserve({
    task,
    submitter: ROASTERY,
    nonce: task,
    domain: DOMAIN,
    usage: 'marketing',
    ask: 10n,
    limit: 10_000n,
    time: 100 * HOUR,
    quotas,
    ...more,
  });
  return reserved.ok ? 'reserved' : reserved.code;
};

test('C5: the quota that names an actor is theirs alone; others have the one that names nobody', () => {
  const [own, all, training]: Quota[] = [{ actor: ROASTERY, openTasks: 1 }, { openTasks: 2 }, { openTasks: 0, usage: 'training' }];
  expect(quotasFor([own!, all!, training!], ROASTERY, 'marketing')).toEqual([own]);
  expect(quotasFor([own!, all!, training!], BAKERY, 'marketing')).toEqual([all]);
  expect(quotasFor([own!, all!, training!], BAKERY, 'training')).toEqual([all, training]);
});

test('C5: open tasks: what ended makes room', async () => {
  const quotas = [{ openTasks: 2 }];
  expect([await reserve(quotas), await reserve(quotas), await reserve(quotas)]).toEqual(['reserved', 'reserved', 'QuotaExceeded']);
  expect(await reserve(quotas, { submitter: BAKERY })).toBe('reserved');
  const last = `task-${tasks}`;
  await store.release(last);
  await store.commit('task-1', 10n, 1n);
  expect(await reserve(quotas)).toBe('reserved');
});

test('C5: tasks and micro-rho in 24 hours of the log; a task that gave back counts as a task, not as a loss', async () => {
  const quotas: Quota[] = [{ tasksPerDay: 3, microRhoPerDay: '25.9' }];
  expect([await reserve(quotas), await reserve(quotas), await reserve(quotas)]).toEqual(['reserved', 'reserved', 'QuotaExceeded']);
  await store.release(`task-${tasks - 1}`);
  expect([await reserve(quotas), await reserve(quotas, { ask: 1n })]).toEqual(['reserved', 'QuotaExceeded']);
  expect(await reserve(quotas, { time: 123 * HOUR })).toBe('QuotaExceeded');
  expect(await reserve(quotas, { time: 124 * HOUR + 1 })).toBe('reserved');
});

test('B4: nobody eligible, or everybody: the quota says the same', async () => {
  const quotas = [{ tasksPerDay: 2 }];
  for (const subject of ['ann', 'bob']) await store.consent({ subject, usage: 'marketing', state: 'revoked', time: Date.now() });
  expect([await reserve(quotas), await reserve(quotas), await reserve(quotas)]).toEqual(['reserved', 'reserved', 'QuotaExceeded']);
});

test('C5: what is long ago is not kept in mind, and who asks by an older time is answered as before', async () => {
  const quotas: Quota[] = [{ tasksPerDay: 2 }];
  expect([await reserve(quotas), await reserve(quotas)]).toEqual(['reserved', 'reserved']);
  for (let hour = 200; hour < 260; hour++) {
    expect(await reserve([{ tasksPerDay: 1 }], { submitter: BAKERY, time: hour * HOUR })).toBe(
      (hour - 200) % 24 === 0 ? 'reserved' : 'QuotaExceeded',
    );
    await reserve([], { submitter: `0x${hour}`, time: hour * HOUR });
    await store.release(`task-${tasks}`);
  }
  expect(await reserve(quotas, { time: 101 * HOUR })).toBe('QuotaExceeded');
  expect(await reserve(quotas, { time: 125 * HOUR })).toBe('reserved');
  expect(await reserve([{ openTasks: 3 }], { time: 259 * HOUR })).toBe('QuotaExceeded');
});
