/** The Disk in one SQLite file: write-ahead log, `synchronous=FULL`, so a vote that was stored survives a power cut. */
import { DatabaseSync, type StatementSync, type SQLOutputValue } from 'node:sqlite';
import { decodeCanonical, encodeCanonical, type Certificate } from '@scs/protocol';
import { DiskError, type Disk, type DiskFault, type StateChange, type StoredBlob, type StoredBlock, type StoredVote } from './disk.ts';

export interface DiskOptions {
  /** Path, or `:memory:`. */
  readonly file: string;
  readonly genesis: string;
  readonly master: number;
}

const FORMAT = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS blocks (height INTEGER PRIMARY KEY, bytes BLOB NOT NULL, certificate BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS votes (generation INTEGER NOT NULL, height INTEGER NOT NULL, state_root TEXT NOT NULL, block TEXT NOT NULL,
    bytes BLOB, PRIMARY KEY (generation, height)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS blobs (task TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (task, name)) STRICT;
  CREATE TABLE IF NOT EXISTS offences (id INTEGER PRIMARY KEY, master INTEGER NOT NULL, height INTEGER NOT NULL, proof BLOB NOT NULL,
    UNIQUE (master, height)) STRICT;
`;

/** SQLite's primary result codes. */
const faults: Readonly<Record<number, DiskFault>> = { 5: 'DiskInUse', 11: 'DiskCorrupt', 13: 'DiskFull', 26: 'DiskCorrupt' };
const guarded = <T>(file: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    const code =
      error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? faults[error.errcode & 0xff] : undefined;
    if (code) throw new DiskError(code, `${file}: ${error instanceof Error ? error.message : code}`, { cause: error });
    throw error;
  }
};

type Row = Record<string, SQLOutputValue>;
const bytesOf = (row: Row, column: string): Uint8Array => {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new DiskError('DiskCorrupt', `column ${column} is not bytes`);
  return value;
};
const textOf = (row: Row, column: string): string => {
  const value = row[column];
  if (typeof value !== 'string') throw new DiskError('DiskCorrupt', `column ${column} is not text`);
  return value;
};
const integerOf = (row: Row, column: string): bigint => {
  const value = row[column];
  if (typeof value !== 'bigint') throw new DiskError('DiskCorrupt', `column ${column} is not an integer`);
  return value;
};
const blockOf = (row: Row): StoredBlock => ({
  height: integerOf(row, 'height'),
  bytes: bytesOf(row, 'bytes'),
  certificate: decodeCanonical(bytesOf(row, 'certificate')) as Certificate,
});

class SqliteDisk implements Disk {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #statements = new Map<string, StatementSync>();
  constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = file;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
  #get(sql: string, ...values: (string | bigint | number | Uint8Array)[]): Row | undefined {
    return guarded(this.#file, () => this.#prepare(sql).get(...values));
  }
  #all(sql: string, ...values: (string | bigint | number | Uint8Array)[]): readonly Row[] {
    return guarded(this.#file, () => this.#prepare(sql).all(...values));
  }
  #run(sql: string, ...values: (string | bigint | number | Uint8Array)[]): void {
    guarded(this.#file, () => this.#prepare(sql).run(...values));
  }
  #transaction(work: () => void): void {
    this.#run('BEGIN IMMEDIATE');
    try {
      work();
      this.#run('COMMIT');
    } catch (error) {
      this.#run('ROLLBACK');
      throw error;
    }
  }

  /** Atomic at once, durable with the next durable write: the write-ahead log is synced in order. */
  #lazily(work: () => void): void {
    this.#db.exec('PRAGMA synchronous = NORMAL');
    try {
      this.#transaction(work);
    } finally {
      this.#db.exec('PRAGMA synchronous = FULL');
    }
  }

  last(): StoredBlock | undefined {
    const row = this.#get('SELECT * FROM blocks ORDER BY height DESC LIMIT 1');
    return row && blockOf(row);
  }
  block(height: bigint): StoredBlock | undefined {
    const row = this.#get('SELECT * FROM blocks WHERE height = ?', height);
    return row && blockOf(row);
  }
  blocks(from: bigint, limit: number): readonly StoredBlock[] {
    return this.#all('SELECT * FROM blocks WHERE height >= ? ORDER BY height LIMIT ?', from, limit).map(blockOf);
  }
  *entries(): Iterable<readonly [string, Uint8Array]> {
    for (const row of this.#all('SELECT key, value FROM entries')) yield [textOf(row, 'key'), bytesOf(row, 'value')];
  }

  append({ height, bytes, certificate }: StoredBlock, changes: Iterable<StateChange>): void {
    this.#lazily(() => {
      this.#run('INSERT INTO blocks (height, bytes, certificate) VALUES (?, ?, ?)', height, bytes, encodeCanonical(certificate));
      this.#run('UPDATE votes SET bytes = NULL WHERE height <= ? AND bytes IS NOT NULL', height);
      for (const [key, value] of changes) this.#change(key, value);
    });
  }
  #change(key: string, value: Uint8Array | undefined): void {
    if (value)
      this.#run('INSERT INTO entries (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value);
    else this.#run('DELETE FROM entries WHERE key = ?', key);
  }
  replaceEntries(entries: Iterable<readonly [string, Uint8Array]>): void {
    this.#transaction(() => {
      this.#run('DELETE FROM entries');
      for (const [key, value] of entries) this.#change(key, value);
    });
  }

  vote(generation: bigint, height: bigint): StoredVote | undefined {
    const row = this.#get('SELECT * FROM votes WHERE generation = ? AND height = ? AND bytes IS NOT NULL', generation, height);
    return row && { generation, height, stateRoot: textOf(row, 'state_root'), block: textOf(row, 'block'), bytes: bytesOf(row, 'bytes') };
  }
  storeVote({ generation, height, stateRoot, block, bytes }: StoredVote): void {
    const known = this.#get('SELECT state_root, block FROM votes WHERE generation = ? AND height = ?', generation, height);
    if (known && (known['state_root'] !== stateRoot || known['block'] !== block))
      throw new DiskError('VoteExists', `a vote for another block is stored at generation ${generation}, height ${height}`);
    if (known) return;
    this.#run(
      'INSERT INTO votes (generation, height, state_root, block, bytes) VALUES (?, ?, ?, ?, ?)',
      generation,
      height,
      stateRoot,
      block,
      bytes,
    );
  }

  bar(): bigint | undefined {
    const row = this.#get("SELECT value FROM about WHERE key = 'bar'");
    return row && BigInt(textOf(row, 'value'));
  }
  setBar(height: bigint): void {
    this.#run("INSERT INTO about (key, value) VALUES ('bar', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", height.toString());
  }

  storeOffence({ master, height, proof }: { master: number; height: bigint; proof: Uint8Array }): void {
    this.#run('INSERT OR IGNORE INTO offences (master, height, proof) VALUES (?, ?, ?)', master, height, proof);
  }
  offences(): number {
    return Number(integerOf(this.#get('SELECT count(*) AS n FROM offences') ?? {}, 'n'));
  }

  putBlob({ task, name, bytes }: StoredBlob): void {
    this.#run('INSERT OR REPLACE INTO blobs (task, name, bytes) VALUES (?, ?, ?)', task, name, bytes);
  }
  blob(task: string, name: string): Uint8Array | undefined {
    const row = this.#get('SELECT bytes FROM blobs WHERE task = ? AND name = ?', task, name);
    return row && bytesOf(row, 'bytes');
  }
  blobSizes(task: string): readonly { name: string; size: number }[] {
    const rows = this.#all('SELECT name, length(bytes) AS size FROM blobs WHERE task = ?', task);
    return rows.map((row) => ({ name: textOf(row, 'name'), size: Number(integerOf(row, 'size')) }));
  }
  blobTasks(): readonly string[] {
    return this.#all('SELECT DISTINCT task FROM blobs').map((row) => textOf(row, 'task'));
  }
  dropBlobs(task: string, prefix = ''): void {
    this.#run('DELETE FROM blobs WHERE task = ? AND substr(name, 1, length(?)) = ?', task, prefix, prefix);
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  /** Refuses a file of another group, master or newer format; marks a new one as ours. */
  claim(genesis: string, master: number): void {
    this.#db.exec(SCHEMA);
    const about = new Map(this.#all('SELECT key, value FROM about').map((row) => [textOf(row, 'key'), textOf(row, 'value')]));
    const format = about.get('format');
    if (format !== undefined && Number(format) > FORMAT) throw new DiskError('DiskFormat', `${this.#file} has format ${format}`);
    for (const [key, mine] of Object.entries({ format: String(FORMAT), genesis, master: String(master) })) {
      const stored = about.get(key);
      if (stored === undefined) this.#run('INSERT INTO about (key, value) VALUES (?, ?)', key, mine);
      else if (stored !== mine) throw new DiskError('DiskForeign', `${this.#file} has ${key} ${stored}, this master ${mine}`);
    }
  }
}

/** Opens or makes the file; it stays locked for this process. Throws DiskError. */
export const openDisk = ({ file, genesis, master }: DiskOptions): Disk =>
  guarded(file, () => {
    const db = new DatabaseSync(file, { timeout: 2_000 });
    try {
      db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
      const disk = new SqliteDisk(db, file);
      disk.claim(genesis, master);
      return disk;
    } catch (error) {
      db.close();
      throw error;
    }
  });
