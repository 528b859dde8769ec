/** N9 by the unmodified SDK: claim, two signatures made apart, delay, a new generation. */
import { Account, Ed25519PrivateKey } from '@aptos-labs/ts-sdk';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { masterKey, testKey } from '@scs/protocol/testing/keys.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { advanceTime, startDevnet, type TestDevnet } from './devnet/testing/devnet.ts';
import { completeCall, newClaim, openCall, readClaim, recoveryStatus, signClaim, transact, writeClaim } from './recover.ts';
import { setUp } from './set-up.ts';

const recovery = [0, 1, 2].map((i) => testKey(`recovery of the test ${i}`));
const genesis = { ...aGenesis(), recoveryKeys: recovery.map((k) => k.publicKey) };
const next = [7, 8, 9].map((i) => masterKey(i).publicKey);
const publisherKey = testKey('publisher').seed;
const publisher = Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(`0x${publisherKey}`) });
const wanted = { masters: next, height: 41n, stateRoot: 'ab'.repeat(32) };

let devnet: TestDevnet;
beforeAll(async () => {
  devnet = await startDevnet();
  await setUp({ chainUrl: `${devnet.url}/v1`, genesis, publisherKey, devnet: true });
});
afterAll(() => devnet.stop());

const status = () => recoveryStatus(devnet.aptos, genesis.chain.contract);

test('N9: two recovery keys appoint the next committee, after the delay and no earlier', async () => {
  expect(await status()).toEqual({ round: 0n, generation: 0n, highest: 0n });
  const claim = readClaim(writeClaim(newClaim(genesis, await status(), wanted)));
  const once = signClaim(genesis, claim, recovery[2]!.seed);
  expect(() => openCall(genesis, once)).toThrow('Two of the three');
  const twice = signClaim(genesis, readClaim(writeClaim(once)), recovery[0]!.seed);
  await transact(devnet.aptos, publisher, openCall(genesis, twice));
  expect((await status()).pending).toMatchObject({ generation: 1n, height: 41n });

  await expect(transact(devnet.aptos, publisher, completeCall(genesis))).rejects.toThrow('E_RECOVERY_NOT_RIPE');
  await advanceTime(devnet.url, 3 * Number(genesis.chain.escrowDelaySeconds));
  await transact(devnet.aptos, publisher, completeCall(genesis));
  expect(await status()).toEqual({ round: 1n, generation: 1n, highest: 41n });
  await expect(transact(devnet.aptos, publisher, openCall(genesis, twice))).rejects.toThrow('E_WRONG_ROUND');
  const lower = { ...wanted, height: 40n };
  expect(() => newClaim(genesis, { round: 1n, generation: 1n, highest: 41n }, lower)).toThrow('may not start below');
});

test('what is no claim of this group, or no key of it, is refused before anything is sent', async () => {
  const claim = newClaim(genesis, { round: 0n, generation: 0n, highest: 0n }, wanted);
  expect(() => signClaim(genesis, claim, testKey('stranger').seed)).toThrow('none of the recovery keys');
  expect(() => signClaim(aGenesis(), claim, recovery[0]!.seed)).toThrow('another genesis');
  expect(() =>
    newClaim(genesis, { round: 0n, generation: 0n, highest: 0n }, { ...wanted, masters: [next[0]!, next[0]!, next[1]!] }),
  ).toThrow('three different');
  expect(() => readClaim('{"claim":{}}')).toThrow('Invalid input');
  const signed = signClaim(genesis, signClaim(genesis, claim, recovery[0]!.seed), recovery[1]!.seed);
  const forged = { ...signed, claim: { ...signed.claim, height: 99n } };
  expect(() => openCall(genesis, forged)).toThrow('Two of the three');
});
