/** B8: the journal outside the volume, and what a restored, copied or journal-less Vault may do. */
import { appendFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { importConsents, importRecords } from '../import/import.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { EntrySeal, JournalError, type JournalCopy } from './copy.ts';
import { FolderCopy } from './folder-copy.ts';
import { S3Bucket } from '../cloud/s3.ts';
import { credentials, Moto, REGION } from '../testing/moto.ts';
import { S3Copy } from './s3-copy.ts';
import { packNumbers, unpackNumbers } from './numbers.ts';

let folder: string;
let remove: () => Promise<void>;
const opened: VaultStore[] = [];
let moto: Moto;
let buckets = 0;
beforeAll(async () => {
  moto = await Moto.start();
}, 300_000);
afterAll(() => moto.stop());
beforeEach(async () => {
  kind = 'folder';
  await moto.bucket(`journal-${++buckets}`);
  ({ folder, remove } = await aFolder());
  await mkdir(join(folder, 'copy'));
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await remove();
});
let kind: 'folder' | 'bucket';
const copyOf = (keys: { readonly journalKey: string }): JournalCopy => {
  const seal = new EntrySeal(keys.journalKey, 'enterprise-a/main');
  if (kind === 'folder') return new FolderCopy(join(folder, 'copy'), seal);
  const place = { bucket: `journal-${buckets}`, prefix: 'a-vault/', region: REGION, endpoint: moto.endpoint };
  return new S3Copy(new S3Bucket(place, credentials), seal);
};
const start = async (name: string, more: Partial<StoreOptions> = {}): Promise<VaultStore> => {
  const store = await openStore(join(folder, name), { journalCopy: copyOf, ...more });
  opened.push(store);
  return store;
};
const stop = async (store: VaultStore): Promise<void> => {
  opened.splice(opened.indexOf(store), 1);
  await store.close();
};
const ask = (task: string, more: object = {}) => ({
  task,
  submitter: 'x',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: 10n,
  limit: 100n,
  ...more,
});
/** Everything that the journal is to bring back. */
const stateOf = (store: VaultStore) =>
  store.database.read(async (sql) => ({
    ledger: await sql.rows('SELECT hash, usage, reserved, spent FROM ledger JOIN accounts USING (id) ORDER BY ALL'),
    consents: await sql.rows('SELECT hash, usage, granted, time FROM consents JOIN accounts USING (id) ORDER BY ALL'),
    reservations: await sql.rows('SELECT id, task, ask, used, state, first_snapshot, first_consent FROM reservations ORDER BY id'),
    charged: await sql.rows('SELECT * FROM reservation_subjects ORDER BY ALL'),
    outputs: await sql.rows('SELECT task, envelope, height FROM outputs ORDER BY task'),
    journal: await sql.rows('SELECT sequence, head FROM journal ORDER BY sequence'),
  }));
const people = ['ann', 'bob', 'cem'];
const copied = (store: VaultStore, to: string): Promise<void> =>
  stop(store).then(() => cp(join(folder, 'a'), join(folder, to), { recursive: true }));
/** Charges, consents and an erasure that a backup made before them lacks. */
const live = async (store: VaultStore): Promise<void> => {
  await store.reserve(ask('t1'));
  await store.storeOutput({
    task: 't1',
    envelope: 'e1',
    snapshotCommitment: (await store.snapshot((await store.reservation('t1'))!.snapshot)).commitment,
    consentCommitment: (await store.reservation('t1'))!.firstConsent,
    output: Uint8Array.of(1),
    evidence: Uint8Array.of(2),
  });
  await store.commit('t1', 7n, 4n);
  await fill(store, [bought('dan')], [granted('dan')]);
  await store.reserve(ask('t2', { ask: 20n }));
  await store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() });
  await store.refresh('t2');
  await store.reserve(ask('t3', { ask: 5n }));
  await store.release('t3');
  await store.erase('cem');
};

describe.each(['folder', 'bucket'] as const)('in a %s', (where) => {
  beforeEach(() => {
    kind = where;
  });

  test('B8: a restored Vault catches up before it serves: ledger, consents, erasures, outputs', async () => {
    let store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    await copied(store, 'backup');
    store = await start('a');
    await live(store);
    const before = await stateOf(store);
    await stop(store);
    const restored = await start('backup');
    expect(await stateOf(restored)).toEqual(before);
    expect(await restored.journal()).toEqual(await copyOf(restored.keys).head());
    // C4: who was erased is gone here too, and the odometer knows what was spent (B4).
    expect(await restored.erase('cem')).toBe(false);
    expect(await restored.reserve(ask('t4', { ask: 80n }))).toMatchObject({ ok: false, code: 'BudgetExhausted', left: 73n });
    // C2: a reservation that was replayed gets a fresh snapshot, of those who still consent, when it is asked for.
    expect(await restored.refresh('t2')).toMatchObject({ attempt: 3n, state: 'reserved' });
  });

  test('B8: an entry in the copy took effect, though the process died before its own commit', async () => {
    let store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    await stop(store);
    store = await start('a', {
      onStep: (step) => {
        if (step === 'reserve:uncommitted') throw new JournalError('JournalUnavailable', 'died here');
      },
    });
    await expect(store.reserve(ask('t1'))).rejects.toThrow('died here');
    await stop(store);
    store = await start('a');
    expect(await store.reservation('t1')).toMatchObject({ state: 'reserved', snapshot: 0n });
    const again = await store.reserve(ask('t1'));
    expect(again).toMatchObject({ ok: true, reservation: { attempt: 2n, ask: 10n } });
    expect(again.ok && again.reservation.firstSnapshot).toMatch(/^[0-9a-f]{64}$/);
    const rows = await store.database.read((sql) => sql.rows('SELECT DISTINCT reserved, spent FROM ledger'));
    expect(rows).toEqual([{ reserved: 10n, spent: 0n }]);
  });

  test('B8: of two copies of a Vault, the one behind catches up before its next step', async () => {
    let store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    await copied(store, 'clone');
    store = await start('a');
    const clone = await start('clone');
    await store.reserve(ask('t1', { ask: 60n }));
    expect(await clone.reserve(ask('t2', { ask: 60n }))).toEqual({ ok: false, code: 'BudgetExhausted', left: 40n });
    expect(await clone.reserve(ask('t3', { ask: 40n }))).toMatchObject({ ok: true });
    expect(await store.reserve(ask('t4', { ask: 1n }))).toEqual({ ok: false, code: 'BudgetExhausted', left: 0n });
  });
});

describe('in a bucket', () => {
  beforeEach(() => {
    kind = 'bucket';
  });
  test('B8: two that write at once: one entry takes effect, the other Vault is refused or catches up, and both agree', async () => {
    let store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    await copied(store, 'clone');
    store = await start('a');
    const clone = await start('clone');
    for (let i = 0; i < 5; i++)
      await Promise.allSettled([store.reserve(ask(`a${i}`, { ask: 1n })), clone.reserve(ask(`c${i}`, { ask: 1n }))]);
    // A step that does nothing catches up.
    for (const either of [store, clone]) await either.release('none');
    const heads = [await store.journal(), await clone.journal(), await copyOf(store.keys).head()];
    expect(heads[1]).toEqual(heads[0]);
    expect(heads[2]).toEqual(heads[0]);
    expect((await store.unfinished()).map(({ task }) => task)).toEqual((await clone.unfinished()).map(({ task }) => task));
  });

  test('B8: an object that is not what was stored is refused; so is a bucket that is away, or emptied', async () => {
    const store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    await store.reserve(ask('t1'));
    const { keys } = store;
    await copied(store, 'behind');
    const bucket = new S3Bucket({ bucket: `journal-${buckets}`, prefix: 'a-vault/', region: REGION, endpoint: moto.endpoint }, credentials);
    const names: string[] = [];
    for await (const { name } of bucket.list('journal/')) names.push(name);
    const bytes = await bucket.get(names.at(-1)!, 10_000);
    for (const word of ['t1', 'ann', 'marketing']) expect(Buffer.from(bytes).includes(word)).toBe(false);
    await bucket.put(names.at(-1)!, bytes.with(100, bytes[100]! ^ 1));
    const read = async (): Promise<void> => {
      for await (const { sequence } of copyOf(keys).read(0n)) expect(sequence).toBeGreaterThan(0n);
    };
    await expect(read()).rejects.toMatchObject({ code: 'JournalDamaged' });
    await bucket.put(names.at(-1)!, bytes.subarray(0, -1));
    await expect(copyOf(keys).head()).rejects.toMatchObject({ code: 'JournalDamaged' });
    for (const name of names) await bucket.remove(name);
    await expect(start('behind')).rejects.toMatchObject({ code: 'JournalLost' });
    const gone = new S3Copy(
      new S3Bucket({ bucket: 'no-such-bucket', prefix: '', region: REGION, endpoint: moto.endpoint }, credentials),
      new EntrySeal(keys.journalKey, 'enterprise-a/main'),
    );
    await expect(gone.head()).rejects.toMatchObject({ code: 'JournalUnavailable' });
  });
});

test('B8: without its copy at hand, a Vault neither opens nor changes anything', async () => {
  let down = false;
  const store = await start('a', {
    journalCopy: (keys): JournalCopy => {
      const real = copyOf(keys);
      const unless = <T>(value: T): T => {
        if (down) throw new JournalError('JournalUnavailable', 'unplugged');
        return value;
      };
      return {
        head: async () => unless(await real.head()),
        append: async (after, entries) => {
          unless(undefined);
          await real.append(after, entries);
        },
        read: (sequence) => real.read(sequence),
      };
    },
  });
  await fill(store, people.map(bought), people.map(granted));
  const before = await stateOf(store);
  down = true;
  await expect(store.reserve(ask('t1'))).rejects.toMatchObject({ code: 'JournalUnavailable' });
  await expect(store.consent({ subject: 'ann', usage: 'marketing', state: 'revoked', time: 1 })).rejects.toBeInstanceOf(JournalError);
  expect(await stateOf(store)).toEqual(before);
  down = false;
  expect(await store.reserve(ask('t1'))).toMatchObject({ ok: true });
  await stop(store);
  await rm(join(folder, 'copy'), { recursive: true });
  await expect(start('a')).rejects.toMatchObject({ code: 'JournalUnavailable' });
});

test('B8: with the journal lost, nothing opens until its operator says so; then budgets count as spent, consents as revoked', async () => {
  let store = await start('a');
  await fill(store, people.map(bought), people.map(granted));
  await stop(store);
  await rm(join(folder, 'copy'), { recursive: true });
  await mkdir(join(folder, 'copy'));
  await expect(start('a')).rejects.toMatchObject({ code: 'JournalLost' });
  store = await start('a', { journalLost: true });
  expect(await store.reserve(ask('t1', { ask: 1n }))).toEqual({ ok: false, code: 'BudgetExhausted', left: 0n });
  const consenting = await store.database.read((sql) =>
    sql.rows('SELECT id FROM consents GROUP BY id, usage HAVING arg_max(granted, 2 * time + (NOT granted)::BIGINT)'),
  );
  expect(consenting).toEqual([]);
  await stop(store);
  store = await start('a', { journalLost: true });
  expect(await store.reserve(ask('t2', { ask: 1n }))).toMatchObject({ ok: false });
  const kinds = await store.database.read((sql) => sql.rows("SELECT count(*) AS n FROM journal WHERE kind = 'lost'"));
  expect(kinds).toEqual([{ n: 1n }]);
});

test('B8: the copy is sealed: no subject, task or usage in it; altered, cut or of another Vault, it is refused', async () => {
  const store = await start('a');
  await fill(store, people.map(bought), people.map(granted));
  await store.reserve(ask('a-task-by-name'));
  const { keys } = store;
  await copied(store, 'behind');
  const [name] = await readdir(join(folder, 'copy'));
  const path = join(folder, 'copy', name!);
  const bytes = await readFile(path);
  for (const word of ['ann', 'a-task-by-name', 'marketing', 'granted', DOMAIN]) expect(bytes.includes(word)).toBe(false);
  const all = async (copy: JournalCopy): Promise<number> => {
    let entries = 0;
    for await (const { sequence } of copy.read(0n)) entries = Number(sequence);
    return entries;
  };
  const whole = await all(copyOf(keys));
  await expect(all(copyOf({ journalKey: 'cd'.repeat(32) }))).rejects.toMatchObject({ code: 'JournalDamaged' });
  await writeFile(path, bytes.with(100, bytes[100]! ^ 1));
  await expect(all(copyOf(keys))).rejects.toMatchObject({ code: 'JournalDamaged' });
  // A record cut short by a crash was never acknowledged.
  await writeFile(path, bytes);
  await appendFile(path, bytes.subarray(0, 60));
  const torn = copyOf(keys);
  expect((await torn.head()).sequence).toBe(BigInt(whole));
  expect(await readFile(path)).toEqual(bytes);
  // Acknowledged entries that are missing are no crash.
  await writeFile(path, bytes.subarray(0, -1));
  await expect(start('behind')).rejects.toMatchObject({ code: 'JournalLost' });
});

test('B8: a file of more subjects than one entry holds is several entries, which a Vault from before it replays', async () => {
  let store = await start('a');
  await copied(store, 'backup');
  store = await start('a');
  const many = (columns: string): string => `SELECT 'person-' || i AS subject, ${columns} FROM range(25000) t(i)`;
  const records = `DATE '2017-03-01' AS "purchase.day", 'coffee' AS "purchase.commodity", '25-34' AS "household.age", '${PRODUCER}' AS producer`;
  const file = async (select: string) => ({ path: await parquetOf(store, select), format: 'parquet' as const });
  await importRecords(store, DOMAIN, await file(many(records)), () => undefined);
  const consents = `unnest(['marketing', 'analytics']) AS usage, 'granted' AS state, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS time`;
  await importConsents(store, await file(many(consents)), Date.now(), () => undefined);
  expect((await store.journal()).sequence).toBe(4n);
  const counted = (of: VaultStore) =>
    of.database.read((sql) =>
      sql.rows(
        'SELECT (SELECT count(*) FROM consents) AS consents, (SELECT sum(hash(a.id, a.hash)) FROM accounts a) AS accounts, (SELECT sum(hash(c.id, usage)) FROM consents c) AS said',
      ),
    );
  const before = await counted(store);
  expect(before).toMatchObject([{ consents: 50_000n }]);
  await stop(store);
  expect(await counted(await start('backup'))).toEqual(before);
});

test('sets of numbers survive packing', () => {
  const many = Uint32Array.from({ length: 100_000 }, (_, i) => i * 3 + (i % 2));
  for (const numbers of [Uint32Array.of(), Uint32Array.of(7), Uint32Array.of(1, 2, 3, 130, 20_000, 4_294_967_295), many])
    expect(unpackNumbers(packNumbers(numbers))).toEqual(numbers);
  // As the version before wrote them.
  expect(unpackNumbers(deflateRawSync('1,1,1,899999997').toString('base64'))).toEqual(Uint32Array.of(1, 2, 3, 900_000_000));
});
