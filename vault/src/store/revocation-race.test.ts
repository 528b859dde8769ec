import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { commitmentsOf, type VaultStore } from './vault-store.ts';

/** SCS_RACES=10000 for the long run, which docs/benchmarks.md reports. */
const RACES = Number(process.env['SCS_RACES'] ?? 300);
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
/** Sequence of the first journal entry of a kind after `since`. */
const sequenceOf = async (kind: string, since: bigint): Promise<bigint | undefined> =>
  store.database.read(async (sql) => {
    const rows = await sql.rows('SELECT min(sequence) AS at FROM journal WHERE kind = $kind AND sequence > $since::BIGINT', {
      kind,
      since,
    });
    return (rows[0]!['at'] as bigint | null) ?? undefined;
  });

test(`C2: ${RACES} revocations race a release: who revoked first is not in the output and not charged; who came after is`, async () => {
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  const seen = { before: 0, after: 0 };
  for (let race = 0; race < RACES; race++) {
    const task = `task-${race}`;
    const asked = { task, submitter: 'x', nonce: task, domain: DOMAIN, usage: 'marketing' as const, ask: 1n, limit: 1_000_000n };
    const reserved = await store.reserve(asked);
    if (!reserved.ok) throw new Error(reserved.code);
    const { snapshot, consent } = commitmentsOf(reserved.reservation, await store.snapshot(reserved.reservation.snapshot));
    const { sequence: since } = await store.journal();
    const output = {
      task,
      envelope: 'e',
      snapshotCommitment: snapshot,
      consentCommitment: consent,
      output: Uint8Array.of(1),
      evidence: Uint8Array.of(2),
    };
    const [stored] = await Promise.all([
      turns(race % 3).then(() => store.storeOutput(output)),
      turns((race + 1) % 3).then(() => store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() })),
    ]);
    const [revokedAt, storedAt] = [await sequenceOf('consent', since), await sequenceOf('output', since)];
    const first = storedAt === undefined || revokedAt! < storedAt;
    seen[first ? 'before' : 'after']++;
    expect(stored).toMatchObject(first ? { ok: false, code: 'ConsentChanged' } : { ok: true });
    const charged = await store.database.read((sql) =>
      sql.rows('SELECT 1 FROM reservation_subjects s JOIN reservations r ON r.id = s.reservation WHERE task = $task', { task }),
    );
    expect(charged).toHaveLength(first ? 1 : 2);
    if (first) await store.release(task);
    else await store.commit(task, 1n, 1n);
    await store.end(task);
    await store.consent({ subject: 'bob', usage: 'marketing', state: 'granted', time: Date.now() });
  }
  expect(seen.before).toBeGreaterThan(RACES / 10);
  expect(seen.after).toBeGreaterThan(RACES / 10);
  const [total] = await store.database.read((sql) =>
    sql.rows('SELECT sum(reserved)::BIGINT AS reserved, sum(spent)::BIGINT AS spent FROM ledger'),
  );
  expect(total).toEqual({ reserved: 0n, spent: 2n * BigInt(seen.after) });
}, Math.max(120_000, 500 * RACES));
