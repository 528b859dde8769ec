import { createServer } from 'node:http';
import { cp, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { selectedNumbers } from '../store/audiences.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, bought, copiedIn, DOMAIN, fill, granted, openStore, VAULT } from '../testing/a-store.ts';
import { activate, audiences } from './activate.ts';
import { activationDoor } from './door.ts';
import { httpWebhook, signatureOf, webhookUrl, WebhookError, type Batch, type Webhook } from './webhook.ts';

const START = 1_767_225_600_000;
const people = ['ann', 'bob', 'cem', 'dua', 'eve', 'fay', 'gil', 'hal', 'ida', 'jon'];
let time = START;
const now = (): number => time;
let folder: string;
let remove: () => Promise<void>;
let store: VaultStore;
const logs: string[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void logs.push(line) });
const open = (place: string): Promise<VaultStore> =>
  openStore(join(folder, place), {
    now,
    ...copiedIn(folder),
  });
beforeEach(async () => {
  time = START;
  logs.length = 0;
  ({ folder, remove } = await aFolder());
  store = await open('a');
  await fill(store, people.map(bought), people.map(granted));
});
afterEach(async () => {
  await store.close();
  await remove();
});

/** A task whose slice selected the subjects at these places. */
const stored = async (task: string, places: readonly number[], bytes = 2): Promise<string> => {
  const reserved = await store.reserve({
    task,
    submitter: '0xabc',
    nonce: task,
    domain: DOMAIN,
    usage: 'marketing',
    ask: 10n,
    limit: 100n,
  });
  if (!reserved.ok) throw new Error(reserved.code);
  const { reservation } = reserved;
  const bitmap = new Uint8Array(bytes);
  for (const place of places) bitmap[place >> 3]! |= 1 << (place & 7);
  const result = await store.storeOutput({
    task,
    envelope: 'e',
    snapshotCommitment: (await store.snapshot(reservation.snapshot)).commitment,
    consentCommitment: reservation.firstConsent,
    output: Uint8Array.of(1),
    evidence: Uint8Array.of(2),
    audience: { bitmap, expiresSeconds: 3600 },
  });
  return result.ok ? 'stored' : result.code;
};
class Recorder implements Webhook {
  readonly batches: Batch[] = [];
  fails = 0;
  send(batch: Batch): Promise<void> {
    if (this.fails-- > 0) return Promise.reject(new WebhookError('WebhookUnreachable', 'away'));
    this.batches.push(batch);
    return Promise.resolve();
  }
  get subjects(): readonly string[] {
    return this.batches.flatMap(({ subjects }) => subjects);
  }
}
const run = (task: string, webhook: Webhook) => activate(task, 'A coupon for coffee', { store, webhook, log, now });

test('T1: those selected, once; nobody else, and nothing before the release is decided', async () => {
  const webhook = new Recorder();
  expect(await stored('t1', [0, 2, 9])).toBe('stored');
  expect(await run('t1', webhook)).toMatchObject({ ok: false, code: 'AudienceUnknown' });
  await store.commit('t1', 10n, 3n);
  expect(await audiences({ store, now })).toEqual([{ task: 't1', submitter: '0xabc', expires: BigInt(START + 3_600_000) }]);
  expect(await run('t1', webhook)).toEqual({ ok: true, activated: 3 });
  expect(await run('t1', webhook)).toEqual({ ok: true, activated: 0 });
  expect(webhook.batches).toHaveLength(1);
  expect(webhook.batches[0]).toMatchObject({ vault: VAULT, task: 't1', message: 'A coupon for coffee' });
  expect(webhook.subjects).toHaveLength(3);
  const log1 = await store.database.read((sql) => sql.rows('SELECT task, "by" FROM access WHERE what = \'activated\''));
  expect(log1).toEqual(Array.from({ length: 3 }, () => ({ task: 't1', by: 'operator' })));
  for (const subject of people) expect(logs.join('')).not.toContain(`"${subject}"`);
});

test('T1, C2: who revoked or was erased meanwhile is left out; who consents again is not forgotten', async () => {
  const webhook = new Recorder();
  await stored('t1', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await store.commit('t1', 10n, 3n);
  const say = (subject: string, state: 'granted' | 'revoked') => store.consent({ subject, usage: 'marketing', state, time: START });
  await say('bob', 'revoked');
  await say('cem', 'revoked');
  await store.erase('dua');
  await run('t1', webhook);
  expect(webhook.subjects.toSorted()).toEqual(people.filter((s) => !['bob', 'cem', 'dua'].includes(s)));
  await say('cem', 'granted');
  await run('t1', webhook);
  expect(webhook.subjects.at(-1)).toBe('cem');
});

test('T1: it expires with its task’s time, and goes with a reservation that is given back', async () => {
  await stored('t1', [1]);
  await store.commit('t1', 10n, 3n);
  await stored('t2', [1]);
  await store.release('t2');
  const rows = () => store.database.read((sql) => sql.rows('SELECT task FROM audience_members'));
  await store.tidy();
  expect(await rows()).toEqual([{ task: 't1' }]);
  time += 3_600_000;
  expect(await run('t1', new Recorder())).toMatchObject({ code: 'AudienceUnknown' });
  await store.tidy();
  expect(await rows()).toEqual([]);
});

test('a webhook that fails loses nobody', async () => {
  const webhook = new Recorder();
  webhook.fails = 1;
  await stored('t1', [4, 5]);
  await store.commit('t1', 10n, 3n);
  await expect(run('t1', webhook)).rejects.toMatchObject({ code: 'WebhookUnreachable' });
  expect(await run('t1', webhook)).toEqual({ ok: true, activated: 2 });
});

test('A3: an audience that is not of the charged subjects is refused, and nothing is stored', async () => {
  expect(await stored('t1', [1], 3)).toBe('AudienceUnfit');
  expect(await stored('t1', [10])).toBe('AudienceUnfit');
  expect(await store.output('t1')).toBeUndefined();
  expect(await stored('t1', [])).toBe('stored');
  expect(
    selectedNumbers(
      Uint32Array.from({ length: 9 }, (_, i) => i + 1),
      Uint8Array.of(3, 1),
    ),
  ).toEqual(Uint32Array.of(1, 2, 9));
  expect(selectedNumbers(new Uint32Array(9), Uint8Array.of(0, 2))).toBeUndefined();
  expect(selectedNumbers(new Uint32Array(16), new Uint8Array(2))).toEqual(new Uint32Array());
});

test('B8: a restored Vault knows the audience, and whom it activated', async () => {
  const webhook = new Recorder();
  await store.close();
  await cp(join(folder, 'a'), join(folder, 'backup'), { recursive: true });
  store = await open('a');
  await stored('t1', [0, 1]);
  await store.commit('t1', 10n, 3n);
  await run('t1', webhook);
  await stored('t2', [3]);
  await store.commit('t2', 10n, 4n);
  await store.close();
  store = await open('backup');
  expect(await run('t1', webhook)).toEqual({ ok: true, activated: 0 });
  expect((await audiences({ store, now })).map(({ task }) => task)).toEqual(['t1', 't2']);
});

test('over HTTP: signed, no redirects, only https beyond this machine', async () => {
  const came: { body: string; headers: NodeJS.Dict<string | string[]> }[] = [];
  let answer = 204;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      came.push({ body, headers: request.headers });
      response.writeHead(answer, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const key = new Uint8Array(32).fill(7);
  const webhook = httpWebhook(webhookUrl(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`), { key }, now);
  const batch: Batch = { vault: VAULT, task: 't1', message: 'm', subjects: ['ann'] };
  await webhook.send(batch);
  await webhook.send(batch);
  const [first, second] = came;
  expect(JSON.parse(first!.body)).toEqual({ version: 1, ...batch });
  expect(first!.headers['scs-signature']).toBe(signatureOf(key, String(START), first!.body));
  expect(second!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
  answer = 500;
  await expect(webhook.send(batch)).rejects.toMatchObject({ code: 'WebhookRefused' });
  answer = 302;
  await expect(webhook.send(batch)).rejects.toMatchObject({ code: 'WebhookRefused' });
  expect(came).toHaveLength(4);
  expect(() => webhookUrl('http://example.org/')).toThrow('must be https');
  expect(() => webhookUrl('https://user:secret@example.org/')).toThrow('no password');
  expect(() => httpWebhook(webhookUrl('https://example.org/'), { key: new Uint8Array(8) }, now)).toThrow('fewer than 32');
});

test('the local door says what is missing', async () => {
  const activation = { url: 'https://127.0.0.1:1/', keySecret: 'coupons' };
  const door = (manifest: object, keyFolder?: string) => activationDoor({ store, manifest, keyFolder, log, now });
  await expect(door({}).activate('t1', 'm')).rejects.toMatchObject({ code: 'ActivationNotConfigured' });
  await expect(door({ activation }, folder).activate('t1', 'm')).rejects.toMatchObject({ code: 'ActivationKeyMissing' });
  await writeFile(join(folder, 'key'), new Uint8Array(32).fill(7));
  expect(await door({ activation }, folder).activate('t1', 'm')).toMatchObject({ code: 'AudienceUnknown' });
  await stored('t1', [1]);
  await store.commit('t1', 10n, 3n);
  expect(await door({ activation }, folder).list()).toEqual(['t1  of 0xabc  until 2026-01-01T01:00:00.000Z']);
  await expect(door({ activation }, folder).activate('t1', 'm')).rejects.toMatchObject({ code: 'WebhookUnreachable' });
});
