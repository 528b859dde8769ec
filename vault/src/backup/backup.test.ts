/** B8: backups in a folder and in a bucket, and what a Vault that comes from one may do. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { S3Bucket } from '../cloud/s3.ts';
import { EntrySeal } from '../journal/copy.ts';
import { FolderCopy } from '../journal/folder-copy.ts';
import { KeyKeeper } from '../keys/key-file.ts';
import { rotateDataKey } from '../keys/rotate.ts';
import { SecretSource } from '../keys/secret-source.ts';
import type { VaultKeys } from '../store/keys.ts';
import type { StoreOptions } from '../store/store-options.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore, VAULT } from '../testing/a-store.ts';
import { credentials, Moto, REGION } from '../testing/moto.ts';
import { backupId, backups, makeBackup, prune, restore, timeOfBackup } from './backup.ts';
import { BucketPlace, FolderPlace, type BackupPlace } from './place.ts';

const NOON = Date.UTC(2026, 0, 2, 12);
let moto: Moto;
let folder: string;
let remove: () => Promise<void>;
let buckets = 0;
const opened: VaultStore[] = [];
beforeAll(async () => {
  moto = await Moto.start();
}, 300_000);
afterAll(() => moto.stop());
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  for (const name of ['secret', 'copy', 'a/data', 'b/data']) await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, 'secret', 'key'), 'ab'.repeat(32));
  await moto.bucket(`backups-${++buckets}`);
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await remove();
});
const bucket = (): S3Bucket =>
  new S3Bucket({ bucket: `backups-${buckets}`, prefix: 'x/', region: REGION, endpoint: moto.endpoint }, credentials);
const placeOf = (kind: string): BackupPlace =>
  kind === 'folder' ? new FolderPlace(join(folder, 'backups')) : new BucketPlace(bucket(), `backup/${VAULT}/`);
const keeperOf = (vault: string): KeyKeeper =>
  new KeyKeeper(join(folder, vault, 'data'), { preferred: new SecretSource(join(folder, 'secret', 'key'), VAULT), others: [] });
const journalCopy = ({ journalKey }: VaultKeys): FolderCopy => new FolderCopy(join(folder, 'copy'), new EntrySeal(journalKey, VAULT));
const start = async (vault: string, more: Partial<StoreOptions> = {}): Promise<VaultStore> => {
  const { dataKey, file } = await keeperOf(vault).open();
  const store = await openStore(join(folder, vault), { key: dataKey, file, ...more });
  opened.push(store);
  return store;
};
const stop = async (store: VaultStore): Promise<void> => {
  opened.splice(opened.indexOf(store), 1);
  await store.close();
};
const restored = (vault: string, place: BackupPlace, which = 'latest'): Promise<boolean> =>
  restore({ folder: join(folder, vault, 'data'), vault: VAULT }, keeperOf(vault), place, which);
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
const people = ['ann', 'bob', 'cem'];

describe.each(['folder', 'bucket'])('in a %s', (kind) => {
  test('B8: a Vault from a backup serves nothing until it has caught up; then it knows what was spent, revoked and erased', async () => {
    const place = placeOf(kind);
    const store = await start('a', { journalCopy });
    await fill(store, people.map(bought), people.map(granted));
    await store.reserve(ask('t1'));
    expect(await makeBackup(store, keeperOf('a'), place, NOON)).toBe('20260102T120000Z');
    await store.reserve(ask('t2', { ask: 70n }));
    await store.consent({ subject: 'bob', usage: 'marketing', state: 'revoked', time: Date.now() });
    await store.erase('cem');
    const { keys } = store;
    const head = await store.journal();
    await stop(store);
    expect(await restored('b', place)).toBe(true);
    expect(await restored('b', place)).toBe(false);
    // Without the copy it is a Vault that forgot: it stays shut.
    await expect(start('b')).rejects.toMatchObject({ code: 'JournalLost' });
    const again = await start('b', { journalCopy });
    expect(again.keys).toEqual(keys);
    expect(await again.journal()).toEqual(head);
    expect(await again.erase('cem')).toBe(false);
    expect(await again.reserve(ask('t3', { ask: 21n }))).toMatchObject({ ok: false, code: 'BudgetExhausted', left: 20n });
    // C2: what was reserved goes on with a fresh snapshot, of those who still consent.
    expect(await again.refresh('t1')).toMatchObject({ state: 'reserved', attempt: 2n });
    const charged = await again.database.read((sql) =>
      sql.rows("SELECT 1 FROM reservation_subjects s JOIN reservations r ON r.id = s.reservation WHERE task = 't1'"),
    );
    expect(charged).toHaveLength(1);
    await stop(again);
    await expect(start('b')).rejects.toMatchObject({ code: 'JournalUnavailable' });
  });

  test('backups go on while it works and its key is rotated; old ones go, and what was cut short', async () => {
    const place = placeOf(kind);
    const store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    const made = makeBackup(store, keeperOf('a'), place, NOON);
    const work = Array.from({ length: 10 }, (_, i) => store.reserve(ask(`t${i}`, { ask: 1n })));
    await Promise.all([made, ...work]);
    await rotateDataKey(store, keeperOf('a'));
    for (const hours of [1, 2, 3]) await makeBackup(store, keeperOf('a'), place, NOON + hours * 3_600_000);
    await place.put('20260102T123000Z/vault.db', aChunk('half of one'));
    expect(await backups(place)).toHaveLength(4);
    await prune(place, 2);
    expect(await place.list()).toEqual([
      '20260102T140000Z/backup.json',
      '20260102T140000Z/vault.db',
      '20260102T150000Z/backup.json',
      '20260102T150000Z/vault.db',
    ]);
    const { keys } = store;
    await stop(store);
    expect(await restored('b', place, '20260102T140000Z')).toBe(true);
    const lost = await start('b', { journalCopy, journalLost: true });
    expect(lost.keys).toEqual(keys);
    // No journal anywhere: budgets count as spent.
    expect(await lost.reserve(ask('new', { ask: 1n }))).toEqual({ ok: false, code: 'BudgetExhausted', left: 0n });
  });

  test('one that is altered, of another Vault, under another key, or not there is refused, and leaves the folder as it was', async () => {
    const place = placeOf(kind);
    const store = await start('a');
    await fill(store, people.map(bought), people.map(granted));
    await expect(restored('b', place)).rejects.toMatchObject({ code: 'BackupMissing' });
    await makeBackup(store, keeperOf('a'), place, NOON);
    const id = backupId(NOON);
    await expect(restored('b', place, '20200101T000000Z')).rejects.toMatchObject({ code: 'BackupMissing' });
    const elsewhere = restore({ folder: join(folder, 'b/data'), vault: 'enterprise-b/main' }, keeperOf('b'), place, 'latest');
    await expect(elsewhere).rejects.toMatchObject({ code: 'BackupDamaged' });
    const whole = await wholeOf(place.get(`${id}/vault.db`));
    for (const word of ['coffee', 'enterprise', 'retail.purchase']) expect(whole.includes(word)).toBe(false);
    await place.put(`${id}/vault.db`, aChunk(whole.subarray(0, -1)));
    await expect(restored('b', place)).rejects.toMatchObject({ code: 'BackupDamaged' });
    await place.put(`${id}/vault.db`, aChunk(whole));
    await writeFile(join(folder, 'secret', 'key'), 'cd'.repeat(32));
    await expect(restored('b', place)).rejects.toMatchObject({ code: 'KeyRefused' });
    await writeFile(join(folder, 'secret', 'key'), 'ab'.repeat(32));
    expect(await keeperOf('b').exists()).toBe(false);
    expect(await restored('b', place)).toBe(true);
  });
});

test('a place that is away is a condition, no crash; times and ids are each other', async () => {
  const store = await start('a');
  await expect(makeBackup(store, keeperOf('a'), new FolderPlace(join(folder, 'secret', 'key', 'none')), NOON)).rejects.toMatchObject({
    code: 'BackupUnavailable',
  });
  const away = new BucketPlace(new S3Bucket({ bucket: 'none', prefix: '', region: REGION, endpoint: moto.endpoint }, credentials), '');
  await expect(makeBackup(store, keeperOf('a'), away, NOON)).rejects.toMatchObject({ code: 'BackupUnavailable' });
  expect(timeOfBackup(backupId(NOON))).toBe(NOON);
  expect(await store.reserve(ask('goes on'))).toMatchObject({ ok: true });
});

test('objects of many parts arrive whole', async () => {
  const bytes = Buffer.alloc(40 * 1024 ** 2, 'symphony');
  const place = placeOf('bucket');
  await place.put('id/large', inChunks(bytes));
  const hash = createHash('sha256');
  for await (const chunk of place.get('id/large')) hash.update(chunk);
  expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
});

const aChunk = async function* (bytes: string | Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield await Promise.resolve(Buffer.from(bytes));
};
const inChunks = async function* (bytes: Buffer): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 1_000_000) yield await Promise.resolve(bytes.subarray(at, at + 1_000_000));
};
const wholeOf = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
};
