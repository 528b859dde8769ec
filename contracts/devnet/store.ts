import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { bytesOf, keyOf } from './bytes.ts';

/** A value written, or undefined for one removed. Keys are latin1 strings. */
export type Writes = ReadonlyMap<string, Uint8Array | undefined>;

export type TransactionRow = {
  readonly version: number;
  readonly hash: Uint8Array;
  readonly sender: Uint8Array;
  readonly sequence: bigint;
  readonly height: number;
  readonly timeUs: number;
  readonly stateRoot: Uint8Array;
  /** The transaction as the API shows it, but for its changes. */
  readonly record: string;
  readonly writes: Writes;
};
export type BlockRow = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly timeUs: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
};
export type Stored = { readonly version: number; readonly height: number; readonly timeUs: number; readonly record: string };

/**
 * Everything the devnet knows, on disk: each version of each state entry, transactions, blocks. One process at a time. A
 * block is there whole or not at all (WAL, synchronous=FULL).
 */
export type Store = {
  /** The newest value, or that at a version. */
  readonly read: (key: string, version?: number) => Uint8Array | undefined;
  /** Entries whose key starts so, at a version, in order of key; at most `limit`. */
  readonly scan: (prefix: Uint8Array, version: number, limit: number) => readonly { key: Uint8Array; value: Uint8Array }[];
  /** What a transaction wrote. */
  readonly writesOf: (version: number) => Writes;
  readonly commit: (block: BlockRow, transactions: readonly TransactionRow[]) => void;
  readonly tip: () => BlockRow | undefined;
  readonly stateRoot: () => Uint8Array;
  readonly transaction: (at: { hash: Uint8Array } | { version: number }) => Stored | undefined;
  readonly transactions: (start: number, limit: number) => readonly Stored[];
  readonly transactionsOf: (sender: Uint8Array, start: bigint, limit: number) => readonly Stored[];
  readonly block: (at: { height: number } | { version: number }) => BlockRow | undefined;
  readonly meta: (name: string) => string | undefined;
  readonly setMeta: (name: string, value: string) => void;
  readonly close: () => void;
};

const schema = `
  CREATE TABLE IF NOT EXISTS state (key BLOB, version INTEGER, value BLOB, PRIMARY KEY (key, version)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS transactions (
    version INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, sender BLOB NOT NULL, sequence INTEGER NOT NULL,
    height INTEGER NOT NULL, time_us INTEGER NOT NULL, state_root BLOB NOT NULL, keys BLOB NOT NULL, record TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS transactions_of ON transactions (sender, sequence);
  CREATE TABLE IF NOT EXISTS blocks (
    height INTEGER PRIMARY KEY, hash BLOB NOT NULL, time_us INTEGER NOT NULL, first_version INTEGER NOT NULL, last_version INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
`;

/** Entries kept in memory; beyond it the cache starts over. */
const cacheEntries = 200_000;

type Row = Readonly<Record<string, unknown>>;
const bytes = (row: Row, name: string): Uint8Array => {
  const value = row[name];
  if (!(value instanceof Uint8Array)) throw new Error(`The devnet's file is damaged: ${name} is no blob`);
  return value;
};
const integer = (row: Row, name: string): number => {
  const value = row[name];
  if (typeof value !== 'number') throw new Error(`The devnet's file is damaged: ${name} is no integer`);
  return value;
};
const text = (row: Row, name: string): string => {
  const value = row[name];
  if (typeof value !== 'string') throw new Error(`The devnet's file is damaged: ${name} is no text`);
  return value;
};

const blockOf = (row: Row): BlockRow => ({
  height: integer(row, 'height'),
  hash: bytes(row, 'hash'),
  timeUs: integer(row, 'time_us'),
  firstVersion: integer(row, 'first_version'),
  lastVersion: integer(row, 'last_version'),
});
const storedOf = (row: Row): Stored => ({
  version: integer(row, 'version'),
  height: integer(row, 'height'),
  timeUs: integer(row, 'time_us'),
  record: text(row, 'record'),
});

/** First key beyond all that start with the prefix. */
const after = (prefix: Uint8Array): Uint8Array => {
  const out = Buffer.from(prefix);
  for (let i = out.length - 1; i >= 0; i -= 1) {
    if (out[i] !== 0xff) {
      out[i] = (out[i] ?? 0) + 1;
      return out.subarray(0, i + 1);
    }
  }
  throw new Error('No key is beyond that prefix');
};

/** The keys a transaction wrote, each after its length in two bytes. */
const packKeys = (writes: Writes): Uint8Array =>
  Buffer.concat(
    [...writes.keys()].map((key) => {
      const head = Buffer.alloc(2);
      head.writeUInt16LE(key.length);
      return Buffer.concat([head, bytesOf(key)]);
    }),
  );
const unpackKeys = (packed: Uint8Array): string[] => {
  const keys: string[] = [];
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let at = 0; at < view.length;) {
    const end = at + 2 + view.readUInt16LE(at);
    keys.push(keyOf(view.subarray(at + 2, end)));
    at = end;
  }
  return keys;
};

const open = (dataDir: string | undefined): DatabaseSync => {
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true });
  const db = new DatabaseSync(dataDir === undefined ? ':memory:' : path.join(dataDir, 'devnet.sqlite'));
  // Exclusive, so that a second process on the same folder fails at once instead of forking the chain.
  db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;');
  db.exec(schema);
  return db;
};

/** Opens the devnet's data in a folder (made if missing), or in memory only. Throws if another process has it open. */
export const openStore = (dataDir?: string): Store => {
  const db = open(dataDir);
  const sql = {
    latest: db.prepare('SELECT value FROM state WHERE key = ? ORDER BY version DESC LIMIT 1'),
    at: db.prepare('SELECT value FROM state WHERE key = ? AND version <= ? ORDER BY version DESC LIMIT 1'),
    exactly: db.prepare('SELECT value FROM state WHERE key = ? AND version = ?'),
    scan: db.prepare(
      `SELECT key, value FROM state AS s WHERE key >= ? AND key < ? AND value IS NOT NULL
         AND version = (SELECT MAX(version) FROM state AS t WHERE t.key = s.key AND t.version <= ?) ORDER BY key LIMIT ?`,
    ),
    put: db.prepare('INSERT INTO state (key, version, value) VALUES (?, ?, ?)'),
    transaction: db.prepare(
      'INSERT INTO transactions (version, hash, sender, sequence, height, time_us, state_root, keys, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    block: db.prepare('INSERT INTO blocks (height, hash, time_us, first_version, last_version) VALUES (?, ?, ?, ?, ?)'),
    tip: db.prepare('SELECT * FROM blocks ORDER BY height DESC LIMIT 1'),
    root: db.prepare('SELECT state_root FROM transactions ORDER BY version DESC LIMIT 1'),
    keys: db.prepare('SELECT keys FROM transactions WHERE version = ?'),
    byHash: db.prepare('SELECT version, height, time_us, record FROM transactions WHERE hash = ?'),
    byVersion: db.prepare('SELECT version, height, time_us, record FROM transactions WHERE version = ?'),
    range: db.prepare('SELECT version, height, time_us, record FROM transactions WHERE version >= ? ORDER BY version LIMIT ?'),
    bySender: db.prepare(
      'SELECT version, height, time_us, record FROM transactions WHERE sender = ? AND sequence >= ? ORDER BY sequence LIMIT ?',
    ),
    blockAt: db.prepare('SELECT * FROM blocks WHERE height = ?'),
    blockWith: db.prepare('SELECT * FROM blocks WHERE first_version <= ? ORDER BY height DESC LIMIT 1'),
    meta: db.prepare('SELECT value FROM meta WHERE name = ?'),
    setMeta: db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'),
  };
  const cache = new Map<string, Uint8Array | undefined>();
  const remember = (key: string, value: Uint8Array | undefined): void => {
    if (cache.size >= cacheEntries) cache.clear();
    cache.set(key, value);
  };
  const valueOf = (row: Row | undefined): Uint8Array | undefined =>
    row === undefined || row['value'] === null ? undefined : bytes(row, 'value');

  const inTransaction = (body: () => void): void => {
    db.exec('BEGIN IMMEDIATE');
    try {
      body();
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      cache.clear();
      throw error;
    }
  };
  const insert = (t: TransactionRow): void => {
    for (const [key, value] of t.writes) {
      sql.put.run(bytesOf(key), t.version, value ?? null);
      remember(key, value);
    }
    sql.transaction.run(t.version, t.hash, t.sender, t.sequence, t.height, t.timeUs, t.stateRoot, packKeys(t.writes), t.record);
  };
  return {
    read: (key, version) => {
      if (version !== undefined) return valueOf(sql.at.get(bytesOf(key), version));
      if (cache.has(key)) return cache.get(key);
      const value = valueOf(sql.latest.get(bytesOf(key)));
      remember(key, value);
      return value;
    },
    scan: (prefix, version, limit) =>
      sql.scan.all(prefix, after(prefix), version, limit).map((row) => ({ key: bytes(row, 'key'), value: bytes(row, 'value') })),
    writesOf: (version) => {
      const row = sql.keys.get(version);
      const keys = row === undefined ? [] : unpackKeys(bytes(row, 'keys'));
      return new Map(keys.map((key) => [key, valueOf(sql.exactly.get(bytesOf(key), version))]));
    },
    commit: (block, transactions) =>
      inTransaction(() => {
        transactions.forEach(insert);
        sql.block.run(block.height, block.hash, block.timeUs, block.firstVersion, block.lastVersion);
      }),
    tip: () => {
      const row = sql.tip.get();
      return row === undefined ? undefined : blockOf(row);
    },
    stateRoot: () => {
      const row = sql.root.get();
      return row === undefined ? new Uint8Array(32) : bytes(row, 'state_root');
    },
    transaction: (at) => {
      const row = 'hash' in at ? sql.byHash.get(at.hash) : sql.byVersion.get(at.version);
      return row === undefined ? undefined : storedOf(row);
    },
    transactions: (start, limit) => sql.range.all(start, limit).map(storedOf),
    transactionsOf: (sender, start, limit) => sql.bySender.all(sender, start, limit).map(storedOf),
    block: (at) => {
      const row = 'height' in at ? sql.blockAt.get(at.height) : sql.blockWith.get(at.version);
      const block = row === undefined ? undefined : blockOf(row);
      return block !== undefined && 'version' in at && block.lastVersion < at.version ? undefined : block;
    },
    meta: (name) => {
      const row = sql.meta.get(name);
      return row === undefined ? undefined : text(row, 'value');
    },
    setMeta: (name, value) => {
      sql.setMeta.run(name, value);
    },
    close: () => db.close(),
  };
};
