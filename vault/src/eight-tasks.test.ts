/**
 * B5, B2, C2: eight tasks at once against one Vault, some released, some cancelled, while subjects grant and revoke. Whatever order they
 * came in, the journal tells it, and the pure ledger that follows it ends with the same accounts.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeCanonical } from '@scs/protocol';
import {
  commitReservation,
  dropSubjects,
  emptyLedger,
  releaseReservation,
  reserve,
  type Ledger,
  type LedgerStep,
} from '@scs/protocol/rules/ledger.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import { openSlice } from './open-slice.ts';
import { release, type ReleaseContext } from './release.ts';
import { journalAfter, journalFault } from './store/journal.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, genesisFor, OTHERS, OURS, type WorldMasters } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

const ASK = 125_000n;
/** There is room for so many of the eight. */
const ROOM = 6;
const LIMIT = ASK * BigInt(ROOM);
const PEOPLE = ['ann', 'bob', 'cem', 'dua'];
let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext;
let follower: Follower;
let remove: () => Promise<void>;
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { vault: OURS });
  await fill(store, PEOPLE.map(bought), ['ann', 'bob', 'cem'].map(granted));
  ({ masters, context } = aGroup(store, genesisFor(ROOM)));
  follower = new Follower({ ...context, masters, log: silent });
});
afterEach(async () => {
  await store.close();
  await remove();
});

type Fate = 'released' | 'cancelled before it is opened' | 'cancelled before its release';
const FATES: readonly Fate[] = [
  'released',
  'cancelled before it is opened',
  'released',
  'cancelled before its release',
  'released',
  'released',
  'cancelled before its release',
  'released',
];
const say = (subject: string, state: 'granted' | 'revoked'): Promise<void> =>
  store.consent({ subject, usage: 'marketing', state, time: Date.now() });

const settle = (uid: string): Promise<void> => follower.settle(masters.world.task(uid));
const cancel = async (uid: string): Promise<void> => {
  masters.world.block({ type: 'task.cancel', uid });
  masters.world.followUp();
  await settle(uid);
};
/** Opened and computed on what the Vault gives; again, when somebody revoked meanwhile. */
const computed = async (uid: string, enclave: SliceEnclave) => {
  const opened = await openSlice(uid, enclave.sealKey, context);
  if (!opened.ok) throw new Error(opened.refusal.code);
  const { input } = await enclave.receive(opened.parts, masters.world.task(uid).envelope!);
  if (input.kind !== 'snapshot') throw new Error('stored before it was released');
  return enclave.compute(uid, input, [1n, 0n, 0n]);
};
const released = async (uid: string, enclave: SliceEnclave): Promise<void> => {
  for (;;) {
    const asked = await computed(uid, enclave);
    const answer = await release(asked, context);
    if (answer.ok) return;
    expect(answer.refusal.code).toBe('ConsentChanged');
  }
};
const lived = async (fate: Fate, index: number): Promise<boolean> => {
  const { world } = masters;
  const uid = world.submit(aTask().named(`task-${index}`));
  await Promise.all([settle(uid), settle(uid)]);
  if (world.task(uid).state === 'resolving') world.answer(uid, OTHERS);
  const isOurs = world.task(uid).parts.some(({ vault, state }) => vault === OURS && state === 'reserved');
  if (!isOurs) return false;
  if (fate === 'cancelled before it is opened') return cancel(uid).then(() => true);
  const enclave = await SliceEnclave.start(world.genesisDigest, `enclave ${index}`);
  world.block(enclave.ready(uid));
  if (fate === 'released') await released(uid, enclave);
  else {
    await computed(uid, enclave);
    await cancel(uid);
  }
  await settle(uid);
  return true;
};

interface Entry {
  readonly kind: string;
  readonly task: string;
  readonly ask: bigint;
  readonly used: bigint;
  readonly account: bigint;
  readonly granted: boolean;
}
/** The pure ledger, led by the journal; who is eligible is the model's own count. */
const modelled = async (): Promise<Ledger> => {
  const names = new Map(
    (await store.database.read((sql) => sql.rows('SELECT id, subject FROM subjects'))).map((row) => [row['id'], String(row['subject'])]),
  );
  const consenting = new Set(['ann', 'bob', 'cem']);
  let ledger = emptyLedger;
  const after = (step: LedgerStep): void => {
    if (!step.ok) throw new Error(step.fault.code);
    ({ ledger } = step);
  };
  for (const { entry } of await store.database.read((sql) => journalAfter(sql, 0n))) {
    const e = decodeCanonical(entry) as Entry;
    if (e.kind === 'consent') consenting[e.granted ? 'add' : 'delete'](names.get(e.account)!);
    if (e.kind === 'reserve') ledger = reserve(ledger, e.task, e.ask, [...consenting], LIMIT);
    if (e.kind === 'refresh') after(dropSubjects(ledger, e.task, new Set(PEOPLE.filter((p) => !consenting.has(p)))));
    if (e.kind === 'commit') after(commitReservation(ledger, e.task, e.used));
    if (e.kind === 'release') after(releaseReservation(ledger, e.task));
    for (const { reserved, spent } of ledger.accounts.values()) expect(reserved + spent <= LIMIT).toBe(true);
  }
  return ledger;
};

test('B5, B2, C2: eight at once end with the accounts of the model, and nobody is overspent', async () => {
  const voices = [
    () => say('bob', 'revoked'),
    () => say('dua', 'granted'),
    () => say('cem', 'revoked'),
    () => say('bob', 'granted'),
    () => say('dua', 'revoked'),
  ];
  const speaking = voices.reduce((before, voice) => before.then(voice), Promise.resolve());
  const [taken] = await Promise.all([Promise.all(FATES.map(lived)), speaking]);
  expect(taken.filter(Boolean).length).toBeGreaterThanOrEqual(ROOM);

  const ledger = await modelled();
  const rows = await store.database.read((sql) =>
    sql.rows('SELECT subject, reserved, spent FROM ledger JOIN subjects USING (id) ORDER BY 1'),
  );
  const kept = rows.filter((row) => row['reserved'] !== 0n || row['spent'] !== 0n);
  const expected = [...ledger.accounts].filter(([, { reserved, spent }]) => reserved + spent > 0n).toSorted(([a], [b]) => (a < b ? -1 : 1));
  expect(kept).toEqual(expected.map(([subject, account]) => ({ subject, ...account })));
  expect(ledger.accounts.get('ann')).toEqual({ reserved: 0n, spent: ASK * releasedOf(ledger) });
  expect(await store.database.read(journalFault)).toBeUndefined();
});
const releasedOf = ({ reservations }: Ledger): bigint =>
  BigInt([...reservations.values()].filter(({ state }) => state === 'committed').length);
