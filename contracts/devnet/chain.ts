import { readAccount } from './accounts.ts';
import { openAbortNames } from './abort-names.ts';
import { authenticate, claimedSigners } from './authenticate.ts';
import type { Signers } from './authenticate.ts';
import { keyOf } from './bytes.ts';
import { checkAccounts, checkForm, execute } from './execute.ts';
import type { Executed } from './execute.ts';
import { writeGenesis } from './genesis.ts';
import type { FrameworkBundle } from './framework.ts';
import * as limits from './limits.ts';
import { openMempool } from './mempool.ts';
import type { Pending } from './mempool.ts';
import { openModules } from './modules.ts';
import type { Modules, ReadEntry } from './modules.ts';
import { overlay } from './overlay.ts';
import type { Overlay } from './overlay.ts';
import { Refusal } from './refusal.ts';
import { renderExecuted, renderRequest } from './render.ts';
import type { JsonObject } from './render.ts';
import { blockHash, nextStateRoot } from './state-root.ts';
import { openStore } from './store.ts';
import type { BlockRow, Store, TransactionRow } from './store.ts';
import { readTransaction } from './transaction.ts';
import type { SignedTransaction } from './transaction.ts';
import { openVm } from './vm.ts';
import type { Vm } from './vm.ts';
import { explain } from './vm-status.ts';
import type { VmFailure } from './vm-status.ts';

export type ChainOptions = {
  readonly chainId: number;
  /** Folder of the data; memory only without. */
  readonly dataDir?: string;
  /** Asked for at genesis only. */
  readonly framework: () => Promise<FrameworkBundle>;
  /** Devnet gas at genesis, by address. */
  readonly gas?: ReadonlyMap<string, bigint>;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Told of what leaves the chain unable to go on, such as a full disk. Default: the process ends. */
  readonly onFatal?: (error: unknown) => void;
};

/** The devnet without its HTTP server. One block at a time: submitted transactions -> VM -> one commit on disk. */
export type Chain = {
  readonly chainId: number;
  readonly store: Store;
  readonly vm: Vm;
  readonly modules: Modules;
  readonly tip: () => BlockRow;
  /** The chain's time in microseconds: the clock's plus what tests added, but never before the last block's. */
  readonly nowUs: () => number;
  /** The clock's time in seconds, by which transactions expire: the SDK stamps them by its own clock, which does not travel. */
  readonly clockSecs: () => bigint;
  readonly explainFailure: (read: ReadEntry, failure: VmFailure) => string;
  /** Takes a signed transaction (BCS) into the mempool; it is in a block soon after. Throws `Refusal`. */
  readonly submit: (body: Uint8Array) => JsonObject & { readonly hash: string };
  /** Runs it without signatures and without leaving a trace. Throws `Refusal`. */
  readonly simulate: (body: Uint8Array) => JsonObject;
  readonly pending: (hash: Uint8Array) => JsonObject | undefined;
  /** The sequence number for an account's next transaction, counting those that wait. */
  readonly nextSequence: (address: Uint8Array) => bigint;
  /** Resolves when the transaction leaves the mempool, or after `limits.waitByHashMs`. */
  readonly wait: (hash: Uint8Array) => Promise<void>;
  readonly advanceTime: (seconds: number) => void;
  readonly close: () => void;
};

const openGenesis = async (store: Store, vm: Vm, options: ChainOptions, timeUs: number): Promise<void> => {
  if (store.tip() === undefined) {
    writeGenesis(store, vm, { chainId: options.chainId, framework: await options.framework(), gas: options.gas ?? new Map(), timeUs });
    return;
  }
  const stored = store.meta('chain_id');
  if (stored !== String(options.chainId)) throw new Error(`The data is of chain ${stored}, not ${options.chainId}`);
};

const tipOf = (store: Store): BlockRow => {
  const tip = store.tip();
  if (tip === undefined) throw new Error('The devnet has no genesis');
  return tip;
};

/** Opens the chain where it was, or at a new genesis. */
export const openChain = async (options: ChainOptions): Promise<Chain> => {
  const store = openStore(options.dataDir);
  const vm = openVm();
  const clock = options.clock ?? Date.now;
  let offsetUs = Number(store.meta('time_offset_us') ?? '0');
  const clockUs = (): number => clock() * 1000 + offsetUs;
  await openGenesis(store, vm, options, clockUs());

  const modules = openModules(vm);
  const abortName = openAbortNames();
  const mempool = openMempool();
  const waiters = new Map<string, Set<() => void>>();
  let tip = tipOf(store);
  let root = store.stateRoot();
  let scheduled = false;
  let closed = false;

  const nowUs = (): number => Math.max(tip.timeUs + 1, clockUs());
  const clockSecs = (): bigint => BigInt(Math.floor(clock() / 1000));
  const explainFailure: Chain['explainFailure'] = (read, failure) => explain(failure, abortName(read, failure));
  const statusOf = (read: ReadEntry, executed: Executed): string =>
    executed.failure === undefined ? 'Executed successfully' : explainFailure(read, executed.failure);

  const settled = (tx: SignedTransaction): void => {
    const key = keyOf(tx.hash);
    for (const wake of waiters.get(key) ?? []) wake();
    waiters.delete(key);
  };
  const drop = (tx: SignedTransaction): void => {
    mempool.remove(tx);
    settled(tx);
  };

  /** Executes one transaction on top of the block so far; undefined if it has no place in it any more. */
  const include = (
    { tx, signers }: Pending,
    block: Overlay,
    at: { height: number; timeUs: number; version: number },
  ): TransactionRow | undefined => {
    try {
      checkForm(tx, options.chainId, clockSecs());
      checkAccounts(tx, signers, block.read);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
    const executed = execute(vm, block.read, { ...at, transactionHash: tx.hash }, tx, signers);
    for (const [key, value] of executed.writes) block.writes.set(key, value);
    root = nextStateRoot(root, tx.hash, executed.writes);
    const outline = { version: at.version, timeUs: at.timeUs, stateRoot: root, vmStatus: statusOf(block.read, executed) };
    const record = JSON.stringify(renderExecuted(tx, executed, outline, modules, block.read));
    return { ...at, hash: tx.hash, sender: tx.sender, sequence: tx.sequenceNumber, stateRoot: root, record, writes: executed.writes };
  };

  /** One block of what is ready. Returns whether it held anything. */
  const produceBlock = (): boolean => {
    const timeUs = nowUs();
    for (const { tx } of mempool.expired(clockSecs())) drop(tx);
    const block = overlay((key) => store.read(key));
    const rows: TransactionRow[] = [];
    const done: SignedTransaction[] = [];
    const until = performance.now() + limits.blockBudgetMs;
    const ready = mempool.ready((sender) => readAccount(block.read, sender).sequenceNumber, limits.blockTransactions);
    for (const pending of ready) {
      const row = include(pending, block, { height: tip.height + 1, timeUs, version: tip.lastVersion + 1 + rows.length });
      done.push(pending.tx);
      if (row !== undefined) rows.push(row);
      if (performance.now() > until) break;
    }
    if (rows.length > 0) {
      const height = tip.height + 1;
      const next = {
        height,
        timeUs,
        hash: blockHash(tip.hash, height, timeUs, root),
        firstVersion: tip.lastVersion + 1,
        lastVersion: tip.lastVersion + rows.length,
      };
      store.commit(next, rows);
      tip = next;
    }
    done.forEach(drop);
    return done.length > 0;
  };
  const fatal =
    options.onFatal ??
    ((error: unknown): void => {
      console.error('The devnet cannot go on:', error);
      process.exit(1);
    });
  const schedule = (): void => {
    if (scheduled || closed) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (closed) return;
      try {
        if (produceBlock()) schedule();
      } catch (error) {
        closed = true;
        fatal(error);
      }
    });
  };

  const submit: Chain['submit'] = (body) => {
    const tx = readTransaction(body);
    const now = clockSecs();
    checkForm(tx, options.chainId, now);
    if (tx.expirationSecs > now + BigInt(limits.maxTimeToLiveSecs))
      throw new Refusal(400, 'invalid_input', 'The transaction expires too far in the future');
    const signers: Signers = authenticate(tx);
    checkAccounts(tx, signers, (key) => store.read(key));
    mempool.add({ tx, signers });
    schedule();
    return { type: 'pending_transaction', ...renderRequest(tx, modules, (key) => store.read(key)) };
  };
  const simulate = (body: Uint8Array): JsonObject => {
    const tx = readTransaction(body);
    const signers = claimedSigners(tx);
    const timeUs = nowUs();
    checkForm(tx, options.chainId, clockSecs());
    const read: ReadEntry = (key) => store.read(key);
    checkAccounts(tx, signers, read);
    const executed = execute(vm, read, { height: tip.height + 1, timeUs, transactionHash: tx.hash }, tx, signers);
    const top = overlay(read);
    for (const [key, value] of executed.writes) top.writes.set(key, value);
    const outline = { version: tip.lastVersion, timeUs, stateRoot: root, vmStatus: statusOf(top.read, executed) };
    return { ...renderExecuted(tx, executed, outline, modules, top.read), changes: [] };
  };
  const wait = (hash: Uint8Array): Promise<void> => {
    if (waiters.size >= limits.maxWaiters) return Promise.resolve();
    return new Promise((resolve) => {
      const key = keyOf(hash);
      const set = waiters.get(key) ?? new Set();
      waiters.set(key, set);
      const wake = (): void => {
        clearTimeout(timer);
        set.delete(wake);
        if (set.size === 0) waiters.delete(key);
        resolve();
      };
      const timer = setTimeout(wake, limits.waitByHashMs);
      set.add(wake);
    });
  };
  return {
    chainId: options.chainId,
    store,
    vm,
    modules,
    tip: () => tip,
    nowUs,
    clockSecs,
    explainFailure,
    submit,
    simulate,
    wait,
    pending: (hash) => {
      const found = mempool.find(hash);
      return found === undefined
        ? undefined
        : { type: 'pending_transaction', ...renderRequest(found.tx, modules, (key) => store.read(key)) };
    },
    nextSequence: (address) => mempool.following(address, readAccount((key) => store.read(key), address).sequenceNumber),
    advanceTime: (seconds) => {
      offsetUs += seconds * 1_000_000;
      store.setMeta('time_offset_us', String(offsetUs));
    },
    close: () => {
      closed = true;
      store.close();
      vm.close();
    },
  };
};
