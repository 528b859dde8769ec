/** The ledger in SQL does what the pure one says (B5), and consent in SQL what the pure rule says (C4). */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { usages } from '@scs/protocol';
import { consents, consentStates, type ConsentEntry } from '@scs/protocol/rules/consent.ts';
import {
  commitReservation,
  emptyLedger,
  releaseReservation,
  reserve,
  type Account,
  type Ledger,
  type LedgerStep,
} from '@scs/protocol/rules/ledger.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { addConsents, consentsNow } from './consents.ts';
import { quoted } from './database.ts';
import { journalFault } from './journal.ts';
import type { VaultStore } from './vault-store.ts';

const LIMIT = 100n;
let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  store = await openStore(folder);
});
afterEach(async () => {
  await store.close();
  await remove();
});

/** Tasks of two usages, in one Vault. Operations run at once, in any interleaving that the writer chooses. */
type Operation =
  | { readonly kind: 'reserve'; readonly task: number; readonly ask: bigint }
  | { readonly kind: 'commit'; readonly task: number; readonly part: bigint }
  | { readonly kind: 'release'; readonly task: number };
const task = fc.nat({ max: 5 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('reserve' as const), task, ask: fc.bigInt({ min: 1n, max: 120n }) }),
  fc.record({ kind: fc.constant('commit' as const), task, part: fc.bigInt({ min: 0n, max: 3n }) }),
  fc.record({ kind: fc.constant('release' as const), task }),
);

let round = 0;
const run = async (operations: readonly Operation[]): Promise<void> => {
  const prefix = `round-${++round}`;
  let model: Ledger = emptyLedger;
  const after = (step: LedgerStep): Ledger => (step.ok ? step.ledger : model);
  const base = await accounts();
  for (const op of operations) {
    const name = `${prefix}-${op.task}`;
    if (op.kind === 'reserve') {
      const asked = { task: name, submitter: 'x', nonce: name, domain: DOMAIN, usage: 'marketing' as const, ask: op.ask, limit: LIMIT };
      const reserved = await store.reserve(asked);
      if (reserved.ok) model = reserve(model, name, op.ask, ['ann', 'bob'], LIMIT);
    } else if (op.kind === 'release') {
      await store.release(name);
      model = after(releaseReservation(model, name));
    } else {
      const ask = model.reservations.get(name)?.ask ?? 0n;
      const used = (ask * op.part) / 3n;
      await store.commit(name, used, 1n);
      model = after(commitReservation(model, name, used));
    }
    const now = await accounts();
    for (const subject of ['ann', 'bob']) {
      const expected = model.accounts.get(subject) ?? { reserved: 0n, spent: 0n };
      const before = base.get(subject) ?? { reserved: 0n, spent: 0n };
      const own = now.get(subject) ?? { reserved: 0n, spent: 0n };
      expect({ reserved: own.reserved - before.reserved, spent: own.spent - before.spent }).toEqual(expected);
      expect(own.reserved + own.spent <= LIMIT).toBe(true);
    }
    expect(now.has('cem')).toBe(false);
  }
  // What the writer has in mind is what a new start reads.
  const inMind = await store.charges('marketing');
  await store.close();
  store = await openStore(folder);
  expect(await store.charges('marketing')).toEqual(inMind);
  await store.write('wiped', async (sql) => {
    for (const table of ['folded', 'reservations', 'reservation_subjects']) await sql.run(`DELETE FROM ${table}`);
  });
  await store.tidy();
};
const accounts = (): Promise<ReadonlyMap<string, Account>> =>
  store.database.read(
    async (sql) =>
      new Map(
        (await sql.rows('SELECT subject, reserved, spent FROM ledger JOIN subjects USING (id)')).map((row) => [
          String(row['subject']),
          { reserved: row['reserved'] as bigint, spent: row['spent'] as bigint },
        ]),
      ),
  );

test('B5: the SQL ledger and the model agree after every step, and nobody is overspent', async () => {
  await fill(store, ['ann', 'bob', 'cem'].map(bought), ['ann', 'bob'].map(granted));
  await fc.assert(fc.asyncProperty(fc.array(operation, { maxLength: 12 }), run), { numRuns: 25 });
  expect(await store.database.read(journalFault)).toBeUndefined();
}, 120_000);

test('B5: many reservations at once never exceed the limit, however they interleave', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  const asks = Array.from({ length: 24 }, (_, i) => ({
    task: `t${i}`,
    submitter: 'x',
    nonce: `t${i}`,
    domain: DOMAIN,
    usage: 'marketing' as const,
    ask: 9n,
    limit: LIMIT,
  }));
  const answers = await Promise.all([...asks, ...asks].map((ask) => store.reserve(ask)));
  expect(answers.filter((a) => a.ok)).toHaveLength(22);
  expect((await accounts()).get('ann')).toEqual({ reserved: 99n, spent: 0n });
});

test('C4: consent in SQL is the rule', async () => {
  const entry: fc.Arbitrary<ConsentEntry> = fc.record({
    subject: fc.constantFrom('ann', 'bob'),
    usage: fc.constantFrom('marketing' as const, 'analytics' as const),
    state: fc.constantFrom(...consentStates),
    time: fc.integer({ min: 0, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 10 }), async (history) => {
      const rows = history.map((e) => `(${quoted(e.subject)}, ${quoted(e.usage)}, ${e.state === 'granted'}, ${e.time})`).join(', ');
      const found = await store.database.write(async (sql) => {
        await sql.run('DELETE FROM consents');
        await sql.run(`CREATE OR REPLACE TEMP TABLE entries AS SELECT * FROM (VALUES ${rows}) t(subject, usage, granted, time)`);
        await addConsents(sql, 'entries', store.keys.subjectKey, 3);
        const answers: boolean[] = [];
        for (const subject of ['ann', 'bob']) for (const usage of usages) answers.push(await consentsNow(sql, subject, usage));
        return answers;
      });
      expect(found).toEqual(['ann', 'bob'].flatMap((subject) => usages.map((usage) => consents(history, subject, usage))));
    }),
    { numRuns: 40 },
  );
});

test('B8: an altered journal entry breaks the chain', async () => {
  await fill(store, [bought('ann')], [granted('ann')]);
  expect(await store.database.read(journalFault)).toBeUndefined();
  await store.database.write((sql) => sql.run("UPDATE journal SET entry = 'x'::BLOB WHERE sequence = 2"));
  expect(await store.database.read(journalFault)).toBe(2n);
});
