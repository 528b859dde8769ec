import { expect, test } from 'vitest';
import { utf8 } from '@scs/protocol';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { signed } from '../testing/a-rights.ts';
import { Nonces } from './nonces.ts';
import { digestOf, signatureBase, signerOf } from './signed-request.ts';

const NOW = Date.UTC(2026, 0, 1);
const VAULT = 'ab'.repeat(32);
const { seed, publicKey } = actorKey('ann');
const NONCE = 'abcdefghijklmnop';
const sent = { method: 'PUT', path: '/v1/consents/marketing?x=1', body: '{"state":"granted"}' };
const received = (more: object = {}, signing: object = {}) => {
  const headers = signed(sent, { seed, vaultKey: VAULT, nonce: NONCE, now: NOW, ...signing });
  return {
    method: sent.method,
    target: sent.path,
    body: utf8(sent.body),
    signatureInput: headers['signature-input'],
    signature: headers.signature,
    contentDigest: headers['content-digest'],
    ...more,
  };
};

test('C4: a signed request names its signer', () => {
  expect(signerOf(received(), VAULT, NOW)).toEqual({ publicKey, nonce: NONCE, created: NOW / 1000, expires: NOW / 1000 + 60 });
});

test.each`
  wrong                       | more                                                                     | signing
  ${'another method'}         | ${{ method: 'GET' }}                                                     | ${{}}
  ${'another path'}           | ${{ target: '/v1/consents/training?x=1' }}                               | ${{}}
  ${'another query'}          | ${{ target: '/v1/consents/marketing?x=2' }}                              | ${{}}
  ${'no query'}               | ${{ target: '/v1/consents/marketing' }}                                  | ${{}}
  ${'another body'}           | ${{ body: utf8('{"state":"revoked"}') }}                                 | ${{}}
  ${'digest of another body'} | ${{ body: utf8('x'), contentDigest: digestOf(utf8('x')) }}               | ${{}}
  ${'another Vault'}          | ${{}}                                                                    | ${{ vaultKey: 'cd'.repeat(32) }}
  ${'expired'}                | ${{}}                                                                    | ${{ now: NOW - 61_000 }}
  ${'from the future'}        | ${{}}                                                                    | ${{ now: NOW + 7_000 }}
  ${'a life too long'}        | ${{}}                                                                    | ${{ lifeSeconds: 301 }}
  ${'a life backwards'}       | ${{}}                                                                    | ${{ now: NOW + 5_000, lifeSeconds: -2 }}
  ${'a short nonce'}          | ${{}}                                                                    | ${{ nonce: 'short' }}
  ${'no signature'}           | ${{ signature: '' }}                                                     | ${{}}
  ${'two signatures'}         | ${{ signatureInput: `${received().signatureInput}, sig2=()` }}           | ${{}}
  ${"another signer's"}       | ${{ signature: received({}, { seed: actorKey('bob').seed }).signature }} | ${{}}
`('C4: $wrong is refused', ({ more, signing }: { more: object; signing: object }) => {
  expect(signerOf(received(more, signing), VAULT, NOW)).toBeUndefined();
});

test('the signature base is that of RFC 9421, 2.5', () => {
  expect(signatureBase({ method: 'GET', target: '/v1/held', contentDigest: 'sha-256=:x:' }, 'P')).toBe(
    '"@method": GET\n"@path": /v1/held\n"@query": ?\n"content-digest": sha-256=:x:\n"@signature-params": P',
  );
});

test('C4: a nonce is taken once, by one key; what an earlier process may have answered is not taken at all', () => {
  const nonces = new Nonces(NOW - 60_000, 3);
  const by = { publicKey, nonce: NONCE, created: NOW / 1000, expires: NOW / 1000 + 60 };
  expect(nonces.take(by, NOW)).toBe('fresh');
  expect(nonces.take(by, NOW)).toBe('replayed');
  expect(nonces.take({ ...by, publicKey: VAULT }, NOW)).toBe('fresh');
  expect(nonces.take({ ...by, created: NOW / 1000 - 55, nonce: `${NONCE}2` }, NOW)).toBe('replayed');
  expect(nonces.take({ ...by, nonce: `${NONCE}3` }, NOW)).toBe('fresh');
  expect(nonces.take({ ...by, nonce: `${NONCE}4` }, NOW)).toBe('full');
  expect(nonces.take({ ...by, nonce: `${NONCE}4`, expires: NOW / 1000 + 130 }, NOW + 61_000)).toBe('fresh');
  expect(nonces.take({ ...by, nonce: `${NONCE}4` }, NOW + 61_000)).toBe('replayed');
});
