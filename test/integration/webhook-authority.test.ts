/** T1: the activations' webhook may have a certificate of the enterprise's own authority, named beside the key that signs. */
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpWebhook, webhookUrl, type Batch } from '@scs/vault/activation/webhook.ts';
import { issue, newAuthority } from '../cluster/certificates.ts';

const authority = newAuthority('coupons-ca');
const key = new Uint8Array(32).fill(7);
const batch: Batch = { vault: 'alder/shoppers', task: 't1', message: 'm', subjects: ['ann'] };
let server: https.Server;
let url: URL;
beforeAll(async () => {
  const pair = issue(authority, { user: 'coupons' }, ['localhost']);
  server = https.createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = webhookUrl(`https://localhost:${(server.address() as AddressInfo).port}/`);
});
afterAll(() => void server.close());

test('believed by the authority that the Secret names', async () => {
  await expect(httpWebhook(url, { key, ca: authority.certificate }, Date.now).send(batch)).resolves.toBeUndefined();
});
test.each([
  ['none', undefined],
  ['another', newAuthority('coupons-ca').certificate],
])('with %s named it is not', async (_, ca) => {
  const webhook = httpWebhook(url, { key, ...(ca !== undefined && { ca }) }, Date.now);
  await expect(webhook.send(batch)).rejects.toMatchObject({ code: 'WebhookUnreachable' });
});
