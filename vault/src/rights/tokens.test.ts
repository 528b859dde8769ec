/** C4: the issuer's keys, fetched over HTTP and not, and what a token becomes. */
import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AUDIENCE, Issuer, ISSUER } from '../testing/a-rights.ts';
import { IssuerUnavailable, isKeySet, tokenReader } from './tokens.ts';

let issuer: Issuer;
let answer: { readonly status: number; readonly body: string };
let asked: number;
let server: http.Server;
let jwksUrl: string;
beforeEach(async () => {
  issuer = await Issuer.make();
  answer = { status: 200, body: issuer.jwks };
  asked = 0;
  server = http.createServer((_, response) => {
    asked++;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  jwksUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/keys`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});
const oidc = (more: object = {}) => ({ issuer: ISSUER, audience: AUDIENCE, subjectClaim: 'sub', subjectPrefix: '', jwksUrl, ...more });

test('keys are fetched once for many tokens; a token of a key they lack is nobody', async () => {
  const read = tokenReader(oidc(), Date.now);
  expect(await read(await issuer.token({ sub: 'ann' }))).toBe('ann');
  expect(await read(await issuer.token({ sub: 'bob' }))).toBe('bob');
  expect(await read(await (await Issuer.make()).token({ sub: 'ann' }))).toBeUndefined();
  expect(asked).toBe(1);
});

test.each`
  what                        | status | body
  ${'an error'}               | ${500} | ${'{}'}
  ${'no key set'}             | ${200} | ${'{"keys":"none"}'}
  ${'no JSON'}                | ${200} | ${'<html>'}
  ${'more than a key set is'} | ${200} | ${`{"keys":[],"x":"${'x'.repeat(70_000)}"}`}
`('an issuer that answers with $what is away, and nobody is refused for it', async ({ status, body }: { status: number; body: string }) => {
  answer = { status, body };
  await expect(tokenReader(oidc(), Date.now)(await issuer.token({ sub: 'ann' }))).rejects.toThrow(IssuerUnavailable);
});

test('the claim of the manifest, behind its prefix, names the subject', async () => {
  const read = tokenReader(
    oidc({ jwks: issuer.jwks, subjectClaim: 'https://id.example/household', subjectPrefix: 'household-' }),
    Date.now,
  );
  expect(await read(await issuer.token({ 'https://id.example/household': '12', sub: 'ann' }))).toBe('household-12');
  expect(await read(await issuer.token({ sub: 'ann' }))).toBeUndefined();
  expect(asked).toBe(0);
});

test.each([
  ['{"keys":[{"kty":"EC"}]}', true],
  ['{"keys":[]}', false],
  ['[]', false],
  ['', false],
])('%s as a key set: %s', (text, is) => expect(isKeySet(text)).toBe(is));
