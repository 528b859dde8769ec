import { fileURLToPath } from 'node:url';
import { AptosApiError } from '@aptos-labs/ts-sdk';
import type { Ed25519Account } from '@aptos-labs/ts-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPackage } from '../toolchain/move.ts';
import { packageMetadata } from '../toolchain/package-metadata.ts';
import { publishPackage } from '../toolchain/publish.ts';
import { advanceTime, call, fundedAccount, startDevnet } from './testing/devnet.ts';
import type { TestDevnet } from './testing/devnet.ts';

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

const nobody = `0x${'99'.padStart(64, '0')}`;
const jar = (name: string): `${string}::${string}::${string}` => `${address}::jar::${name}`;

describe('the unmodified SDK against the devnet', () => {
  test('is told that this is not Aptos', async () => {
    expect(await devnet.aptos.getLedgerInfo()).toMatchObject({ chain_id: 4, git_hash: 'devnet-not-aptos', node_role: 'full_node' });
    expect(await devnet.aptos.getChainId()).toBe(4);
  });

  test('builds, signs, submits and waits; events and gas are on record', async () => {
    const alice = await fundedAccount(devnet.aptos);
    await call(devnet.aptos, alice, { function: jar('mint'), functionArguments: [500] });
    const before = await devnet.aptos.getBalance({ accountAddress: alice.accountAddress, asset: '0x1::aptos_coin::AptosCoin' });
    const put = await call(devnet.aptos, alice, { function: jar('put'), functionArguments: [120, 'für später'] });
    expect(put).toMatchObject({ success: true, vm_status: 'Executed successfully', sequence_number: '1', type: 'user_transaction' });
    expect(put.payload).toMatchObject({ function: jar('put'), arguments: ['120', 'für später'] });
    expect(put.events.map((e) => e.type)).toEqual(['0x1::fungible_asset::Withdraw', '0x1::fungible_asset::Deposit', jar('Put')]);
    expect(put.events[2]?.data).toEqual({ who: alice.accountAddress.toStringLong(), amount: '120', note: 'für später' });
    const after = await devnet.aptos.getBalance({ accountAddress: alice.accountAddress, asset: '0x1::aptos_coin::AptosCoin' });
    expect(before - after).toBe(Number(put.gas_used) * Number(put.gas_unit_price));
    expect(put.changes.some((c) => c.type === 'write_resource')).toBe(true);
    expect((await devnet.aptos.getAccountInfo({ accountAddress: alice.accountAddress })).sequence_number).toBe('2');
  });

  test('an abort is named after its constant, costs gas and changes nothing else', async () => {
    const alice = await fundedAccount(devnet.aptos);
    await call(devnet.aptos, alice, { function: jar('mint'), functionArguments: [10] });
    await call(devnet.aptos, alice, { function: jar('put'), functionArguments: [10, ''] });
    const [count] = await devnet.aptos.view({ payload: { function: jar('count') } });
    const take = await call(devnet.aptos, alice, { function: jar('take'), functionArguments: [] });
    expect(take.success).toBe(false);
    expect(take.vm_status).toBe(
      `Move abort in ${address}::jar: E_LOCKED(0x3): The jar still holds back what was put in less than ten seconds ago.`,
    );
    expect(Number(take.gas_used)).toBeGreaterThan(0);
    expect(take.events).toEqual([]);
    const framework = await call(devnet.aptos, alice, { function: jar('put'), functionArguments: [11, ''] });
    expect(framework.vm_status).toMatch(/^Move abort in 0x1::fungible_asset: EINSUFFICIENT_BALANCE\(0x10004\): /);
    expect(await devnet.aptos.view({ payload: { function: jar('count') } })).toEqual([count]);
    await advanceTime(devnet.url, 10);
    expect((await call(devnet.aptos, alice, { function: jar('take'), functionArguments: [] })).success).toBe(true);
  });

  test('waitForTransaction throws for a failed transaction', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const transaction = await devnet.aptos.transaction.build.simple({
      sender: alice.accountAddress,
      data: { function: jar('take'), functionArguments: [] },
    });
    const pending = await devnet.aptos.signAndSubmitTransaction({ signer: alice, transaction });
    await expect(devnet.aptos.waitForTransaction({ transactionHash: pending.hash })).rejects.toThrow('E_NOTHING_PUT(0x1)');
  });

  test('gas ends an endless loop', async () => {
    const alice = await fundedAccount(devnet.aptos);
    expect(await call(devnet.aptos, alice, { function: jar('spin'), functionArguments: [] })).toMatchObject({
      success: false,
      vm_status: 'Out of gas',
    });
  });

  test('views give each kind of value in Aptos form, by BCS and by JSON', async () => {
    const values = ['1', '2', '0x0102', { vec: ['7'] }, true, 'text', ['0x1', '0x2']];
    expect(await devnet.aptos.view({ payload: { function: jar('deposits_handle') } })).toEqual(values);
    expect(await devnet.aptos.viewJson({ payload: { function: jar('deposits_handle') } })).toEqual(values);
    const [byBcs] = await devnet.aptos.view({ payload: { function: jar('digest'), functionArguments: [5] } });
    expect(await devnet.aptos.viewJson({ payload: { function: jar('digest'), functionArguments: ['5'] } })).toEqual([byBcs]);
    const [token] = await devnet.aptos.view<[{ inner: string }]>({ payload: { function: jar('token') } });
    expect(
      await devnet.aptos.view({
        payload: {
          function: '0x1::fungible_asset::supply',
          typeArguments: ['0x1::fungible_asset::Metadata'],
          functionArguments: [token.inner],
        },
      }),
    ).toEqual([{ vec: [expect.stringMatching(/^\d+$/)] }]);
  });

  test('a view that aborts says why; what is no view is refused', async () => {
    await expect(devnet.aptos.view({ payload: { function: jar('deposit_of'), functionArguments: [nobody] } })).rejects.toThrow(
      'ENOT_FOUND(0x10065)',
    );
    await expect(devnet.aptos.viewJson({ payload: { function: jar('mint'), functionArguments: ['0x1', '1'] } })).rejects.toThrow(
      'not a view function',
    );
  });

  test('an older ledger version is as it was then', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const [before] = await devnet.aptos.view<[string]>({ payload: { function: jar('count') } });
    const { version } = await call(devnet.aptos, alice, { function: jar('mint'), functionArguments: [1] });
    await call(devnet.aptos, alice, { function: jar('put'), functionArguments: [1, ''] });
    const options = { ledgerVersion: BigInt(version) };
    expect(await devnet.aptos.view({ payload: { function: jar('count') }, options })).toEqual([before]);
    expect(await devnet.aptos.view({ payload: { function: jar('count') } })).toEqual([String(Number(before) + 1)]);
    const then = await devnet.aptos.getAccountResource<{ count: string }>({ accountAddress: address, resourceType: jar('Jar'), options });
    expect(then.count).toBe(before);
  });

  test('simulation tells outcome and gas and leaves no trace', async () => {
    const alice = await fundedAccount(devnet.aptos);
    const transaction = await devnet.aptos.transaction.build.simple({
      sender: alice.accountAddress,
      data: { function: jar('mint'), functionArguments: [7] },
    });
    const [simulated] = await devnet.aptos.transaction.simulate.simple({
      signerPublicKey: alice.publicKey,
      transaction,
      options: { estimateMaxGasAmount: true },
    });
    expect(simulated).toMatchObject({ success: true });
    const pending = await devnet.aptos.signAndSubmitTransaction({ signer: alice, transaction });
    const real = await devnet.aptos.waitForTransaction({ transactionHash: pending.hash });
    expect(real.gas_used).toBe(simulated?.gas_used);
    expect((await devnet.aptos.getAccountInfo({ accountAddress: alice.accountAddress })).sequence_number).toBe('1');
  });

  test('resources, modules, tables, blocks and lists', async () => {
    const alice = await fundedAccount(devnet.aptos);
    await call(devnet.aptos, alice, { function: jar('mint'), functionArguments: [3] });
    const put = await call(devnet.aptos, alice, { function: jar('put'), functionArguments: [3, ''] });
    const resources = await devnet.aptos.getAccountResources({ accountAddress: address });
    expect(resources.map((r) => r.type)).toContain(jar('Jar'));
    const { deposits } = await devnet.aptos.getAccountResource<{ deposits: { handle: string } }>({
      accountAddress: address,
      resourceType: jar('Jar'),
    });
    const item = await devnet.aptos.getTableItem<{ amount: string }>({
      handle: deposits.handle,
      data: { key_type: 'address', value_type: jar('Deposit'), key: alice.accountAddress.toString() },
    });
    expect(item.amount).toBe('3');
    expect((await devnet.aptos.getAccountModules({ accountAddress: address })).map((m) => m.abi?.name)).toEqual(['jar']);
    const block = await devnet.aptos.getBlockByVersion({ ledgerVersion: Number(put.version), options: { withTransactions: true } });
    expect(block.transactions?.map((t) => t.hash)).toContain(put.hash);
    expect(await devnet.aptos.getBlockByHeight({ blockHeight: Number(block.block_height) })).toMatchObject({
      block_hash: block.block_hash,
    });
    expect((await devnet.aptos.getTransactionByVersion({ ledgerVersion: Number(put.version) })).hash).toBe(put.hash);
    const mine = await devnet.aptos.getAccountTransactions({ accountAddress: alice.accountAddress });
    expect(mine.map((t) => t.hash)).toContain(put.hash);
    const listed = await devnet.aptos.getTransactions({ options: { offset: Number(put.version), limit: 1 } });
    expect(listed.map((t) => t.hash)).toEqual([put.hash]);
  });

  test('what is not there is a 404 with its code', async () => {
    const missing = devnet.aptos.getAccountResource({ accountAddress: nobody, resourceType: jar('Jar') });
    await expect(missing).rejects.toThrow(AptosApiError);
    await expect(missing).rejects.toMatchObject({ status: 404, data: { error_code: 'resource_not_found' } });
    await expect(devnet.aptos.getAccountModule({ accountAddress: '0x1', moduleName: 'nothing' })).rejects.toMatchObject({
      data: { error_code: 'module_not_found' },
    });
    await expect(devnet.aptos.getTransactionByHash({ transactionHash: `0x${'0'.repeat(64)}` })).rejects.toMatchObject({
      data: { error_code: 'transaction_not_found' },
    });
    expect(await devnet.aptos.getAccountInfo({ accountAddress: nobody })).toMatchObject({ sequence_number: '0' });
  });
});

describe('publishing', () => {
  test('the same package upgrades; an immutable one does not', async () => {
    const owner = await fundedAccount(devnet.aptos);
    const named = { sample: owner.accountAddress.toString() };
    await publishPackage(devnet.aptos, owner, sample, named);
    await publishPackage(devnet.aptos, owner, sample, named, { policy: 'immutable' });
    await expect(publishPackage(devnet.aptos, owner, sample, named)).rejects.toThrow('EUPGRADE_IMMUTABLE(0x10002)');
    const registry = await devnet.aptos.getAccountResource<{ packages: { name: string; upgrade_number: string }[] }>({
      accountAddress: owner.accountAddress,
      resourceType: '0x1::code::PackageRegistry',
    });
    expect(registry.packages).toMatchObject([{ name: 'Sample', upgrade_number: '1' }]);
  });

  test('nobody publishes under another address', async () => {
    const [owner, eve] = [await fundedAccount(devnet.aptos), await fundedAccount(devnet.aptos)];
    const compiled = await buildPackage(sample, { namedAddresses: { sample: owner.accountAddress.toString() } });
    const transaction = await devnet.aptos.publishPackageTransaction({
      account: eve.accountAddress,
      metadataBytes: packageMetadata(compiled),
      moduleBytecode: compiled.modules.map((m) => m.bytecode),
      options: { maxGasAmount: 100_000 },
    });
    const pending = await devnet.aptos.signAndSubmitTransaction({ signer: eve, transaction });
    const done = await devnet.aptos.waitForTransaction({ transactionHash: pending.hash, options: { checkSuccess: false } });
    expect(done).toMatchObject({ success: false, vm_status: expect.stringContaining('MODULE_ADDRESS_DOES_NOT_MATCH_SENDER') });
    expect(await devnet.aptos.getAccountModules({ accountAddress: eve.accountAddress })).toEqual([]);
  });
});

describe('the faucet', () => {
  test('gives devnet gas to many at once', async () => {
    const accounts = await Promise.all(Array.from({ length: 8 }, () => fundedAccount(devnet.aptos, 1234)));
    const amounts = await Promise.all(
      accounts.map((a) => devnet.aptos.getBalance({ accountAddress: a.accountAddress, asset: '0x1::aptos_coin::AptosCoin' })),
    );
    expect(amounts).toEqual(accounts.map(() => 1234));
  });

  test('is the only one who makes gas', async () => {
    const eve = await fundedAccount(devnet.aptos);
    const minted = await call(devnet.aptos, eve, { function: '0x1::devnet_gas::mint', functionArguments: [eve.accountAddress, 1] });
    expect(minted.vm_status).toMatch(/ENOT_FAUCET\(0x50001\)/);
  });
});
