/** The coupon example through the masters' rules: asked, selected, released, activated; and a Vault that follows a replenishment. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aTask } from '@scs/protocol/testing/task.ts';
import { audienceNonce, type KeptAudience, type SnapshotInput } from '@scs/protocol';
import { Follower } from '../follow.ts';
import { silent } from '../logger.ts';
import { openSlice } from '../open-slice.ts';
import { release, type ReleaseContext } from '../release.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aGroup, OTHERS, OURS, type WorldMasters } from '../testing/a-group.ts';
import { SliceEnclave } from '../testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from '../testing/a-store.ts';
import { activate } from './activate.ts';

let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext;
let follower: Follower;
let remove: () => Promise<void>;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  store = await openStore(folder, { vault: OURS });
  await fill(store, ['ann', 'bob', 'cem'].map(bought), ['ann', 'bob', 'cem'].map(granted));
  ({ masters, context } = aGroup(store));
  follower = new Follower({ ...context, masters, log: silent });
});
afterEach(async () => {
  await store.close();
  await remove();
});

/** Asked for an audience and opened by the slice's enclave. */
const opened = async (): Promise<{ uid: string; enclave: SliceEnclave; input: SnapshotInput }> => {
  const { world } = masters;
  const uid = world.submit(aTask().asking({ audience: { expiresSeconds: 3600 } }));
  await follower.settle(world.task(uid));
  world.answer(uid, OTHERS);
  const enclave = await SliceEnclave.start(world.genesisDigest);
  world.block(enclave.ready(uid));
  const slice = await openSlice(uid, enclave.sealKey, context);
  if (!slice.ok) throw new Error(slice.refusal.code);
  const { input } = await enclave.receive(slice.parts, world.task(uid).envelope!);
  if (input.kind !== 'snapshot') throw new Error('stored');
  return { uid, enclave, input };
};
const audience = (input: SnapshotInput, bitmap: string): KeptAudience => ({ bitmap, nonce: audienceNonce(input.noiseSeed) });
const sent: string[] = [];
const activated = (task: string) =>
  activate(task, 'A coupon for coffee', {
    store,
    webhook: { send: ({ subjects }) => Promise.resolve(void sent.push(...subjects)) },
    log: silent,
    now: () => Date.now(),
  });

test('T1: the Vault’s operator reaches who was selected, once the masters decided the release', async () => {
  const { uid, enclave, input } = await opened();
  expect(input.plan.audience).toEqual({ expiresSeconds: 3600 });
  const computed = await enclave.compute(uid, input, [3n, 0n, 0n], audience(input, '05'));
  expect(await activated(uid)).toMatchObject({ code: 'AudienceUnknown' });
  expect(await release(computed, context)).toMatchObject({ ok: true });
  expect(await activated(uid)).toEqual({ ok: true, activated: 2 });
  expect(sent).toHaveLength(2);
  expect(masters.world.task(uid).parts.find(({ vault }) => vault === OURS)!.state).toBe('released');
});

test.each([
  ['no audience where the plan keeps one', undefined, 'EvidenceInvalid'],
  ['an audience of more subjects than were charged', 'ff', 'AudienceUnfit'],
  ['an audience of another size', '0000', 'AudienceUnfit'],
])('A3: %s is refused', async (_, bitmap, code) => {
  const { uid, enclave, input } = await opened();
  const computed = await enclave.compute(uid, input, [3n, 0n, 0n], bitmap === undefined ? undefined : audience(input, bitmap));
  expect(await release(computed, context)).toMatchObject({ ok: false, refusal: { code } });
  expect(await store.output(uid)).toBeUndefined();
});

test('A3: an audience other than the one the evidence commits to is refused', async () => {
  const { uid, enclave, input } = await opened();
  const [one, other] = [
    await enclave.compute(uid, input, [3n, 0n, 0n], audience(input, '05')),
    await enclave.compute(uid, input, [3n, 0n, 0n], audience(input, '02')),
  ];
  const mixed = { ...one, sealedOutput: other.sealedOutput, enc: other.enc };
  expect(await release(mixed, context)).toMatchObject({ ok: false, refusal: { code: 'EvidenceInvalid' } });
});

test('B2: exhausted, refused by the Vault that was not told; replenished with the first task that says so', async () => {
  const { world } = masters;
  const asked = async (): Promise<string> => {
    const uid = world.submit(aTask());
    await follower.settle(world.task(uid));
    return uid;
  };
  const first = await asked();
  const record = world.task(first);
  const ask = { submitter: 'x', domain: 'retail.purchase', usage: 'marketing', limit: 500_000n } as const;
  await store.reserve({ ...ask, task: 'other', nonce: 'other', ask: 375_000n });
  await store.commit('other', 375_000n, 1n);
  const before = world.submit(aTask());
  await follower.settle(world.task(before));
  expect(world.task(before).parts.find(({ vault }) => vault === OURS)).toMatchObject({
    state: 'refused',
    refusal: { code: 'BudgetExhausted' },
  });
  const later = world.submit(aTask());
  await follower.settle({ ...world.task(later), replenished: 1 });
  expect(world.task(later).parts.find(({ vault }) => vault === OURS)!.state).toBe('reserved');
  expect(record.replenished).toBeUndefined();
});

test('B2, C5: by its manifest it follows every second replenishment alone', async () => {
  const { world } = masters;
  const manifest = { ...context.manifest, limits: [{ usage: 'marketing' as const, replenishEvery: 2 }] };
  follower = new Follower({ ...context, manifest, masters, log: silent });
  const ask = { submitter: 'x', domain: 'retail.purchase', usage: 'marketing', limit: 500_000n } as const;
  await store.reserve({ ...ask, task: 'other', nonce: 'other', ask: 400_000n });
  await store.commit('other', 400_000n, 1n);
  const answers: string[] = [];
  for (const replenished of [1, 2, 3]) {
    const uid = world.submit(aTask());
    await follower.settle({ ...world.task(uid), replenished });
    answers.push(world.task(uid).parts.find(({ vault }) => vault === OURS)!.state);
  }
  expect(answers).toEqual(['refused', 'reserved', 'reserved']);
});
