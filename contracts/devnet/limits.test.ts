/** Aptos' bounds on what one transaction may write and say, enforced on real calls; and what takes two to sign. */
import { fileURLToPath } from 'node:url';
import { Account, generateSignedTransaction } from '@aptos-labs/ts-sdk';
import type { Ed25519Account, InputGenerateTransactionPayloadData } from '@aptos-labs/ts-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishPackage } from '../toolchain/publish.ts';
import * as limits from './limits.ts';
import { call, defaultGas, fundedAccount, startDevnet } from './testing/devnet.ts';
import type { TestDevnet } from './testing/devnet.ts';
import { maxTransactionBytes } from './transaction.ts';

const sample = fileURLToPath(new URL('sample', import.meta.url));

let devnet: TestDevnet;
let publisher: Ed25519Account;
let address: string;
beforeAll(async () => {
  devnet = await startDevnet();
  publisher = await fundedAccount(devnet.aptos);
  address = publisher.accountAddress.toString();
  await publishPackage(devnet.aptos, publisher, sample, { sample: address });
});
afterAll(() => devnet.stop());

const jar = (name: string): `${string}::${string}::${string}` => `${address}::jar::${name}`;
const run = async (name: string, ...functionArguments: number[]) =>
  call(devnet.aptos, await fundedAccount(devnet.aptos), { function: jar(name), functionArguments });
const reached = (detail: string) => ({
  success: false,
  vm_status: expect.stringContaining(`STORAGE_WRITE_LIMIT_REACHED: ${detail}`) as string,
});
const done = { success: true, vm_status: 'Executed successfully' };

describe('one transaction', () => {
  test('writes so many entries and no more', async () => {
    // The table, the field and what the VM keeps of both come on top of the rows.
    expect(await run('sow', limits.maxWriteOps - 10)).toMatchObject(done);
    expect(await run('sow', limits.maxWriteOps)).toMatchObject(reached('too many write operations'));
  });

  test('writes no entry above a mebibyte', async () => {
    expect(await run('swell', limits.maxWriteOpBytes - 8192)).toMatchObject(done);
    expect(await run('swell', limits.maxWriteOpBytes)).toMatchObject(reached('a write operation is too large'));
  });

  test('a refused one left sequence number and fee, and nothing else', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const refused = await call(devnet.aptos, alice, { function: jar('swell'), functionArguments: [limits.maxWriteOpBytes] });
    expect(refused.events).toEqual([]);
    const left = await devnet.aptos.getBalance({ accountAddress: alice.accountAddress, asset: '0x1::aptos_coin::AptosCoin' });
    expect(left).toBe(defaultGas - Number(refused.gas_used) * Number(refused.gas_unit_price));
    expect((await devnet.aptos.getAccountInfo({ accountAddress: alice.accountAddress })).sequence_number).toBe('1');
    await expect(
      devnet.aptos.getAccountResource({ accountAddress: alice.accountAddress, resourceType: jar('Field') }),
    ).rejects.toMatchObject({ status: 404 });
  });

  test('says no more than events may hold', async () => {
    expect(await run('shout', 2, 1000)).toMatchObject({ ...done, events: [{ type: jar('Shout') }, { type: jar('Shout') }] });
    expect(await run('shout', 1, limits.maxEventBytes)).toMatchObject(reached('an event is too large'));
  });

  test('of 64 KiB is taken, of one byte more is not', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const signed = async (length: number): Promise<Uint8Array> => {
      const transaction = await devnet.aptos.transaction.build.simple({
        sender: alice.accountAddress,
        data: { function: jar('put'), functionArguments: [1, 'x'.repeat(length)] },
      });
      return generateSignedTransaction({ transaction, senderAuthenticator: alice.signTransactionWithAuthenticator(transaction) });
    };
    const beside = maxTransactionBytes - (await signed(40_000)).length + 40_000;
    const [fits, above] = [await signed(beside), await signed(beside + 1)];
    expect([fits.length, above.length]).toEqual([maxTransactionBytes, maxTransactionBytes + 1]);
    expect(devnet.chain.submit(fits)).toMatchObject({ type: 'pending_transaction' });
    expect(() => devnet.chain.submit(above)).toThrow('EXCEEDED_MAX_TRANSACTION_SIZE');
  });
});

describe('the unmodified SDK', () => {
  test('is told a gas price', async () => {
    const price = Number(limits.minGasUnitPrice);
    expect(await devnet.aptos.getGasPriceEstimation()).toMatchObject({ gas_estimate: price, prioritized_gas_estimate: price });
  });

  test('simulates for a fee payer, and for two who sign', async () => {
    const [alice, bob] = [await fundedAccount(devnet.aptos), await fundedAccount(devnet.aptos)];
    const data: InputGenerateTransactionPayloadData = { function: jar('mint_for_both'), functionArguments: [3] };
    const sender = alice.accountAddress;
    const transaction = await devnet.aptos.transaction.build.multiAgent({ sender, secondarySignerAddresses: [bob.accountAddress], data });
    const keys = { signerPublicKey: alice.publicKey, secondarySignersPublicKeys: [bob.publicKey] };
    const [both] = await devnet.aptos.transaction.simulate.multiAgent({ ...keys, transaction });
    expect(both).toMatchObject(done);

    const poor = Account.generate();
    const mint: InputGenerateTransactionPayloadData = { function: jar('mint'), functionArguments: [3] };
    const sponsored = await devnet.aptos.transaction.build.simple({ sender: poor.accountAddress, withFeePayer: true, data: mint });
    sponsored.feePayerAddress = bob.accountAddress;
    const [paid] = await devnet.aptos.transaction.simulate.simple({
      signerPublicKey: poor.publicKey,
      feePayerPublicKey: bob.publicKey,
      transaction: sponsored,
    });
    expect(paid).toMatchObject(done);
    expect((await devnet.aptos.getAccountInfo({ accountAddress: poor.accountAddress })).sequence_number).toBe('0');
  });

  test('two sign, and one of them for the other is refused', async () => {
    const [alice, bob] = [await fundedAccount(devnet.aptos), await fundedAccount(devnet.aptos)];
    const transaction = await devnet.aptos.transaction.build.multiAgent({
      sender: alice.accountAddress,
      secondarySignerAddresses: [bob.accountAddress],
      data: { function: jar('mint_for_both'), functionArguments: [5] },
    });
    const senderAuthenticator = devnet.aptos.transaction.sign({ signer: alice, transaction });
    const twice = { transaction, senderAuthenticator, additionalSignersAuthenticators: [senderAuthenticator] };
    await expect(devnet.aptos.transaction.submit.multiAgent(twice)).rejects.toThrow('INVALID_AUTH_KEY');
    const additionalSignersAuthenticators = [devnet.aptos.transaction.sign({ signer: bob, transaction })];
    const pending = await devnet.aptos.transaction.submit.multiAgent({ transaction, senderAuthenticator, additionalSignersAuthenticators });
    expect(await devnet.aptos.waitForTransaction({ transactionHash: pending.hash })).toMatchObject(done);
  });

  test('an arithmetic error is told in words, with its place', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const overflow = await call(devnet.aptos, alice, { function: jar('mint'), functionArguments: ['18446744073709551615'] });
    expect(overflow.success).toBe(false);
    expect(overflow.vm_status).toMatch(/^(Move abort|Execution failed) in 0x1::/);
  });
});
