/**
 * B5 in the store itself: random steps of reserve, commit, release, replenish, revoke, grant, erase, upload, restart, and restore from an
 * old backup, each compared with the pure ledger. Seeded. `crash.test.ts` kills the process instead of stopping it.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  commitReservation,
  dropSubjects,
  emptyLedger,
  releaseReservation,
  replenish as replenished,
  reserve,
  type Ledger,
  type LedgerStep,
} from '@scs/protocol/rules/ledger.ts';
import { dice } from '@scs/protocol/testing/budget-walk.ts';
import { aFolder, bought, copiedIn, DOMAIN, fill, openStore } from '../testing/a-store.ts';
import { replenish } from './replenish.ts';
import type { VaultStore } from './vault-store.ts';

const LIMIT = 100n;
const PEOPLE = ['ann', 'bob', 'cem', 'dua'];
const TASKS = 10;
let folder: string;
let remove: () => Promise<void>;
let store: VaultStore;
let place: string;
const open = (): Promise<VaultStore> => openStore(join(folder, place), copiedIn(folder));
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  place = 'first';
  store = await open();
});
afterEach(async () => {
  await store.close();
  await remove();
});

/** By the accounts' numbers, so that who was erased still counts; whoever lost nothing is not there. What the writer has in mind agrees. */
const accounts = async (): Promise<readonly string[]> => {
  const rows = await store.database.read((sql) =>
    sql.rows("SELECT id, reserved, spent FROM ledger WHERE usage = 'marketing' AND reserved + spent > 0 ORDER BY id"),
  );
  const sums = rows.map((r) => [Number(r['id']), (r['reserved'] as bigint) + (r['spent'] as bigint)] as const);
  expect([...(await store.charges('marketing'))]).toEqual(sums);
  return rows.map((r) => `${String(r['id'])}: ${String(r['reserved'])}+${String(r['spent'])}`);
};

test.each([7, 8])('B5, B2, C2, C4, B8: the store stays with the ledger, whatever comes (seed %i)', { timeout: 120_000 }, async (seed) => {
  const roll = dice(seed);
  let model: Ledger = emptyLedger;
  const after = (step: LedgerStep): void => void (model = step.ok ? step.ledger : model);
  const recorded = new Set<string>();
  const consenting = new Set<string>();
  /** Order of the accounts' numbers. */
  const known: string[] = [];
  const asks = new Map<string, { ask: bigint; taken: boolean }>();
  let count = 0;
  let uploads = 0;
  const task = (): string => `t${roll(TASKS)}`;
  const person = (): string => PEOPLE[roll(PEOPLE.length)]!;
  const upload = async (subject: string): Promise<void> => {
    if (recorded.has(subject)) return;
    // Never the same file twice: a file that was imported is not imported again.
    const day = `2017-03-${String(1 + (++uploads % 28)).padStart(2, '0')}`;
    await fill(store, [{ ...bought(subject), day, commodity: `goods ${uploads}` }], []);
    recorded.add(subject);
    if (!known.includes(subject)) known.push(subject);
  };
  const say = async (subject: string, state: 'granted' | 'revoked'): Promise<void> => {
    await store.consent({ subject, usage: 'marketing', state, time: 1_700_000_000_000 });
    if (state === 'granted') consenting.add(subject);
    else consenting.delete(subject);
    if (!known.includes(subject)) known.push(subject);
  };
  const moves: readonly (() => Promise<void>)[] = [
    async () => {
      const [name, ask] = [task(), BigInt(5 + roll(40))];
      const taken = await store.reserve({ task: name, submitter: 'x', nonce: name, domain: DOMAIN, usage: 'marketing', ask, limit: LIMIT });
      if (asks.has(name) || !taken.ok) return;
      asks.set(name, { ask, taken: true });
      model = reserve(
        model,
        name,
        ask,
        known.filter((s) => recorded.has(s) && consenting.has(s)),
        LIMIT,
      );
    },
    async () => {
      const name = task();
      const used = (asks.get(name)?.ask ?? 0n) / BigInt(1 + roll(3));
      await store.commit(name, used, 1n);
      after(commitReservation(model, name, used));
    },
    async () => {
      const name = task();
      await store.release(name);
      after(releaseReservation(model, name));
    },
    async () => {
      count += roll(2);
      const times = count;
      const before = await store.journal();
      if (times > 0) await store.write('replenish', (sql) => replenish(sql, 'marketing', times));
      if ((await store.journal()).sequence > before.sequence) model = replenished(model);
    },
    async () => {
      const name = task();
      await store.refresh(name);
      after(dropSubjects(model, name, new Set(known.filter((s) => !consenting.has(s)))));
    },
    () => upload(person()),
    () => say(person(), 'granted'),
    () => say(person(), 'revoked'),
    async () => {
      const subject = person();
      await store.erase(subject);
      recorded.delete(subject);
      consenting.delete(subject);
    },
    async () => {
      await store.close();
      store = await open();
    },
    async () => {
      await store.close();
      await rm(join(folder, 'backup'), { recursive: true, force: true });
      await cp(join(folder, place), join(folder, 'backup'), { recursive: true });
      store = await open();
    },
  ];
  for (const subject of PEOPLE) {
    await upload(subject);
    await say(subject, 'granted');
  }
  const order = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 4, 5, 6, 6, 7, 8, 9, 10];
  for (let step = 0; step < 90; step++) {
    await moves[order[roll(order.length)]!]!();
    const expected = known.flatMap((s, i) => {
      const account = model.accounts.get(s);
      return account && account.reserved + account.spent > 0n ? [`${i + 1}: ${account.reserved}+${account.spent}`] : [];
    });
    expect(await accounts(), `step ${step}`).toEqual(expected);
  }
  // Records are in no journal (B8), so a restore is compared at the end alone.
  const before = await accounts();
  await store.close();
  await cp(join(folder, place), join(folder, 'gone'), { recursive: true });
  place = 'backup';
  store = await open();
  expect(await accounts()).toEqual(before);
});
