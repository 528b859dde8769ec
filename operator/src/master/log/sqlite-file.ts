/** One SQLite file: write-ahead log, prepared statements, faults as DiskError, transactions that may be one in another. */
import { DatabaseSync, type StatementSync, type SQLOutputValue } from 'node:sqlite';
import { DiskError, type DiskFault } from './disk.ts';

/** SQLite's primary result codes: busy, read-only, I/O error, corrupt, full, can't open, not a database. */
const faults: Readonly<Record<number, DiskFault>> = {
  5: 'DiskInUse',
  8: 'DiskFailed',
  10: 'DiskFailed',
  11: 'DiskCorrupt',
  13: 'DiskFull',
  14: 'DiskFailed',
  26: 'DiskCorrupt',
};
export const guarded = <T>(file: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    const code =
      error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? faults[error.errcode & 0xff] : undefined;
    if (code) throw new DiskError(code, `${file}: ${error instanceof Error ? error.message : code}`, { cause: error });
    throw error;
  }
};

export type Row = Record<string, SQLOutputValue>;
export const bytesOf = (row: Row, column: string): Uint8Array => {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new DiskError('DiskCorrupt', `column ${column} is not bytes`);
  return value;
};
export const textOf = (row: Row, column: string): string => {
  const value = row[column];
  if (typeof value !== 'string') throw new DiskError('DiskCorrupt', `column ${column} is not text`);
  return value;
};
export const integerOf = (row: Row, column: string): bigint => {
  const value = row[column];
  if (typeof value !== 'bigint') throw new DiskError('DiskCorrupt', `column ${column} is not an integer`);
  return value;
};

type Value = string | bigint | number | Uint8Array | null;

export class SqliteFile {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #inTransaction = false;
  #failed: DiskError | undefined;
  #closed = false;

  /** Opens or makes the file; it stays locked for this process. Throws DiskError. */
  constructor(path: string) {
    this.path = path;
    this.#db = guarded(path, () => {
      const db = new DatabaseSync(path, { timeout: 2_000 });
      try {
        db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
        return db;
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /** After a failed write or sync the system may have dropped what it could not write, so a later one says nothing: it fails for good. */
  #written(work: () => void): void {
    if (this.#failed) throw this.#failed;
    try {
      guarded(this.path, work);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'DiskFailed') this.#failed = error;
      throw error;
    }
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
  get(sql: string, ...values: Value[]): Row | undefined {
    return guarded(this.path, () => this.#prepare(sql).get(...values));
  }
  all(sql: string, ...values: Value[]): readonly Row[] {
    return guarded(this.path, () => this.#prepare(sql).all(...values));
  }
  run(sql: string, ...values: Value[]): void {
    this.#written(() => this.#prepare(sql).run(...values));
  }
  schema(sql: string): void {
    this.#written(() => this.#db.exec(sql));
  }

  /**
   * All that `work` writes, or nothing. Not `durable`: atomic at once, durable with the next durable write, since the write-ahead log is
   * synced in order. Inside another transaction it is part of that one.
   */
  transaction(durable: boolean, work: () => void): void {
    if (this.#inTransaction) return work();
    if (!durable) this.schema('PRAGMA synchronous = NORMAL');
    this.#inTransaction = true;
    try {
      this.run('BEGIN IMMEDIATE');
      try {
        work();
        this.run('COMMIT');
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    } finally {
      this.#inTransaction = false;
      if (!durable && !this.#failed) this.schema('PRAGMA synchronous = FULL');
    }
  }
  /** A full disk may have ended the transaction by itself; what is told is why it failed, not that. */
  #rollBack(): void {
    if (this.#db.isTransaction && !this.#failed) this.run('ROLLBACK');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#db.close();
  }
}
