/**
 * B4-B6, B8, C4: retries, a dropped Vault, overlapping questions, rare groups, a restore, erasure and another upload give nothing that the ledger
 * did not charge. What a slice would count is played by the test; noise, evidence, store and rules are the real ones.
 */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromHex, noiseCells, type SliceOutput, type SnapshotInput } from '@scs/protocol';
import { aTask, type TaskBuilder } from '@scs/protocol/testing/task.ts';
import { Follower } from './follow.ts';
import { EntrySeal } from './journal/copy.ts';
import { FolderCopy } from './journal/folder-copy.ts';
import { silent } from './logger.ts';
import { openSlice } from './open-slice.ts';
import { release, type ReleaseContext } from './release.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, OTHERS, OURS, type WorldMasters } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

/** Each task asks epsilon 0.5; there is room for four in a subject's budget, and in the odometer. */
const ASK = 125_000n;
const TASKS = 4;
let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext;
let folder: string;
let remove: () => Promise<void>;
let enclaves = 0;

/** Whichever volume it is, the journal's copy is the same. */
const open = (volume: string): Promise<VaultStore> =>
  openStore(volume, {
    vault: OURS,
    journalCopy: ({ journalKey }) => new FolderCopy(join(folder, 'copy'), new EntrySeal(journalKey, OURS)),
  });

beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  await mkdir(join(folder, 'copy'));
  store = await open(folder);
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  ({ masters, context } = aGroup(store));
});
afterEach(async () => {
  await store.close();
  await remove();
});

const world = () => masters.world;
const settle = async (uid: string): Promise<void> => new Follower({ ...context, masters, log: silent }).settle(world().task(uid));
const dispatched = async (task: TaskBuilder = aTask()): Promise<string> => {
  const uid = world().submit(task);
  if (world().task(uid).state === 'resolving') await settle(uid);
  if (world().task(uid).state === 'resolving') world().answer(uid, OTHERS);
  return uid;
};
const opened = async (uid: string): Promise<{ readonly enclave: SliceEnclave; readonly input: SnapshotInput | SliceOutput }> => {
  const enclave = await SliceEnclave.start(world().genesisDigest, `enclave ${++enclaves}`);
  world().block(enclave.ready(uid));
  const slice = await openSlice(uid, enclave.sealKey, context);
  if (!slice.ok) throw new Error(slice.refusal.code);
  const { input } = await enclave.receive(slice.parts, world().task(uid).envelope!);
  return { enclave, input: input.kind === 'snapshot' ? input : input.output };
};
/** The whole life of a task; `counts` are what its slice finds. */
const answered = async (uid: string, counts: readonly bigint[]): Promise<SliceOutput> => {
  const { enclave, input } = await opened(uid);
  if (!('plan' in input)) return input;
  const asked = await enclave.compute(uid, input, counts);
  expect((await release(asked, context)).ok).toBe(true);
  await settle(uid);
  return asked.output;
};
/** Spent and reserved micro-rho of one account, whoever it was. */
const lostBy = (subject: string): Promise<bigint> =>
  store.database.read(async (sql) => {
    const [row] = await sql.rows(
      'SELECT coalesce(sum(reserved + spent), 0)::BIGINT AS lost FROM ledger JOIN subjects USING (id) WHERE subject = $subject',
      { subject },
    );
    return row!['lost'] as bigint;
  });

test('B6: however often a slice dies and comes again, the Vault gives one noise for one snapshot, and one output', async () => {
  const uid = await dispatched();
  const first = await opened(uid);
  const second = await opened(uid);
  if (!('plan' in first.input) || !('plan' in second.input)) throw new Error('stored');
  expect(second.input.noiseSeed).toBe(first.input.noiseSeed);
  const noised = ({ plan, noiseSeed }: SnapshotInput) => noiseCells(fromHex(noiseSeed), [3n, 3n, 3n], plan.cellsPerSubject, plan.epsilon);
  expect(noised(second.input)).toEqual(noised(first.input));
  const output = await answered(uid, [3n, 3n, 3n]);
  for (let i = 0; i < 3; i++) expect((await opened(uid)).input).toEqual(output);
  expect(await lostBy('ann')).toBe(ASK);
});

test('B6: another snapshot never gets the noise of the one before: their difference tells nothing', async () => {
  const uid = await dispatched();
  const before = await opened(uid);
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() });
  const after = await opened(uid);
  if (!('plan' in before.input) || !('plan' in after.input)) throw new Error('stored');
  expect(after.input.noiseSeed).not.toBe(before.input.noiseSeed);
  const late = await before.enclave.compute(uid, before.input, [2n, 0n, 0n]);
  expect(await release(late, context)).toMatchObject({ ok: false });
  expect([await lostBy('ann'), await lostBy('bob')]).toEqual([ASK, 0n]);
});

test('B5: the same question, overlapping ones and one of a rare group each cost in full, until the budget is gone for all', async () => {
  const questions = [
    aTask().query('coffee'),
    aTask().query('coffee'),
    aTask().asking({ where: [{ attribute: 'product_group', in: ['coffee', 'tea'] }] }),
    aTask().asking({ where: [{ attribute: 'age_group', in: ['under_45'] }] }),
  ];
  for (const [i, question] of questions.entries()) {
    await answered(await dispatched(question), [1n, 0n, 0n]);
    expect([await lostBy('ann'), await lostBy('bob')]).toEqual(Array(2).fill(ASK * BigInt(i + 1)));
  }
  expect(questions).toHaveLength(TASKS);
  const uid = await dispatched(aTask());
  const ours = world()
    .task(uid)
    .parts.find(({ vault }) => vault === OURS);
  expect(ours?.state ?? 'absent').not.toBe('reserved');
  expect([await lostBy('ann'), await lostBy('bob')]).toEqual(Array(2).fill(ASK * BigInt(TASKS)));
});

test('B4: who matches nothing, in a group that nobody is in, pays like everybody, and the answer has every cell', async () => {
  const output = await answered(await dispatched(aTask().query('tea')), [0n, 0n, 0n]);
  expect(output.cells).toHaveLength(3);
  expect([await lostBy('ann'), await lostBy('bob')]).toEqual([ASK, ASK]);
});

test('B2: a Vault that is dropped before its release keeps its output, and is given its budget back; one released pays', async () => {
  const uid = await dispatched();
  const { enclave, input } = await opened(uid);
  if (!('plan' in input)) throw new Error('stored');
  const asked = await enclave.compute(uid, input, [2n, 2n, 2n]);
  world().block({ type: 'task.cancel', uid });
  world().followUp();
  expect(await release(asked, context)).toMatchObject({ ok: false, refusal: { code: 'TooLate' } });
  await settle(uid);
  expect(masters.submitted.some(({ type }) => type === 'slice.release')).toBe(false);
  expect(await store.output(uid)).toBeUndefined();
  expect(await lostBy('ann')).toBe(0n);
});

/** The Vault goes on from a backup that was made `before` what `meanwhile` does. */
const restoredAfter = async (meanwhile: () => Promise<unknown>): Promise<void> => {
  const backup = join(folder, 'data', 'store', 'backup.db');
  await store.database.copyTo(backup, 'ab'.repeat(32));
  await meanwhile();
  await mkdir(join(folder, 'restored', 'data'), { recursive: true });
  await rename(backup, join(folder, 'restored', 'data', 'vault.db'));
  await store.close();
  store = await open(join(folder, 'restored'));
  context = { ...context, store };
};

test('B8, B6: restored from before the release, the Vault gives the output that left, and no other, and its subjects stay charged', async () => {
  const uid = await dispatched();
  let output: SliceOutput | undefined;
  await restoredAfter(async () => {
    output = await answered(uid, [2n, 0n, 0n]);
  });
  expect((await opened(uid)).input).toEqual(output);
  expect([await lostBy('ann'), await lostBy('bob')]).toEqual([ASK, ASK]);
  for (let i = 1; i < TASKS; i++) await answered(await dispatched(), [1n, 0n, 0n]);
  expect(await lostBy('ann')).toBe(BigInt(TASKS) * ASK);
  const beyond = await dispatched();
  expect(await eligible(beyond)).toEqual([]);
  expect(await lostBy('ann')).toBe(BigInt(TASKS) * ASK);
});

test('B8, B6: restored while a slice was open, one output leaves at most: what was computed before does not fit any more', async () => {
  const uid = await dispatched();
  const before = await opened(uid);
  if (!('plan' in before.input)) throw new Error('stored');
  const late = await before.enclave.compute(uid, before.input, [2n, 0n, 0n]);
  await restoredAfter(() => store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() }));
  const after = await opened(uid);
  if (!('plan' in after.input)) throw new Error('stored');
  expect(after.input.noiseSeed).not.toBe(before.input.noiseSeed);
  expect(await release(late, context)).toMatchObject({ ok: false });
  expect((await release(await after.enclave.compute(uid, after.input, [1n, 0n, 0n]), context)).ok).toBe(true);
  expect([await lostBy('ann'), await lostBy('bob')]).toEqual([ASK, 0n]);
});

test('C4: erased and uploaded again, a subject is charged where they left off, and left out when nothing is left', async () => {
  for (let i = 0; i < 2; i++) await answered(await dispatched(), [1n, 0n, 0n]);
  expect(await lostBy('ann')).toBe(2n * ASK);
  await store.erase('ann');
  await fill(store, [{ ...bought('ann'), day: '2017-05-05' }], []);
  expect(await lostBy('ann')).toBe(2n * ASK);
  const without = await dispatched();
  expect(await eligible(without)).toEqual(['bob']);
  await store.consent({ subject: 'ann', usage: 'marketing', state: 'granted', time: Date.now() });
  const withAnn = await dispatched();
  expect(await eligible(withAnn)).toEqual(['ann', 'bob']);
  expect([await lostBy('ann'), await lostBy('bob')]).toEqual([3n * ASK, 4n * ASK]);
});
const eligible = (task: string): Promise<readonly unknown[]> =>
  store.database.read(async (sql) => {
    const rows = await sql.rows(
      'SELECT subject FROM reservation_subjects s JOIN reservations r ON r.id = s.reservation JOIN subjects u ON u.id = s.id WHERE task = $task ORDER BY 1',
      { task },
    );
    return rows.map((row) => row['subject']);
  });
