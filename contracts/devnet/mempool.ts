import type { Signers } from './authenticate.ts';
import { keyOf } from './bytes.ts';
import * as limits from './limits.ts';
import { Refusal } from './refusal.ts';
import type { SignedTransaction } from './transaction.ts';

/** A transaction that was verified and waits for its block. */
export type Pending = { readonly tx: SignedTransaction; readonly signers: Signers };

/** Waiting transactions: by sender in order of sequence number, bounded in all and by sender. */
export type Mempool = {
  /** The same one twice is no error; another one in its place is. Throws `Refusal`. */
  readonly add: (pending: Pending) => void;
  readonly find: (hash: Uint8Array) => Pending | undefined;
  readonly remove: (tx: SignedTransaction) => void;
  /** Up to `limit` transactions that come next for their senders, first come first served; gaps wait. */
  readonly ready: (nextSequence: (sender: Uint8Array) => bigint, limit: number) => readonly Pending[];
  /** Those that can't get into a block any more. */
  readonly expired: (nowSecs: bigint) => readonly Pending[];
  /** The sequence number after the sender's last waiting transaction, counted without gaps from `next`. */
  readonly following: (sender: Uint8Array, next: bigint) => bigint;
  readonly size: () => number;
};

const full = (): Refusal => new Refusal(503, 'mempool_is_full', 'The mempool is full: try again later');

export const openMempool = (): Mempool => {
  const bySender = new Map<string, Map<bigint, Pending>>();
  const byHash = new Map<string, Pending>();
  const remove = (tx: SignedTransaction): void => {
    const key = keyOf(tx.sender);
    const queue = bySender.get(key);
    byHash.delete(keyOf(tx.hash));
    if (queue?.delete(tx.sequenceNumber) !== true) return;
    // To the end of the line: nobody who sends much keeps others waiting.
    bySender.delete(key);
    if (queue.size > 0) bySender.set(key, queue);
  };
  const add = (pending: Pending): void => {
    const { tx } = pending;
    if (byHash.has(keyOf(tx.hash))) return;
    const queue = bySender.get(keyOf(tx.sender)) ?? new Map<bigint, Pending>();
    if (queue.has(tx.sequenceNumber))
      throw new Refusal(
        400,
        'invalid_transaction_update',
        `Another transaction of this account waits with sequence number ${tx.sequenceNumber}`,
      );
    if (byHash.size >= limits.mempoolTransactions || queue.size >= limits.mempoolTransactionsPerSender) throw full();
    queue.set(tx.sequenceNumber, pending);
    bySender.set(keyOf(tx.sender), queue);
    byHash.set(keyOf(tx.hash), pending);
  };
  return {
    add,
    remove,
    find: (hash) => byHash.get(keyOf(hash)),
    ready: (nextSequence, limit) => {
      const found: Pending[] = [];
      for (const queue of bySender.values()) {
        const first = queue.values().next().value;
        if (first === undefined) continue;
        for (let next = nextSequence(first.tx.sender); found.length < limit; next += 1n) {
          const pending = queue.get(next);
          if (pending === undefined) break;
          found.push(pending);
        }
        if (found.length >= limit) break;
      }
      return found;
    },
    expired: (nowSecs) => [...byHash.values()].filter((p) => p.tx.expirationSecs <= nowSecs),
    following: (sender, next) => {
      const queue = bySender.get(keyOf(sender));
      let following = next;
      while (queue?.has(following) === true) following += 1n;
      return following;
    },
    size: () => byHash.size,
  };
};
