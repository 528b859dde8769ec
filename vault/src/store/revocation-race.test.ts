import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeCanonical } from '@scs/protocol';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { commitmentsOf, type OutputToStore } from './task-steps.ts';
import type { VaultStore } from './vault-store.ts';

/** SCS_RACES=10000 for the long run, which docs/benchmarks.md reports. */
const RACES = Number(process.env['SCS_RACES'] ?? 300);
/** Releases that one revocation races. */
const TASKS = 10;
let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  store = await openStore(folder);
});
afterEach(async () => {
  await store.close();
  await remove();
});
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};
const reserved = async (task: string): Promise<OutputToStore> => {
  const asked = { task, submitter: 'x', nonce: task, domain: DOMAIN, usage: 'marketing' as const, ask: 1n, limit: 1_000_000n };
  const answer = await store.reserve(asked);
  if (!answer.ok) throw new Error(answer.code);
  const { snapshot, consent } = commitmentsOf(answer.reservation, await store.snapshot(answer.reservation.snapshot));
  const [output, evidence] = [Uint8Array.of(1), Uint8Array.of(2)];
  return { task, envelope: 'e', snapshotCommitment: snapshot, consentCommitment: consent, output, evidence };
};
/** What the journal says came first: the tasks whose output was stored before the revocation. */
const storedBefore = async (since: bigint): Promise<ReadonlySet<string>> => {
  const rows = await store.database.read((sql) =>
    sql.rows("SELECT kind, entry FROM journal WHERE sequence > $since::BIGINT AND kind IN ('consent', 'output') ORDER BY sequence", {
      since,
    }),
  );
  const revocation = rows.findIndex(({ kind }) => kind === 'consent');
  const entries = rows.slice(0, revocation).map(({ entry }) => decodeCanonical(Uint8Array.from(entry as Uint8Array)) as { task: string });
  return new Set(entries.map(({ task }) => task));
};
const chargedSubjects = async (tasks: readonly string[]): Promise<ReadonlyMap<string, bigint>> => {
  const rows = await store.database.read((sql) =>
    sql.rows(
      'SELECT task, count(*) AS n FROM reservation_subjects s JOIN reservations r ON r.id = s.reservation WHERE NOT ended GROUP BY task',
    ),
  );
  const charged = new Map(rows.map((row) => [String(row['task']), row['n'] as bigint]));
  return new Map(tasks.map((task) => [task, charged.get(task) ?? 0n]));
};

/** Each of ten releases begins a turn after the one before, the revocation at one of them. */
const race = async (round: number): Promise<{ readonly before: number; readonly after: number }> => {
  const outputs: OutputToStore[] = [];
  for (let i = 0; i < TASKS; i++) outputs.push(await reserved(`task-${round}-${i}`));
  const { sequence: since } = await store.journal();
  const revoked = turns(round % (TASKS + 1)).then(() =>
    store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() }),
  );
  const answers = await Promise.all(outputs.map((output, i) => turns(i).then(() => store.storeOutput(output))));
  await revoked;
  const won = await storedBefore(since);
  const charged = await chargedSubjects(outputs.map(({ task }) => task));
  for (const [i, { task }] of outputs.entries()) {
    expect(answers[i]).toMatchObject(won.has(task) ? { ok: true } : { ok: false, code: 'ConsentChanged' });
    expect([task, charged.get(task)]).toEqual([task, won.has(task) ? 2n : 1n]);
    if (won.has(task)) await store.commit(task, 1n, 1n);
    else await store.release(task);
    await store.end(task);
  }
  await store.tidy();
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'granted', time: Date.now() });
  return { before: TASKS - won.size, after: won.size };
};

test(
  `C2: ${RACES} races of a revocation with a release: who revoked first is not in the output and not charged; who came after is`,
  async () => {
    await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
    const seen = { before: 0, after: 0 };
    for (let round = 0; round < RACES / TASKS; round++) {
      const { before, after } = await race(round);
      seen.before += before;
      seen.after += after;
    }
    expect(seen.before + seen.after).toBe(RACES);
    expect(seen.before).toBeGreaterThan(RACES / 10);
    expect(seen.after).toBeGreaterThan(RACES / 10);
    const [total] = await store.database.read((sql) =>
      sql.rows('SELECT sum(reserved)::BIGINT AS reserved, sum(spent)::BIGINT AS spent FROM ledger'),
    );
    expect(total).toEqual({ reserved: 0n, spent: 2n * BigInt(seen.after) });
  },
  Math.max(120_000, 500 * RACES),
);
