/** Steps that wait together share a transaction (B5, C2, B8), and none of them notices. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JournalError } from '../journal/copy.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { journalFault } from './journal.ts';
import type { VaultStore } from './vault-store.ts';

let store: VaultStore;
let remove: () => Promise<void>;
const steps: string[] = [];
let dies = false;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  const onStep = (step: string): void => {
    steps.push(step);
    if (dies && step.endsWith(':uncommitted')) throw new JournalError('JournalUnavailable', 'died here');
  };
  dies = false;
  // So that steps enter in the order in which they are called.
  const room = () => Promise.resolve({ free: 1024 ** 4, size: 1024 ** 4 });
  store = await openStore(folder, { onStep, room });
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  steps.length = 0;
});
afterEach(async () => {
  await store.close();
  await remove();
});
const ask = (task: string, amount = 10n) => ({
  task,
  submitter: 'x',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: amount,
  limit: 100n,
});
/** What each subject lost, least first; the writer's mind and the database agree. */
const charges = async (): Promise<readonly bigint[]> => {
  const rows = await store.database.read((sql) =>
    sql.rows('SELECT id, reserved + spent AS charge FROM ledger WHERE reserved + spent > 0 ORDER BY id'),
  );
  const inDatabase = rows.map((row) => [Number(row['id']), BigInt(String(row['charge']))] as const);
  expect([...(await store.charges('marketing'))]).toEqual(inDatabase);
  return inDatabase.map(([, charge]) => charge).toSorted((a, b) => Number(a - b));
};

test('B5: eight reservations at once are one transaction, each with its own entry of the journal', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => store.reserve(ask(`t${i}`))));
  expect(answers.every(({ ok }) => ok)).toBe(true);
  const uncommitted = steps.flatMap((step, i) => (step === 'reserve:uncommitted' ? [i] : []));
  expect(uncommitted).toHaveLength(8);
  // None is durable before all of its transaction are ready.
  expect(steps.indexOf('reserve:after')).toBeGreaterThan(uncommitted[1]!);
  expect(await store.database.read(journalFault)).toBeUndefined();
  expect(await charges()).toEqual([80n, 80n]);
});

test('B2: a step that fails is undone alone', async () => {
  await store.reserve(ask('t1'));
  const [commit, reserved, again] = await Promise.allSettled([
    store.commit('t1', 11n, 1n),
    store.reserve(ask('t2', 20n)),
    store.commit('t1', 9n, 1n),
  ]);
  expect(commit).toMatchObject({ status: 'rejected', reason: { cause: { message: 'more is to be committed than was reserved' } } });
  expect(reserved).toMatchObject({ status: 'fulfilled', value: { ok: true } });
  expect(again.status).toBe('fulfilled');
  expect(await charges()).toEqual([29n, 29n]);
});

test('B5: a transaction that fails leaves nothing in mind either', async () => {
  await store.reserve(ask('t1'));
  dies = true;
  await expect(Promise.all([store.reserve(ask('t2')), store.commit('t1', 5n, 1n)])).rejects.toThrow('died here');
  dies = false;
  expect(await charges()).toEqual([10n, 10n]);
  expect(await store.reserve(ask('t3', 91n))).toEqual({ ok: false, code: 'BudgetExhausted', left: 90n });
});

test('C2: what is asked for after a revocation comes after it, though both wait', async () => {
  await store.reserve(ask('t1'));
  const [, answer] = await Promise.all([
    store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() }),
    store.reserve(ask('t2')),
  ]);
  expect(answer.ok).toBe(true);
  expect(await charges()).toEqual([10n, 20n]);
});

test('N5, C5: reservations that wait together know of each other', async () => {
  const quotas = [{ openTasks: 2 }];
  const answers = await Promise.all(['t1', 't2', 't3'].map((task) => store.reserve({ ...ask(task), quotas })));
  expect(answers.map((answer) => (answer.ok ? 'reserved' : answer.code))).toEqual(['reserved', 'reserved', 'QuotaExceeded']);
  const same = await Promise.all(['t4', 't5'].map((task) => store.reserve({ ...ask(task), nonce: 'one' })));
  expect(same.map((answer) => (answer.ok ? 'reserved' : answer.code))).toEqual(['reserved', 'NonceReused']);
});

test('B2: folding what is committed changes no account', async () => {
  for (const task of ['t1', 't2', 't3']) await store.reserve(ask(task));
  await store.commit('t1', 4n, 1n);
  await store.commit('t2', 6n, 1n);
  expect(await charges()).toEqual([20n, 20n]);
  await store.tidy();
  expect(await charges()).toEqual([20n, 20n]);
  await store.commit('t3', 0n, 1n);
  await store.tidy();
  expect(await charges()).toEqual([10n, 10n]);
});
