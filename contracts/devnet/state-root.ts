import { bcsBytes, bytesOf, sha3, u64Bytes } from './bytes.ts';
import type { Writes } from './store.ts';

/**
 * The devnet's state root: SHA3-256 over the root before, the transaction's hash and its writes in order of key. The same
 * transactions at the same times give the same root. It is a chain, not a tree: nothing can be proved against it.
 */
export const nextStateRoot = (previous: Uint8Array, transactionHash: Uint8Array, writes: Writes): Uint8Array => {
  const keys = [...writes.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  const parts = keys.flatMap((key) => {
    const value = writes.get(key);
    return [bcsBytes(bytesOf(key)), Uint8Array.of(value === undefined ? 0 : 1), value === undefined ? new Uint8Array() : sha3(value)];
  });
  return sha3(previous, transactionHash, ...parts);
};

export const blockHash = (previous: Uint8Array, height: number, timeUs: number, stateRoot: Uint8Array): Uint8Array =>
  sha3(previous, u64Bytes(BigInt(height)), u64Bytes(BigInt(timeUs)), stateRoot);
