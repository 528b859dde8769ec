/** Keys of the Vault's file: sources alike, rotation while it serves, and a copy of the volume that opens nothing. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import { credentials, Moto, REGION } from '../testing/moto.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { KeyKeeper, newDataKey, type KeyRing } from './key-file.ts';
import type { KeySource } from './key-source.ts';
import { KmsSource } from './kms-source.ts';
import { rotateDataKey } from './rotate.ts';
import { SecretSource } from './secret-source.ts';

const VAULT = 'enterprise-a/main';
let moto: Moto;
let folder: string;
let remove: () => Promise<void>;
const opened: VaultStore[] = [];
beforeAll(async () => {
  moto = await Moto.start();
}, 300_000);
afterAll(() => moto.stop());
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  await mkdir(join(folder, 'secret'));
  await mkdir(join(folder, 'data'));
  await put('key', 'ab'.repeat(32));
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await remove();
});
const put = (name: string, key: string): Promise<void> => writeFile(join(folder, 'secret', name), `${key}\n`);
const secret = (vault = VAULT): SecretSource => new SecretSource(join(folder, 'secret', 'key'), vault);
const kms = (keyId: string, vault = VAULT): KmsSource =>
  new KmsSource({ keyId, region: REGION, endpoint: moto.endpoint, vault, credentials });
const ring = (preferred: KeySource, ...others: KeySource[]): KeyRing => ({ preferred, others, legacy: () => secret().key() });
const keeperOf = (of: KeyRing): KeyKeeper => new KeyKeeper(join(folder, 'data'), of);
const start = async (keeper: KeyKeeper): Promise<VaultStore> => {
  const { dataKey, file } = await keeper.open();
  const store = await openStore(folder, { key: dataKey, file });
  opened.push(store);
  return store;
};
const stop = async (store: VaultStore): Promise<void> => {
  opened.splice(opened.indexOf(store), 1);
  await store.close();
};

test.each(['secret', 'kms'] as const)('a %s unwraps what it wrapped, for that Vault only, and says when another key did', async (kind) => {
  const [first, second] = kind === 'kms' ? [await moto.key(), await moto.key()] : ['', ''];
  const at = (id: string, vault?: string): KeySource => (kind === 'kms' ? kms(id, vault) : secret(vault));
  const dataKey = Uint8Array.from(Buffer.from(newDataKey(), 'hex'));
  const wrapped = await at(first).wrap(dataKey);
  expect(Buffer.from(wrapped).includes(Buffer.from(dataKey))).toBe(false);
  expect(await at(first).unwrap(wrapped)).toEqual({ dataKey, current: true });
  await expect(at(first, 'enterprise-b/main').unwrap(wrapped)).rejects.toMatchObject({ code: 'KeyRefused' });
  await expect(at(first).unwrap(wrapped.with(30, wrapped[30]! ^ 1))).rejects.toMatchObject({ code: 'KeyRefused' });
  if (kind === 'secret') {
    await put('key', 'cd'.repeat(32));
    await expect(at(second).unwrap(wrapped)).rejects.toMatchObject({ code: 'KeyRefused' });
    await put('previous', 'ab'.repeat(32));
  }
  expect(await at(second).unwrap(wrapped)).toEqual({ dataKey, current: false });
});

test('a KMS that is away passes; a key that is not there waits for a person', async () => {
  const away = new KmsSource({ keyId: 'k', region: REGION, endpoint: 'http://127.0.0.1:1', vault: VAULT, credentials });
  await expect(away.wrap(new Uint8Array(32))).rejects.toMatchObject({ code: 'KeyUnavailable' });
  await expect(kms('none').wrap(new Uint8Array(32))).rejects.toMatchObject({ code: 'KeyRefused' });
});

test('a copy of the volume shows no key; the Secret may change while the Vault serves, and the one before may go', async () => {
  const keeper = keeperOf(ring(secret()));
  const { dataKey } = await keeper.open();
  const bytes = await readFile(join(folder, 'data', 'keys.json'));
  expect(bytes.includes(dataKey)).toBe(false);
  expect(await keeper.renew()).toBe(false);
  await put('previous', 'ab'.repeat(32));
  await put('key', 'cd'.repeat(32));
  expect(await keeper.renew()).toBe(true);
  await put('previous', '');
  expect(await keeperOf(ring(secret())).open()).toMatchObject({ dataKey });
});

test('from the Secret to a KMS: the next start wraps by the KMS, and the Secret is needed no more', async () => {
  const { dataKey } = await keeperOf(ring(secret())).open();
  const byKms = kms(await moto.key());
  const keeper = keeperOf(ring(byKms, secret()));
  expect(await keeper.open()).toMatchObject({ dataKey });
  expect(await keeper.renew()).toBe(true);
  await put('key', 'ef'.repeat(32));
  expect(await keeperOf(ring(byKms)).open()).toMatchObject({ dataKey });
  await expect(keeperOf(ring(secret())).open()).rejects.toMatchObject({ code: 'KeyRefused' });
});

test('a file of before there was a key file opens with the Secret’s key, which is wrapped then', async () => {
  const old = await openStore(folder);
  await fill(old, [bought('ann')], [granted('ann')]);
  await old.close();
  const store = await start(keeperOf(ring(secret())));
  expect(await store.erase('ann')).toBe(true);
});

const ask = (task: string) => ({
  task,
  submitter: 'x',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: 1n,
  limit: 100n,
});
test('the data key is rotated while reservations go on; the file and key of before are of no use', async () => {
  const keeper = keeperOf(ring(secret()));
  const store = await start(keeper);
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  await store.reserve(ask('before'));
  const before = await keeper.open();
  const during = Array.from({ length: 20 }, (_, i) => store.reserve(ask(`during-${i}`)));
  const reading = Array.from({ length: 20 }, () => store.unfinished());
  await rotateDataKey(store, keeper);
  for (const reserved of await Promise.all(during)) expect(reserved).toMatchObject({ ok: true });
  await Promise.all(reading);
  expect(await store.reserve(ask('after'))).toMatchObject({ ok: true });
  const after = await keeper.open();
  expect(after.dataKey).not.toBe(before.dataKey);
  expect(after.file).toBe('store/vault-2.db');
  expect((await readdir(join(folder, 'data'))).filter((name) => name.startsWith('vault'))).toEqual([]);
  const { keys } = store;
  await stop(store);
  await expect(openStore(folder, { key: before.dataKey, file: after.file })).rejects.toMatchObject({ code: 'StoreLocked' });
  const again = await start(keeper);
  expect(again.keys).toEqual(keys);
  expect(await again.unfinished()).toHaveLength(22);
  await rotateDataKey(again, keeper);
  expect(await keeper.open()).toMatchObject({ file: 'store/vault-3.db' });
  expect(await again.unfinished()).toHaveLength(22);
});

test('a rotation that dies before or after the key file changed leaves one whole Vault', async () => {
  const keeper = keeperOf(ring(secret()));
  let store = await start(keeper);
  await fill(store, [bought('ann')], [granted('ann')]);
  const { file } = await keeper.open();
  const unwritable = new KeyKeeper(join(folder, 'data'), {
    ...ring(secret()),
    preferred: { name: 'secret', wrap: () => Promise.reject(new Error('the source went away')), unwrap: (bytes) => secret().unwrap(bytes) },
  });
  await expect(rotateDataKey(store, unwritable)).rejects.toThrow('went away');
  expect(await keeper.open()).toMatchObject({ file });
  expect(await store.reserve(ask('goes on'))).toMatchObject({ ok: true });
  await stop(store);
  await writeFile(join(folder, 'data', 'store', 'vault-2.db'), 'half of a copy');
  store = await start(keeper);
  expect(await store.reservation('goes on')).toMatchObject({ state: 'reserved' });
  expect(await readdir(join(folder, 'data', 'store'))).toEqual([]);
});
