/** The trusted counter and who may ask it (rules N2, N7, N8). */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { Counter, grpcClient } from '@scs/proto';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { clientCredentials, counterAuthorities, counterIdentity, masterIdentity, serverCredentials } from '@scs/proto/tls.ts';
import { Attestation, concat, counterAttestationFault, decodeCanonical, fromHex, hex, utf8, verifySignature } from '@scs/protocol';
import { aGenesis, chipOf, MEASUREMENT } from '@scs/protocol/testing/genesis.ts';
import { digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { simulatedTee } from './attest.ts';
import { serveCounter, type CounterServing } from './counter-server.ts';
import { TrustedCounter } from './counter.ts';

const signedBy = (key: string, counter: number, digest: string, signature: string): boolean => {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(counter));
  return verifySignature(key, concat(utf8('SCS::usig::v1'), value, fromHex(digest)), signature);
};
const uiOf = (counter: TrustedCounter, digest: string) => {
  const made = counter.createUi(counter.key(), digest);
  if (!made.ok) throw new Error(made.fault.code);
  return made.ui;
};

describe('the counter', () => {
  test('N2: never repeats a value, never skips one, and gives a digest its own value again', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 60 }), (asked) => {
        const counter = new TrustedCounter();
        const given = new Map<number, number>();
        for (const which of asked) {
          const digest = digestOf(`message ${which}`);
          const ui = uiOf(counter, digest);
          expect(ui.counter).toBe(given.get(which) ?? given.size + 1);
          expect(signedBy(counter.key(), ui.counter, digest, ui.signature)).toBe(true);
          given.set(which, ui.counter);
        }
        expect(counter.last()).toBe(given.size);
      }),
      { seed: 4, numRuns: 20 },
    ));
  test('what is forgotten gets a new value; what is not, keeps it', () => {
    const counter = new TrustedCounter();
    const [a, b] = [digestOf('a'), digestOf('b')];
    uiOf(counter, a);
    uiOf(counter, b);
    counter.forget(counter.key(), 2);
    expect(uiOf(counter, b).counter).toBe(2);
    expect(uiOf(counter, a).counter).toBe(3);
  });
  test('full, it refuses rather than forget unasked', () => {
    const counter = new TrustedCounter(1);
    uiOf(counter, digestOf('a'));
    expect(counter.createUi(counter.key(), digestOf('b'))).toMatchObject({ ok: false, fault: { code: 'CounterFull' } });
    expect(uiOf(counter, digestOf('a')).counter).toBe(1);
  });
  test('N8: a renewed one is another identity that counts from the start, and the old one is gone', () => {
    const counter = new TrustedCounter();
    const old = counter.key();
    uiOf(counter, digestOf('a'));
    counter.renew(old);
    expect(counter.key()).not.toBe(old);
    expect(counter.createUi(old, digestOf('a'))).toMatchObject({ fault: { code: 'OtherIdentity' } });
    const now = counter.key();
    counter.renew(old); // a request that comes twice
    expect(counter.key()).toBe(now);
    expect(uiOf(counter, digestOf('b')).counter).toBe(1);
  });
});

describe('the service', () => {
  const open: CounterServing[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((s) => s.close()));
  });
  const certify = async (index: number, identity: string): Promise<TlsIdentity> => {
    const from = new Date(Date.now() - 60_000);
    const { seed } = masterKey(index);
    return issue(await createAuthority(seed, masterIdentity(index), from, 1), seed, identity, from, 1);
  };
  const start = async () => {
    const from = new Date(Date.now() - 60_000);
    const base = aGenesis();
    const masters = await Promise.all(
      base.masters.map(async (m, i) => ({
        ...m,
        tlsAuthority: (await createAuthority(masterKey(i).seed, masterIdentity(i), from, 1)).certificatePem,
      })),
    );
    const genesis = { ...base, masters };
    const authorities = counterAuthorities(genesis, 1);
    const counter = new TrustedCounter();
    const serving = await serveCounter({
      counter,
      tee: simulatedTee(genesis, chipOf('alder'), MEASUREMENT),
      genesis: digestOf('genesis'),
      master: 1,
      authorities,
      credentials: serverCredentials(await certify(1, counterIdentity(1)), authorities),
      address: '127.0.0.1:0',
    });
    open.push(serving);
    const clientAs = (tls: TlsIdentity) =>
      grpcClient(Counter, `127.0.0.1:${serving.port}`, clientCredentials(tls, authorities, counterIdentity(1)));
    return { counter, genesis, clientAs };
  };
  const codeOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => 'answered',
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    );

  test('N7: its master gets UIs and an attestation that binds the head', async () => {
    const { counter, genesis, clientAs } = await start();
    const client = clientAs(await certify(1, masterIdentity(1)));
    const key = fromHex(counter.key());
    const { counter: value, signature } = await client.createUi({ key, digest: fromHex(digestOf('a')) });
    expect([value, signedBy(counter.key(), 1, digestOf('a'), hex(signature))]).toEqual([1n, true]);
    const described = await client.describe({});
    expect([hex(described.key), described.last]).toEqual([counter.key(), 1n]);
    const block = digestOf('block');
    const reply = await client.attestCounter({ key, height: 7n, block: fromHex(block) });
    const attestation = Attestation.parse(decodeCanonical(reply.attestation));
    const identity = { genesis: digestOf('genesis'), master: 1, key: counter.key(), height: 7n, block };
    expect(counterAttestationFault(attestation, identity, genesis, genesis.policy)).toBeUndefined();
    expect(counterAttestationFault(attestation, { ...identity, height: 8n }, genesis, genesis.policy)).toMatchObject({
      code: 'AttestationInvalid',
    });
    await client.renew({ key });
    expect(await codeOf(client.createUi({ key, digest: fromHex(digestOf('a')) }))).toBe(status.FAILED_PRECONDITION);
    client.close();
  });
  test('N10: nobody else does, not even the counter’s own certificate or another master', async () => {
    const { clientAs } = await start();
    for (const tls of [await certify(0, masterIdentity(0)), await certify(1, counterIdentity(1)), await certify(0, masterIdentity(1))]) {
      const client = clientAs(tls);
      expect(await codeOf(client.describe({}, { timeoutMs: 2_000 }))).not.toBe('answered');
      client.close();
    }
  });
});
