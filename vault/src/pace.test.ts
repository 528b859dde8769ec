/** B4: how long a Vault took is told in classes. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import { openSlice } from './open-slice.ts';
import { Pace, timeClass } from './pace.ts';
import { release } from './release.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, OTHERS, OURS } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

test('B4: a time class is at most an eighth later, or 32 ms', () =>
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e8 }), (ms) => {
      const told = timeClass(ms);
      expect(told).toBeGreaterThanOrEqual(Math.max(32, ms));
      expect(told - ms).toBeLessThanOrEqual(Math.max(32, ms / 8));
      expect(timeClass(told)).toBe(told);
    }),
  ));

let now = 0;
let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  now = 0;
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { vault: OURS });
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
});
afterEach(async () => {
  await store.close();
  await remove();
});
const clock = {
  now: () => now,
  sleep: (ms: number) => {
    now += ms;
    return Promise.resolve();
  },
};

/** When the answer left, and the release, after work that took so long. */
const leftAfter = async (tookMs: number): Promise<readonly number[]> => {
  now = 0;
  const left: number[] = [];
  const { masters, context } = aGroup(store);
  const { world } = masters;
  const paced = { ...context, masters, pace: new Pace(clock), log: silent };
  const uid = world.submit(aTask().named(`took-${tookMs}`));
  masters.before = (call) => {
    if (call.startsWith('submit')) left.push(now);
  };
  const reserve = store.reserve.bind(store);
  store.reserve = (request) => {
    now += tookMs;
    return reserve(request);
  };
  await new Follower(paced).settle(world.task(uid));
  store.reserve = reserve;
  world.answer(uid, OTHERS);
  const enclave = await SliceEnclave.start(world.genesisDigest, `took ${tookMs}`);
  world.block(enclave.ready(uid));
  now = 0;
  const opened = await openSlice(uid, enclave.sealKey, paced);
  if (!opened.ok) throw new Error(opened.refusal.code);
  const { input } = await enclave.receive(opened.parts, world.task(uid).envelope!);
  if (input.kind !== 'snapshot') throw new Error('stored');
  now += tookMs;
  expect((await release(await enclave.compute(uid, input, [1n, 1n, 1n]), paced)).ok).toBe(true);
  return left;
};

test.each([
  [3, 30, 32],
  [33, 60, 64],
  [1_900, 1_915, 1_920],
])('B4: whether it took %i ms or %i, answer and release leave after %i', async (quick, slow, told) => {
  expect(await leftAfter(quick)).toEqual([told, told]);
  expect(await leftAfter(slow)).toEqual([told, told]);
});

test('B4: after a restart nothing is waited for', async () => {
  await new Pace(clock).due('release/unknown');
  expect(now).toBe(0);
});
