import { fileURLToPath } from 'node:url';
import {
  Account,
  AccountAuthenticatorEd25519,
  Ed25519PrivateKey,
  Ed25519Signature,
  MultiEd25519Account,
  MultiEd25519PublicKey,
  MultiKeyAccount,
  SigningSchemeInput,
  generateSignedTransaction,
} from '@aptos-labs/ts-sdk';
import type { AccountAuthenticator, Ed25519Account, InputGenerateTransactionOptions, SimpleTransaction } from '@aptos-labs/ts-sdk';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishPackage } from '../toolchain/publish.ts';
import { Refusal } from './refusal.ts';
import { defaultGas, fundedAccount, startDevnet } from './testing/devnet.ts';
import type { TestDevnet } from './testing/devnet.ts';
import { maxTransactionBytes } from './transaction.ts';

const sample = fileURLToPath(new URL('sample', import.meta.url));

let devnet: TestDevnet;
let address: string;

beforeAll(async () => {
  devnet = await startDevnet();
  const publisher = await fundedAccount(devnet.aptos);
  address = publisher.accountAddress.toString();
  await publishPackage(devnet.aptos, publisher, sample, { sample: address });
});
afterAll(() => devnet.stop());

const mint = (sender: Account, options: InputGenerateTransactionOptions = {}, amount = 1): Promise<SimpleTransaction> =>
  devnet.aptos.transaction.build.simple({
    sender: sender.accountAddress,
    data: { function: `${address}::jar::mint`, functionArguments: [amount] },
    options,
  });
const signedBy = (signer: Account, transaction: SimpleTransaction): Uint8Array =>
  generateSignedTransaction({ transaction, senderAuthenticator: signer.signTransactionWithAuthenticator(transaction) });
const post = async (body: Uint8Array, path = 'transactions'): Promise<{ status: number; answer: Record<string, unknown> }> => {
  const headers = { 'content-type': 'application/x.aptos.signed_transaction+bcs' };
  const response = await fetch(`${devnet.url}/v1/${path}`, { method: 'POST', headers, body: Uint8Array.from(body) });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
};
const invalid = (code: string, vmCode: number) => ({
  status: 400,
  answer: { message: `Invalid transaction: Type: Validation Code: ${code}`, error_code: 'vm_error', vm_error_code: vmCode },
});
const secs = (): number => Number(devnet.chain.clockSecs());
const succeeds = async (hash: unknown): Promise<void> => {
  expect(await devnet.aptos.waitForTransaction({ transactionHash: String(hash) })).toMatchObject({ success: true });
};

describe('signatures are verified', () => {
  test('a signature with one bit turned, and one of another transaction', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const body = signedBy(alice, await mint(alice));
    const turned = Uint8Array.from(body, (byte, i) => (i === body.length - 1 ? byte ^ 1 : byte));
    expect(await post(turned)).toEqual(invalid('INVALID_SIGNATURE', 1));
    const other = alice.signTransactionWithAuthenticator(await mint(alice, {}, 2));
    expect(await post(generateSignedTransaction({ transaction: await mint(alice), senderAuthenticator: other }))).toEqual(
      invalid('INVALID_SIGNATURE', 1),
    );
  });

  test("another's key does not open an account", async () => {
    const [alice, eve] = [await fundedAccount(devnet.aptos), await fundedAccount(devnet.aptos)];
    expect(await post(signedBy(eve, await mint(alice)))).toEqual(invalid('INVALID_AUTH_KEY', 2));
  });

  test('keys of each kind that the SDK makes', async () => {
    const [one, two, three] = [Account.generate(), Account.generate({ scheme: SigningSchemeInput.Secp256k1Ecdsa }), Account.generate()];
    const keys = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()];
    const accounts: Account[] = [
      Account.generate({ scheme: SigningSchemeInput.Ed25519, legacy: false }),
      Account.generate({ scheme: SigningSchemeInput.Secp256k1Ecdsa }),
      MultiKeyAccount.fromPublicKeysAndSigners({
        publicKeys: [one.publicKey, two.publicKey, three.publicKey],
        signaturesRequired: 2,
        signers: [two, three],
      }),
      new MultiEd25519Account({
        publicKey: new MultiEd25519PublicKey({ publicKeys: keys.map((k) => k.publicKey()), threshold: 2 }),
        signers: keys.slice(1),
      }),
    ];
    for (const account of accounts) {
      await devnet.aptos.fundAccount({ accountAddress: account.accountAddress, amount: defaultGas, options: { waitForIndexer: false } });
      const body = signedBy(account, await mint(account));
      const turned = Uint8Array.from(body, (byte, i) => (i === body.length - 6 ? byte ^ 1 : byte));
      expect((await post(turned)).status).toBe(400);
      const { status, answer } = await post(body);
      expect(status).toBe(202);
      await succeeds(answer['hash']);
    }
  });

  test('a fee payer signs and pays; nobody pays for others unasked', async () => {
    const payer = await fundedAccount(devnet.aptos);
    const sender = Account.generate();
    const transaction = await devnet.aptos.transaction.build.simple({
      sender: sender.accountAddress,
      withFeePayer: true,
      data: { function: `${address}::jar::mint`, functionArguments: [5] },
    });
    const senderAuthenticator = devnet.aptos.transaction.sign({ signer: sender, transaction });
    const feePayerAuthenticator = devnet.aptos.transaction.signAsFeePayer({ signer: payer, transaction });
    const eve: AccountAuthenticator = new AccountAuthenticatorEd25519(payer.publicKey, new Ed25519Signature(new Uint8Array(64)));
    const forged = generateSignedTransaction({ transaction, senderAuthenticator, feePayerAuthenticator: eve });
    expect(await post(forged)).toEqual(invalid('INVALID_SIGNATURE', 1));
    const pending = await devnet.aptos.transaction.submit.simple({ transaction, senderAuthenticator, feePayerAuthenticator });
    const done = await devnet.aptos.waitForTransaction({ transactionHash: pending.hash });
    const left = await devnet.aptos.getBalance({ accountAddress: payer.accountAddress, asset: '0x1::aptos_coin::AptosCoin' });
    expect(left).toBe(defaultGas - Number(done.gas_used) * 100);
  });
});

describe('a transaction that has no place is refused', () => {
  let alice: Ed25519Account;
  beforeAll(async () => {
    alice = await fundedAccount(devnet.aptos);
  });
  const refused = async (options: InputGenerateTransactionOptions) => post(signedBy(alice, await mint(alice, options)));

  test('expired, without gas, with too much gas, too cheap', async () => {
    expect(await refused({ expireTimestamp: secs() - 1 })).toEqual(invalid('TRANSACTION_EXPIRED', 6));
    expect(await refused({ maxGasAmount: 2_000_001 })).toEqual(invalid('MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND', 13));
    expect(await refused({ gasUnitPrice: 99 })).toEqual(invalid('GAS_UNIT_PRICE_BELOW_MIN_BOUND', 15));
    const poor = Account.generate();
    expect(await post(signedBy(poor, await mint(poor)))).toEqual(invalid('INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE', 5));
  });

  test('for another chain', async () => {
    const transaction = await mint(alice);
    const body = signedBy(alice, transaction);
    const raw = transaction.rawTransaction.bcsToBytes().length;
    const elsewhere = Uint8Array.from(body, (byte, i) => (i === raw - 1 ? 2 : byte));
    expect(await post(elsewhere)).toEqual(invalid('BAD_CHAIN_ID', 23));
  });

  test('replayed', async () => {
    const body = signedBy(alice, await mint(alice));
    const first = await post(body);
    await succeeds(first.answer['hash']);
    expect(await post(body)).toEqual(invalid('SEQUENCE_NUMBER_TOO_OLD', 3));
  });

  test('a later sequence number waits for those before it; its place is not taken over', async () => {
    const bob = await fundedAccount(devnet.aptos);
    const first = await mint(bob, { accountSequenceNumber: 0 });
    const second = await mint(bob, { accountSequenceNumber: 1 });
    const late = await post(signedBy(bob, second));
    expect(late.status).toBe(202);
    expect(await devnet.aptos.isPendingTransaction({ transactionHash: String(late.answer['hash']) })).toBe(true);
    const rival = await post(signedBy(bob, await mint(bob, { accountSequenceNumber: 1 }, 9)));
    expect(rival).toMatchObject({ status: 400, answer: { error_code: 'invalid_transaction_update' } });
    expect((await post(signedBy(bob, first))).status).toBe(202);
    await succeeds(late.answer['hash']);
  });

  test('larger than 64 KiB', async () => {
    expect(await post(new Uint8Array(maxTransactionBytes + 1))).toEqual(invalid('EXCEEDED_MAX_TRANSACTION_SIZE', 10));
  });

  test('whatever bytes come, the answer is a refusal and the node lives', async () => {
    const body = signedBy(alice, await mint(alice));
    const outcome = (run: (bytes: Uint8Array) => unknown, bytes: Uint8Array): string => {
      try {
        run(bytes);
        return 'taken';
      } catch (error) {
        return error instanceof Refusal ? 'refused' : `threw ${String(error)}`;
      }
    };
    const { submit, simulate } = devnet.chain;
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3), (at, turn, cut) => {
        const bad = Uint8Array.from(body, (byte, i) => (i === at ? byte ^ turn : byte)).subarray(0, body.length - cut);
        expect(outcome(submit, bad)).toBe('refused');
        expect(['taken', 'refused']).toContain(outcome(simulate, bad));
      }),
      { numRuns: 300 },
    );
    expect((await fetch(`${devnet.url}/v1`)).status).toBe(200);
  });
});

test('many senders at once, several transactions each: all land, in order', async () => {
  const senders = await Promise.all(Array.from({ length: 10 }, () => fundedAccount(devnet.aptos)));
  const hashes = await Promise.all(
    senders.flatMap((s) =>
      [4, 2, 0, 1, 3].map(async (n) => {
        const { status, answer } = await post(signedBy(s, await mint(s, { accountSequenceNumber: n }, n + 1)));
        expect(status).toBe(202);
        return answer['hash'];
      }),
    ),
  );
  await Promise.all(hashes.map(succeeds));
  for (const s of senders) expect((await devnet.aptos.getAccountInfo({ accountAddress: s.accountAddress })).sequence_number).toBe('5');
});
