import { Ed25519Account } from '@aptos-labs/ts-sdk';
import {
  ChainId,
  EntryFunction,
  RawTransaction,
  SimpleTransaction,
  TransactionPayloadEntryFunction,
  generateSignedTransaction,
} from '@aptos-labs/ts-sdk';
import { expect, test } from 'vitest';
import { authenticate } from './authenticate.ts';
import * as limits from './limits.ts';
import { openMempool } from './mempool.ts';
import type { Pending } from './mempool.ts';
import { readTransaction } from './transaction.ts';

const call = new TransactionPayloadEntryFunction(EntryFunction.build('0x1::m', 'f', [], []));
const aTransaction = (sender: Ed25519Account, sequence: number, expirationSecs = 100n): Pending => {
  const transaction = new SimpleTransaction(
    new RawTransaction(sender.accountAddress, BigInt(sequence), call, 10n, 100n, expirationSecs, new ChainId(4)),
  );
  const body = generateSignedTransaction({ transaction, senderAuthenticator: sender.signTransactionWithAuthenticator(transaction) });
  const tx = readTransaction(body);
  return { tx, signers: authenticate(tx) };
};
const [alice, bob] = [Ed25519Account.generate(), Ed25519Account.generate()];
const zero = (): bigint => 0n;
const sequences = (pending: readonly Pending[]): bigint[] => pending.map((p) => p.tx.sequenceNumber);

test('gaps wait, the rest comes in order', () => {
  const mempool = openMempool();
  for (const n of [3, 0, 1]) mempool.add(aTransaction(alice, n));
  expect(sequences(mempool.ready(zero, 10))).toEqual([0n, 1n]);
  expect(mempool.following(alice.accountAddress.toUint8Array(), 0n)).toBe(2n);
  mempool.add(aTransaction(alice, 2));
  expect(sequences(mempool.ready(zero, 10))).toEqual([0n, 1n, 2n, 3n]);
});

test('who had a turn goes to the end of the line', () => {
  const mempool = openMempool();
  const first = [0, 1].map((n) => aTransaction(alice, n));
  first.forEach(mempool.add);
  mempool.add(aTransaction(bob, 0));
  const [turn] = mempool.ready(zero, 1);
  expect(turn).toBe(first[0]);
  for (const { tx } of first.slice(0, 1)) mempool.remove(tx);
  expect(mempool.ready(() => 0n, 1)[0]?.tx.sender).toEqual(bob.accountAddress.toUint8Array());
});

test('one sender cannot fill it; the expired are found', () => {
  const mempool = openMempool();
  const template = aTransaction(alice, 0, 5n);
  for (let n = 0; n < limits.mempoolTransactionsPerSender; n += 1) {
    const hash = Buffer.alloc(32);
    hash.writeUInt32LE(n);
    mempool.add({ ...template, tx: { ...template.tx, hash, sequenceNumber: BigInt(n) } });
  }
  expect(() => mempool.add(aTransaction(alice, limits.mempoolTransactionsPerSender))).toThrow('full');
  mempool.add(aTransaction(bob, 0));
  expect(mempool.expired(5n)).toHaveLength(limits.mempoolTransactionsPerSender);
  expect(mempool.size()).toBe(limits.mempoolTransactionsPerSender + 1);
});
