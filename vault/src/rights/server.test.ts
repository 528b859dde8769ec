/** C4 over HTTPS: what a subject may do, as whom, and what nobody may. */
import { once } from 'node:events';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import type { Logger } from '../logger.ts';
import { replenish } from '../store/replenish.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { ROASTERY } from '../testing/a-group.ts';
import {
  Issuer,
  ISSUER,
  openRights,
  rightsManifest,
  send,
  signed,
  writeCertificate,
  type Answered,
  type Sent,
} from '../testing/a-rights.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '../testing/a-store.ts';
import type { RightsServer } from './server.ts';

const began = Date.UTC(2026, 5, 1);
let now = began;
let store: VaultStore;
let server: RightsServer;
let issuer: Issuer;
let folder: string;
let remove: () => Promise<void>;
let logged: string[];
let refusals: string[];
const note = (fields: object, message: string): void => void logged.push(JSON.stringify([fields, message]));
const log: Logger = { info: note, warn: note, error: note };

beforeEach(async () => {
  now = began;
  [logged, refusals] = [[], []];
  ({ folder, remove } = await aFolder());
  store = await openStore(folder, { now: () => now });
  await fill(store, ['ann', 'ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  issuer = await Issuer.make();
  server = await openRights(folder, store, rightsManifest(issuer.jwks), { now: () => now, log, onRefusal: (code) => refusals.push(code) });
  now += 60_000;
});
afterEach(async () => {
  await server.close();
  await store.close();
  await remove();
});

const claimsNow = () => ({ iat: Math.floor(now / 1000), exp: Math.floor(now / 1000) + 600 });
const token = (claims: object) => issuer.token({ ...claimsNow(), ...claims });
const as = async (subject: string, sent: Sent): Promise<Answered> =>
  send(server.port, { ...sent, headers: { authorization: `Bearer ${await token({ sub: subject })}`, ...sent.headers } });
let nonces = 0;
const byKey = (name: string, sent: Sent, nonce = `nonce-of-a-request-${++nonces}`): Promise<Answered> => {
  const { seed } = actorKey(name);
  return send(server.port, { ...sent, headers: signed(sent, { seed, vaultKey: store.keys.publicKey, nonce, now }) });
};
const put = (usage: string, state: string): Sent => ({ method: 'PUT', path: `/v1/consents/${usage}`, body: JSON.stringify({ state }) });
const reserve = (task: string) =>
  store.reserve({ task, submitter: ROASTERY, nonce: task, domain: DOMAIN, usage: 'marketing', ask: 10n, limit: 100n });

test('C4: what is held, who used it for what and when, and what is left of the budget', async () => {
  await reserve('t1');
  const held = await as('ann', { path: '/v1/held' });
  expect(held).toMatchObject({
    status: 200,
    json: { domains: [{ domain: DOMAIN, total: '2', records: [{ 'purchase.day': '2017-03-01', 'purchase.commodity': 'coffee' }, {}] }] },
  });
  expect(held.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  const at = new Date(now).toISOString();
  expect((await as('ann', { path: '/v1/uses' })).json).toMatchObject({
    uses: [{ task: 't1', usage: 'marketing', submitter: { address: ROASTERY, name: 'roastery' }, microRho: '10', reservedAt: at }],
    budgets: [
      { domain: DOMAIN, usage: 'marketing', limit: '500000', reserved: '10', spent: '0' },
      { usage: 'analytics', reserved: '0' },
    ],
  });
  expect((await as('nobody', { path: '/v1/held' })).json).toMatchObject({ domains: [{ total: '0', records: [] }] });
});

test('C4: granted and revoked per usage; said again, nothing changes', async () => {
  expect((await as('ann', put('training', 'granted'))).json).toMatchObject({
    consents: [
      { state: 'revoked' },
      { usage: 'marketing', state: 'granted' },
      { state: 'revoked' },
      { usage: 'training', state: 'granted' },
    ],
  });
  const { sequence } = await store.journal();
  await as('ann', put('training', 'granted'));
  expect((await store.journal()).sequence).toBe(sequence);
  await as('ann', put('marketing', 'revoked'));
  await reserve('t1');
  expect((await as('ann', { path: '/v1/uses' })).json).toMatchObject({ uses: [] });
  expect((await as('bob', { path: '/v1/uses' })).json).toMatchObject({ uses: [{ task: 't1' }] });
});

test('C4: exported as JSON and CSV, and noted for the subject', async () => {
  const json = await as('ann', { path: '/v1/export' });
  expect(json.headers['content-disposition']).toContain('export.json');
  expect(json.json).toMatchObject({ subject: 'ann', domains: [{ total: '2' }], consents: { history: [{ usage: 'marketing' }] } });
  const csv = await as('ann', { path: `/v1/export?format=csv&domain=${DOMAIN}` });
  expect(csv.headers['content-type']).toContain('text/csv');
  expect(csv.text.split('\r\n').slice(0, 2)).toEqual([
    '"household.age","purchase.commodity","purchase.day","producer"',
    `"25-34","coffee","2017-03-01","0x${'77'.repeat(32)}"`,
  ]);
  expect((await as('ann', { path: '/v1/uses' })).json).toMatchObject({
    accesses: [{ what: 'exported', by: 'subject' }, { what: 'exported' }],
  });
  expect((await as('ann', { path: '/v1/export?format=csv&domain=health.visit' })).status).toBe(404);
  expect((await as('ann', { path: '/v1/export?format=csv' })).status).toBe(400);
});

test('C4: erased means gone; the charge outlives it', async () => {
  await reserve('t1');
  expect((await as('ann', { method: 'POST', path: '/v1/erase', body: '{}' })).status).toBe(400);
  expect((await as('ann', { method: 'POST', path: '/v1/erase', body: '{"confirm":"erase"}' })).json).toEqual({ erased: true });
  expect((await as('ann', { path: '/v1/held' })).json).toMatchObject({ domains: [{ total: '0' }] });
  expect((await as('bob', { path: '/v1/held' })).json).toMatchObject({ domains: [{ total: '1' }] });
  await fill(store, [{ ...bought('ann'), day: '2017-03-02' }], []);
  expect((await as('ann', { path: '/v1/uses' })).json).toMatchObject({ budgets: [{ usage: 'marketing', reserved: '10' }, {}] });
});

test('C4: a key, once the subject let it, signs for them; each request once', async () => {
  const { publicKey } = actorKey('phone');
  expect((await byKey('phone', { path: '/v1/held' })).status).toBe(401);
  expect((await as('ann', { method: 'POST', path: '/v1/keys', body: JSON.stringify({ publicKey }) })).json).toMatchObject({
    keys: [{ publicKey }],
  });
  expect((await byKey('phone', { path: '/v1/held' })).json).toMatchObject({ domains: [{ total: '2' }] });
  const revoke = put('marketing', 'revoked');
  expect((await byKey('phone', revoke, 'one-nonce-for-two')).status).toBe(200);
  await as('ann', put('marketing', 'granted'));
  expect((await byKey('phone', revoke, 'one-nonce-for-two')).json).toMatchObject({ code: 'RequestReplayed' });
  expect((await as('ann', { path: '/v1/consents' })).json).toMatchObject({ consents: [{}, { state: 'granted' }, {}, {}] });
  expect((await as('bob', { method: 'POST', path: '/v1/keys', body: JSON.stringify({ publicKey }) })).json).toMatchObject({
    code: 'KeyTaken',
  });
  expect((await as('bob', { method: 'DELETE', path: `/v1/keys/${publicKey}` })).status).toBe(404);
  expect((await byKey('phone', { method: 'DELETE', path: `/v1/keys/${publicKey}` })).json).toEqual({ keys: [] });
  expect((await byKey('phone', { path: '/v1/held' })).status).toBe(401);
});

test('C4: what was answered before a restart is answered to nobody after it', async () => {
  await store.addKey({ subject: 'ann', publicKey: actorKey('phone').publicKey, by: 'operator' });
  await server.close();
  server = await openRights(folder, store, rightsManifest(issuer.jwks), { now: () => now });
  expect((await byKey('phone', { path: '/v1/held' })).json).toMatchObject({ code: 'RequestReplayed' });
  now += 6_000;
  expect((await byKey('phone', { path: '/v1/held' })).status).toBe(200);
});

test('B4: an auditor sees limits, odometers and tasks, and nothing of a subject', async () => {
  await reserve('t1');
  await reserve('t2');
  await store.release('t2');
  const audit = await byKey('auditor', { path: '/v1/audit' });
  expect(audit.json).toMatchObject({
    scopes: [{ domain: DOMAIN, usage: 'marketing', limit: '500000', reserved: '10', spent: '0', left: '499990' }, { usage: 'analytics' }],
    tasks: [
      { task: 't2', state: 'released' },
      { task: 't1', state: 'reserved', submitter: { name: 'roastery' } },
    ],
  });
  expect(audit.text).not.toMatch(/ann|bob|coffee|2017-03-01/);
  await store.commit('t1', 8n, 1n);
  await store.write('replenish', (sql) => replenish(sql, 'marketing', 1));
  expect((await byKey('auditor', { path: '/v1/audit' })).json).toMatchObject({
    scopes: [{ usage: 'marketing', reserved: '0', spent: '0', left: '500000' }, {}],
    tasks: [{}, { task: 't1', state: 'committed', microRho: '8' }],
  });
  expect((await byKey('auditor', { path: '/v1/held' })).status).toBe(403);
  expect((await as('ann', { path: '/v1/audit' })).status).toBe(403);
});

test.each`
  wrong                         | claims
  ${'another issuer'}           | ${{ iss: 'https://evil.example' }}
  ${'another audience'}         | ${{ aud: 'other' }}
  ${'an expired token'}         | ${{ exp: Math.floor(began / 1000) }}
  ${'a token of last week'}     | ${{ iat: Math.floor(began / 1000) - 7 * 86_400 }}
  ${'a token for later'}        | ${{ nbf: Math.floor(began / 1000) + 3_600 }}
  ${'a token without end'}      | ${{ exp: undefined }}
  ${'no subject'}               | ${{ sub: undefined }}
  ${'a subject that is a list'} | ${{ sub: ['ann', 'bob'] }}
  ${'an empty subject'}         | ${{ sub: '' }}
  ${'a subject too long'}       | ${{ sub: 'a'.repeat(257) }}
`('C4: $wrong is nobody', async ({ claims }: { claims: object }) => {
  const authorization = `Bearer ${await token({ sub: 'ann', ...claims })}`;
  expect((await send(server.port, { path: '/v1/held', headers: { authorization } })).json).toMatchObject({
    status: 401,
    code: 'Unauthenticated',
  });
});

test('C4: tokens of others, unsigned ones, none, and a broken one are all nobody', async () => {
  const foreign = await (await Issuer.make()).token({ sub: 'ann', ...claimsNow() });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${part({ alg: 'none' })}.${part({ iss: ISSUER, aud: 'vault-alder', sub: 'ann', ...claimsNow() })}.`;
  for (const authorization of [`Bearer ${foreign}`, `Bearer ${unsigned}`, 'Bearer x.y.z', 'Basic YW5uOnB3', ''])
    expect((await send(server.port, { path: '/v1/held', headers: { authorization } })).status).toBe(401);
});

test.each`
  what                     | sent                                                                              | code
  ${'an unknown path'}     | ${{ path: '/v1/everything' }}                                                     | ${'NotFound'}
  ${'a path outside'}      | ${{ path: '/../etc/passwd' }}                                                     | ${'NotFound'}
  ${'another method'}      | ${{ method: 'POST', path: '/v1/held' }}                                           | ${'MethodNotAllowed'}
  ${'an unknown usage'}    | ${put('spying', 'granted')}                                                       | ${'RequestInvalid'}
  ${'an unknown state'}    | ${put('training', 'perhaps')}                                                     | ${'RequestInvalid'}
  ${'more than is asked'}  | ${{ ...put('training', 'granted'), body: '{"state":"granted","subject":"bob"}' }} | ${'RequestInvalid'}
  ${'no JSON'}             | ${{ ...put('training', 'granted'), body: '{' }}                                   | ${'RequestInvalid'}
  ${'no JSON by its type'} | ${{ ...put('training', 'granted'), headers: { 'content-type': 'text/plain' } }}   | ${'MediaTypeUnsupported'}
  ${'a body too large'}    | ${{ ...put('training', 'granted'), body: ' '.repeat(5_000) }}                     | ${'BodyTooLarge'}
  ${'a query twice'}       | ${{ path: '/v1/export?format=json&format=csv' }}                                  | ${'RequestInvalid'}
  ${'a query of its own'}  | ${{ path: '/v1/held?subject=bob' }}                                               | ${'RequestInvalid'}
  ${'a key that is none'}  | ${{ method: 'POST', path: '/v1/keys', body: '{"publicKey":"x"}' }}                | ${'RequestInvalid'}
  ${'a target too long'}   | ${{ path: `/${'a'.repeat(3_000)}` }}                                              | ${'RequestInvalid'}
`('$what is refused with $code', async ({ sent, code }: { sent: Sent; code: string }) => {
  expect((await as('ann', sent)).json).toMatchObject({ code, type: 'about:blank' });
  expect(refusals).toEqual([code]);
});

test('a caller who asks too often waits, and keeps no other waiting', async () => {
  const authorization = `Bearer ${await token({ sub: 'ann' })}`;
  const body = JSON.stringify({ state: 'granted' });
  const codes: number[] = [];
  for (let i = 0; i < 21; i++)
    codes.push((await send(server.port, { method: 'PUT', path: '/v1/consents/marketing', body, headers: { authorization } })).status);
  expect(codes).toEqual([...Array<number>(20).fill(200), 429]);
  expect((await as('bob', put('marketing', 'granted'))).status).toBe(200);
  now += 10_000;
  expect((await as('ann', put('marketing', 'granted'))).status).toBe(200);
});

test('without a certificate nobody is served; once it is there, and again when it is renewed, the present one is shown', async () => {
  const tls = join(folder, 'late');
  await mkdir(tls);
  const late = await openRights(folder, store, rightsManifest(issuer.jwks), { now: () => now, log, certificate: tls });
  try {
    await expect(shownBy(late.port)).rejects.toThrow(/handshake|alert|ECONNRESET|disconnected/);
    expect(logged.join('')).toContain('CertificateMissing');
    const shown: string[] = [];
    for (let i = 0; i < 2; i++) {
      await cp(await writeCertificate(join(folder, `made-${i}`)), tls, { recursive: true });
      await late.renew();
      shown.push(await shownBy(late.port));
    }
    expect(new Set(shown).size).toBe(2);
    await writeFile(join(tls, 'tls.crt'), 'half written');
    await late.renew();
    expect(await shownBy(late.port)).toBe(shown[1]);
  } finally {
    await late.close();
  }
});
/** Fingerprint of the certificate that a browser is shown. */
const shownBy = async (port: number): Promise<string> => {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
};

test('no subject, record or token is in the log', async () => {
  await as('ann', { path: '/v1/held' });
  await as('ann', put('training', 'granted'));
  await as('ann', { path: '/v1/nothing' });
  await store.database.write((sql) => sql.run('ALTER TABLE consents RENAME TO away'));
  expect((await as('ann', { method: 'PUT', path: '/v1/consents/training', body: '{"state":"revoked"}' })).status).toBe(503);
  expect(logged).toHaveLength(1);
  expect(logged.join('')).not.toMatch(/ann|coffee|Bearer|eyJ/);
});
