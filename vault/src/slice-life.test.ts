import { afterEach, beforeEach, expect, test } from 'vitest';
import { aTask } from '@scs/protocol/testing/task.ts';
import type { TaskBuilder } from '@scs/protocol/testing/task.ts';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { consentCommitment, snapshotCommitment, type SnapshotInput } from '@scs/protocol';
import { MastersUnavailable } from '@scs/proto';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import { openSlice } from './open-slice.ts';
import { release } from './release.ts';
import { aGroup, manifestOf, OTHERS, OURS, type WorldMasters } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';
import type { ReleaseContext } from './release.ts';
import type { VaultStore } from './store/vault-store.ts';

let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext;
let follower: Follower;
let remove: () => Promise<void>;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  store = await openStore(folder, { vault: OURS });
  await fill(store, ['ann', 'bob', 'cem'].map(bought), ['ann', 'bob'].map(granted));
  ({ masters, context } = aGroup(store));
  follower = new Follower({ ...context, masters, log: silent });
});
afterEach(async () => {
  await store.close();
  await remove();
});

const world = () => masters.world;
/** Admitted and resolved; our Vault and the others have answered: dispatched. */
const dispatched = async (task: TaskBuilder = aTask()): Promise<string> => {
  const uid = world().submit(task);
  await follower.settle(world().task(uid));
  if (world().task(uid).state === 'resolving') world().answer(uid, OTHERS);
  return uid;
};
const enclaveFor = async (uid: string, name = 'first'): Promise<SliceEnclave> => {
  const enclave = await SliceEnclave.start(world().genesisDigest, name);
  world().block(enclave.ready(uid));
  return enclave;
};
const opened = async (uid: string, enclave: SliceEnclave, held?: string) => {
  const slice = await openSlice(uid, enclave.sealKey, context, held);
  if (!slice.ok) throw new Error(slice.refusal.code);
  return enclave.receive(slice.parts, world().task(uid).envelope!);
};
const snapshotInput = async (uid: string, enclave: SliceEnclave): Promise<SnapshotInput> => {
  const { input } = await opened(uid, enclave);
  if (input.kind !== 'snapshot') throw new Error('stored');
  return input;
};
const refusalOf = async (uid: string, sealKey: string, with_ = context) => {
  const slice = await openSlice(uid, sealKey, with_);
  return slice.ok ? undefined : slice.refusal.code;
};
const ledger = () =>
  store.database.read(
    async (sql) =>
      (await sql.rows('SELECT coalesce(sum(reserved), 0)::BIGINT AS reserved, coalesce(sum(spent), 0)::BIGINT AS spent FROM ledger')).map(
        (r) => [r['reserved'], r['spent']],
      )[0],
  );
const part = (uid: string) =>
  world()
    .task(uid)
    .parts.find((p) => p.vault === OURS)!;

test('one slice from question to release: reserved, opened, released, committed (B2, B3, A2)', async () => {
  const uid = await dispatched();
  expect(world().task(uid).state).toBe('dispatched');
  expect(await ledger()).toEqual([250_000n, 0n]);
  const enclave = await enclaveFor(uid);
  const { input, files } = await opened(uid, enclave);
  if (input.kind !== 'snapshot') throw new Error('stored');
  expect(input.snapshot.commitment).toBe(part(uid).snapshotCommitment);
  expect(input.consent.commitment).toBe(part(uid).consentCommitment);
  expect(snapshotCommitment(input.snapshot.nonce, files.subarray(0, input.snapshot.bytes))).toBe(input.snapshot.commitment);
  expect(consentCommitment(input.consent.nonce, input.consent.receipt)).toBe(input.consent.commitment);
  expect(files.length).toBe(input.snapshot.bytes + input.eligibleBytes);
  const computed = await enclave.compute(uid, input, [3n, 4n, 5n]);
  expect(await release(computed, context)).toMatchObject({ ok: true });
  expect(part(uid)).toMatchObject({ state: 'released', release: { microRho: 125_000n } });
  expect(await ledger()).toEqual([0n, 250_000n]);
  expect(await release(computed, context)).toMatchObject({ ok: true });
  expect(await ledger()).toEqual([0n, 250_000n]);
});

test('B6: a restarted slice gets what was stored, and the same noise before that', async () => {
  const uid = await dispatched();
  const first = await enclaveFor(uid, 'first');
  const input = await snapshotInput(uid, first);
  const second = await enclaveFor(uid, 'second');
  expect(await refusalOf(uid, first.sealKey)).toBe('EnclaveReplaced');
  const again = await snapshotInput(uid, second);
  expect(again.noiseSeed).toBe(input.noiseSeed);
  const computed = await second.compute(uid, again, [1n, 2n, 3n]);
  expect((await release(computed, context)).ok).toBe(true);
  const third = await enclaveFor(uid, 'third');
  const { input: stored } = await opened(uid, third);
  expect(stored).toMatchObject({ kind: 'stored', output: computed.output });
  expect(await release(await third.compute(uid, again, [9n, 9n, 9n]), context)).toMatchObject({
    ok: false,
    refusal: { code: 'AlreadyStored' },
  });
});

test('A2: a warm slice, restarted with its snapshot, is sent only what it lacks; after a revocation all of the fresh one', async () => {
  const uid = await dispatched();
  const cold = await opened(uid, await enclaveFor(uid, 'first'));
  if (cold.input.kind !== 'snapshot') throw new Error('stored');
  const { commitment, bytes } = cold.input.snapshot;
  const warm = await enclaveFor(uid, 'second');
  const { input, files } = await opened(uid, warm, commitment);
  expect(input).toMatchObject({ kind: 'snapshot', snapshot: { commitment, bytes, held: true }, noiseSeed: cold.input.noiseSeed });
  expect(files).toEqual(cold.files.subarray(bytes));
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: 10 });
  const fresh = await opened(uid, warm, commitment);
  if (fresh.input.kind !== 'snapshot') throw new Error('stored');
  expect(fresh.input.snapshot.held).toBeUndefined();
  expect(snapshotCommitment(fresh.input.snapshot.nonce, fresh.files.subarray(0, fresh.input.snapshot.bytes))).toBe(
    fresh.input.snapshot.commitment,
  );
});

test('B3: a lost reply, or no master at all, loses nothing and releases nothing twice', async () => {
  const uid = await dispatched();
  const enclave = await enclaveFor(uid);
  const computed = await enclave.compute(uid, await snapshotInput(uid, enclave), [1n, 2n, 3n]);
  masters.before = (call) => {
    if (call === 'submit slice.release') throw new MastersUnavailable(call, undefined);
  };
  await expect(release(computed, context)).rejects.toThrow(MastersUnavailable);
  expect(part(uid).release).toBeUndefined();
  expect(await ledger()).toEqual([250_000n, 0n]);
  await expect(opened(uid, enclave)).rejects.toThrow(MastersUnavailable);
  masters.before = () => undefined;
  masters.after = (command) => {
    if (command.type === 'slice.release') throw new MastersUnavailable('lost', undefined);
  };
  await expect(follower.settle(world().task(uid))).rejects.toThrow(MastersUnavailable);
  expect(part(uid).state).toBe('released');
  await follower.settle(world().task(uid));
  expect(await ledger()).toEqual([0n, 250_000n]);
});

test('T4, B2: a cancel decided before the release gives back, and nothing leaves', async () => {
  const uid = await dispatched();
  const enclave = await enclaveFor(uid);
  const computed = await enclave.compute(uid, await snapshotInput(uid, enclave), [1n, 2n, 3n]);
  world().block({ type: 'task.cancel', uid });
  world().followUp();
  expect(await release(computed, context)).toMatchObject({ ok: false, refusal: { code: 'TooLate' } });
  await follower.settle(world().task(uid));
  expect(await ledger()).toEqual([0n, 0n]);
  expect(await refusalOf(uid, enclave.sealKey)).toBe('TooLate');
});

test('B2, B3: stored, but cancelled before the receipt was decided: given back, and never sent', async () => {
  const uid = await dispatched();
  const enclave = await enclaveFor(uid);
  const computed = await enclave.compute(uid, await snapshotInput(uid, enclave), [1n, 2n, 3n]);
  masters.before = (call) => {
    if (call !== 'submit slice.release') return;
    world().block({ type: 'task.cancel', uid });
    world().followUp();
  };
  expect(await release(computed, context)).toMatchObject({ ok: false, refusal: { code: 'TooLate' } });
  expect(await ledger()).toEqual([0n, 0n]);
  expect(await store.output(uid)).toBeUndefined();
});

test('C2: a revocation between opening and release makes the slice run again, without that subject', async () => {
  const uid = await dispatched();
  const enclave = await enclaveFor(uid);
  const input = await snapshotInput(uid, enclave);
  const computed = await enclave.compute(uid, input, [2n, 0n, 0n]);
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() });
  expect(await release(computed, context)).toMatchObject({ ok: false, refusal: { code: 'ConsentChanged' } });
  expect(await ledger()).toEqual([125_000n, 0n]);
  const fresh = await snapshotInput(uid, enclave);
  expect(fresh.snapshot.commitment).not.toBe(input.snapshot.commitment);
  expect(fresh.noiseSeed).not.toBe(input.noiseSeed);
  expect((await release(await enclave.compute(uid, fresh, [1n, 0n, 0n]), context)).ok).toBe(true);
  expect(await ledger()).toEqual([0n, 125_000n]);
});

test.each`
  rule    | wrong                                 | code
  ${'C5'} | ${'own measurements'}                 | ${'AttestationInvalid'}
  ${'A2'} | ${'a seal key that is not certified'} | ${'EnclaveReplaced'}
  ${'A2'} | ${'no enclave yet'}                   | ${'EnclaveMissing'}
  ${'B2'} | ${'an unknown task'}                  | ${'TaskUnknown'}
`('$rule: $wrong is refused with $code', async ({ wrong, code }: { wrong: string; code: string }) => {
  const uid = await dispatched();
  if (wrong === 'no enclave yet') return expect(await refusalOf(uid, digestOf('x'))).toBe(code);
  const enclave = await enclaveFor(uid);
  if (wrong === 'an unknown task') return expect(await refusalOf('00', enclave.sealKey)).toBe(code);
  if (wrong === 'own measurements')
    return expect(await refusalOf(uid, enclave.sealKey, { ...context, manifest: manifestOf({ measurements: ['ee'.repeat(48)] }) })).toBe(
      code,
    );
  return expect(await refusalOf(uid, digestOf('another key'))).toBe(code);
});

test('C5: what the Vault did not answer, it does not serve', async () => {
  const uid = await dispatched();
  const enclave = await enclaveFor(uid);
  await store.database.write((sql) => sql.run("UPDATE reservations SET first_snapshot = 'another'"));
  expect(await refusalOf(uid, enclave.sealKey)).toBe('EnvelopeMismatch');
});

test.each`
  rule    | manifest                                                                                 | code
  ${'C5'} | ${{ actors: [] }}                                                                        | ${'ActorNotPermitted'}
  ${'C1'} | ${{ domains: [{ name: 'retail.purchase', usages: ['analytics'], classes: ['query'] }] }} | ${'UsageNotOffered'}
  ${'B4'} | ${{ limits: [{ usage: 'marketing', microRho: '124999.9' }] }}                            | ${'BudgetExhausted'}
`(
  '$rule: a manifest narrower than what is registered refuses with $code',
  async ({ manifest, code }: { manifest: object; code: string }) => {
    follower = new Follower({ ...context, manifest: manifestOf(manifest), masters, log: silent });
    const uid = await dispatched();
    expect(part(uid)).toMatchObject({ state: 'refused', refusal: { code } });
    expect(await ledger()).toEqual([0n, 0n]);
  },
);

test('B4: what is left is refused with limit, asked and left apart, and with what to change', async () => {
  const narrow = manifestOf({ limits: [{ usage: 'marketing', microRho: '124999' }] });
  follower = new Follower({ ...context, manifest: narrow, masters, log: silent });
  expect(part(await dispatched()).refusal!.message).toBe(
    "the task asks for 125000 micro-rho of marketing; of this Vault's limit of 124999, 124999 are left: ask for a smaller epsilon, or wait for the next replenishment",
  );
});

test('B4: refusals depend on public state only: the same with no subject, none consenting, or all', async () => {
  const answersOf = async (subjects: readonly string[], consenting: readonly string[]): Promise<unknown> => {
    const { folder, remove: removeFolder } = await aFolder();
    const other = await openStore(folder, { vault: OURS });
    if (subjects.length > 0) await fill(other, subjects.map(bought), consenting.map(granted));
    const group = aGroup(other);
    const following = new Follower({ ...group.context, masters: group.masters, log: silent });
    const answers: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      const uid = group.masters.world.submit(aTask().named(`side-channel-${i}`));
      if (group.masters.world.task(uid).state === 'resolving') await following.settle(group.masters.world.task(uid));
      const { state, parts, rejection } = group.masters.world.task(uid);
      const ours = parts.find((p) => p.vault === OURS);
      answers.push([state, rejection?.code, ours?.state, ours?.refusal]);
    }
    await other.close();
    await removeFolder();
    return answers;
  };
  const nobody = await answersOf([], []);
  expect(await answersOf(['ann', 'bob'], [])).toEqual(nobody);
  expect(await answersOf(['ann', 'bob'], ['ann', 'bob'])).toEqual(nobody);
});

test('the follower answers what it hears, and ends when told', async () => {
  const stop = new AbortController();
  const running = new Follower({ ...context, masters, log: silent, sweepMs: 10 }).run(stop.signal);
  const uid = world().submit(aTask());
  masters.changed();
  await expect.poll(() => part(uid).state).toBe('reserved');
  world().block({ type: 'task.cancel', uid });
  world().followUp();
  masters.changed();
  await expect.poll(async () => (await store.reservation(uid))?.state).toBe('released');
  stop.abort();
  await running;
});

test('restart: an answer and a receipt that were not sent are sent', async () => {
  const uid = world().submit(aTask());
  masters.before = (call) => {
    if (call === 'submit vault.answer') throw new MastersUnavailable(call, undefined);
  };
  await expect(follower.settle(world().task(uid))).rejects.toThrow(MastersUnavailable);
  const before = (await store.reservation(uid))!;
  masters.before = () => undefined;
  await follower.settle(world().task(uid));
  expect(part(uid)).toMatchObject({ state: 'reserved', snapshotCommitment: before.firstSnapshot, consentCommitment: before.firstConsent });
  expect(await ledger()).toEqual([250_000n, 0n]);
});
