/** A full volume: new work is refused, what is begun ends, and nothing is lost. On a small file system of its own where that may be made. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { isFull, keptFor } from './room.ts';
import type { VaultStore } from './vault-store.ts';

const MIB = 1024 ** 2;
let store: VaultStore;
let remove: () => Promise<void>;
let free: number;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  free = 1024 * MIB;
  store = await openStore(folder, { room: () => Promise.resolve({ free, size: 1024 * MIB }) });
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
});
afterEach(async () => {
  await store.close();
  await remove();
});
const ask = (task: string) => ({
  task,
  submitter: 'x',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: 10n,
  limit: 1000n,
});

test('what is kept: 64 MiB, or an eighth of a small volume', () => {
  expect(keptFor({ free: 0, size: 1024 * MIB })).toBe(64 * MIB);
  expect(keptFor({ free: 0, size: 80 * MIB })).toBe(10 * MIB);
  expect(isFull({ free: 65 * MIB, size: 1024 * MIB })).toBe(false);
  expect(isFull({ free: 65 * MIB, size: 1024 * MIB }, 2 * MIB)).toBe(true);
});

test('B2, C4: with no room, reservations, imports and copies are refused; commits, releases, revocations and erasures are done', async () => {
  for (const task of ['t1', 't2', 't3']) await store.reserve(ask(task));
  free = 10 * MIB;
  expect(await store.hasRoom()).toBe(false);
  await expect(store.reserve(ask('t4'))).rejects.toMatchObject({ code: 'StorageFull' });
  await expect(fill(store, [bought('dan')], [])).rejects.toMatchObject({ code: 'StorageFull' });
  const key = 'cd'.repeat(32);
  await expect(store.rekey(key, () => Promise.resolve())).rejects.toMatchObject({ code: 'StorageFull' });
  await store.commit('t1', 10n, 1n);
  await store.release('t2');
  await store.consent({ subject: 'ann', usage: 'marketing', state: 'revoked', time: Date.now() });
  expect(await store.refresh('t3')).toMatchObject({ attempt: 2n });
  expect(await store.erase('bob')).toBe(true);
  free = 1024 * MIB;
  expect(await store.reserve(ask('t4'))).toMatchObject({ ok: true });
});

const may = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt']).status === 0;
test.skipIf(!may)(
  'a file system without a byte left: each step fails whole, says why, and all that was told as done is there after',
  async () => {
    const child = new URL('../testing/full-child.ts', import.meta.url).pathname;
    const script = 'mount -t tmpfs -o size=24m none /mnt && exec "$0" "$1" /mnt';
    const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', script, process.execPath, child]);
    const told = JSON.parse(stdout) as {
      done: string[];
      after: string[];
      codes: string[];
      said: string[];
      consents: string[];
      ledger: unknown;
    };
    expect(told.codes.length).toBeGreaterThan(0);
    expect(new Set(told.codes)).toEqual(new Set(['StorageFull']));
    expect(told.after).toEqual(told.done);
    expect(told.consents).toEqual(told.said);
    expect(told.ledger).toEqual({ most: String(10 * told.done.length) });
  },
  120_000,
);
