/**
 * The Vault's one file: DuckDB, encrypted with AES-256-GCM, its log and spill files too. One connection writes, each
 * transaction whole and alone; reads have connections of their own. DuckDB may touch the given folders and nothing else, and
 * loads no extension but the signed httpfs, which carries the cipher for writing.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBBlobValue, DuckDBInstance, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api';
import { appendRows, appendSets, numbersOf, sumsOf, type Cell, type NumberedSet } from './columns.ts';
import { Mutex } from './mutex.ts';

export interface DatabaseOptions {
  /** Folder of the file, of encrypted spill files, and, in `store`, of later generations of the file and backups in the making. */
  readonly folder: string;
  /** Under the folder; `vault.db` if absent. */
  readonly file?: string;
  /** Hex of 32 bytes. */
  readonly key: string;
  /** Path of `httpfs.duckdb_extension`, of DuckDB's version. */
  readonly httpfs: string;
  /** Further folders that queries may read and write. */
  readonly folders: readonly string[];
  readonly memoryLimitBytes?: number;
  readonly threads?: number;
}

/** Messages of DuckDB may quote values, so only their kind ("Constraint Error") is for logs; the rest stays in `cause`. */
export class StoreError extends Error {
  /** StorageFull passes when there is room; StoreBroken until the file is opened anew. */
  readonly code: 'StoreFailed' | 'StoreLocked' | 'StorageFull' | 'StoreBroken';
  constructor(code: StoreError['code'], message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}
const kindOf = (error: unknown): string => /^[A-Z][A-Za-z ]{2,40}(?=:)/.exec(error instanceof Error ? error.message : '')?.[0] ?? 'Error';

const codeOf = (error: unknown): 'StorageFull' | 'StoreBroken' | 'StoreFailed' => {
  const message = error instanceof Error ? error.message : '';
  if (/No space left on device|out of disk space/i.test(message)) return 'StorageFull';
  return /FATAL Error|has been invalidated/.test(message) ? 'StoreBroken' : 'StoreFailed';
};
const failed = (what: string, error: unknown): StoreError => new StoreError(codeOf(error), `the store ${what} (${kindOf(error)})`, error);

export type Parameter = string | number | bigint | boolean | Uint8Array | null;
export type Row = Record<string, unknown>;

/** Statements within one transaction. */
export interface Sql {
  run(sql: string, values?: Readonly<Record<string, Parameter>>): Promise<void>;
  rows(sql: string, values?: Readonly<Record<string, Parameter>>): Promise<readonly Row[]>;
  /** The one column of a statement, of type UINTEGER and without NULL. */
  numbers(sql: string, values?: Readonly<Record<string, Parameter>>): Promise<Uint32Array>;
  /** Calls `visit` for each row of a statement with the columns UINTEGER and BIGINT. */
  sums(sql: string, values: Readonly<Record<string, Parameter>>, visit: (number: number, sum: bigint) => void): Promise<void>;
  /** Rows of all columns of a table: nothing to parse or to plan. */
  append(table: string, rows: readonly (readonly Cell[])[]): Promise<void>;
  /** A row (reservation, number) for each number of each set. */
  appendSets(table: string, sets: readonly NumberedSet[]): Promise<void>;
}

const bindable = (value: Parameter): DuckDBValue => (value instanceof Uint8Array ? new DuckDBBlobValue(value) : value);
/** Only what the statement names: DuckDB refuses more. A value that is missing throws. */
const bound = (sql: string, values: Readonly<Record<string, Parameter>>): Record<string, DuckDBValue> | undefined => {
  const names = new Set([...sql.matchAll(/\$([a-z][A-Za-z]*)/g)].map(([, name]) => name!));
  if (names.size === 0) return undefined;
  return Object.fromEntries(
    [...names].map((name) => {
      const value = values[name];
      if (value === undefined) throw new RangeError(`no value for $${name}`);
      return [name, bindable(value)];
    }),
  );
};

/** Nothing is prepared once and run again: DuckDB 1.5 plans by the statistics of that moment, and gives wrong rows after they changed. */
const sqlOn = (connection: DuckDBConnection, catalog: string): Sql => ({
  run: async (sql, values = {}) => {
    await connection.run(sql, bound(sql, values));
  },
  rows: async (sql, values = {}) => (await connection.runAndReadAll(sql, bound(sql, values))).getRowObjectsJS(),
  numbers: async (sql, values = {}) => numbersOf(await connection.stream(sql, bound(sql, values))),
  sums: async (sql, values, visit) => sumsOf(await connection.stream(sql, bound(sql, values)), visit),
  append: async (table, rows) => appendRows(await connection.createAppender(table, 'main', catalog), rows),
  appendSets: async (table, sets) => appendSets(await connection.createAppender(table, 'main', catalog), sets),
});

/** A single-quoted SQL string. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
/** A double-quoted SQL name. */
export const named = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const MAX_READERS = 8;
/** One reading at a time; its connection stays for the next. */
interface Reader {
  readonly turns: Mutex;
  connection: DuckDBConnection | undefined;
}
const hangUp = (reader: Reader): void => {
  reader.connection?.closeSync();
  reader.connection = undefined;
};

/** Folder of the files that DuckDB may attach while it runs. */
export const storeFolder = (folder: string): string => join(folder, 'store');
const KEY = /^[0-9a-f]{64}$/;
const attach = (path: string, name: string, key: string): string => {
  if (!KEY.test(key)) throw new RangeError('the key is not hex of 32 bytes');
  return `ATTACH ${quoted(path)} AS ${name} (ENCRYPTION_KEY '${key}', ENCRYPTION_CIPHER 'GCM')`;
};

export class Database {
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  /** Name that the file is attached by. */
  #name = 'vault';
  #copies = 0;
  readonly #writing = new Mutex();
  readonly #readers: readonly Reader[] = Array.from({ length: MAX_READERS }, () => ({ turns: new Mutex(1000), connection: undefined }));
  #nextReader = 0;

  private constructor(instance: DuckDBInstance, writer: DuckDBConnection) {
    this.#instance = instance;
    this.#writer = writer;
  }

  /** Throws StoreError `StoreLocked` when the file can't be opened: wrong key, another process, or a damaged file. */
  static async open(options: DatabaseOptions): Promise<Database> {
    const spill = join(options.folder, 'spill');
    const store = storeFolder(options.folder);
    for (const folder of [spill, store]) await mkdir(folder, { recursive: true, mode: 0o700 });
    const instance = await DuckDBInstance.create(':memory:', {
      temp_directory: spill,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      ...(options.threads !== undefined && { threads: String(options.threads) }),
      ...(options.memoryLimitBytes !== undefined && { memory_limit: `${Math.floor(options.memoryLimitBytes / 1_048_576)}MiB` }),
    });
    const writer = await instance.connect();
    try {
      await writer.run(`LOAD ${quoted(options.httpfs)}`);
      await writer.run('SET temp_file_encryption = true');
      await writer.run(attach(join(options.folder, options.file ?? 'vault.db'), 'vault', options.key));
      await writer.run(`SET allowed_directories = [${[...options.folders, store].map(quoted).join(', ')}]`);
      await writer.run('SET enable_external_access = false');
      await writer.run('SET lock_configuration = true');
      await writer.run('USE vault');
    } catch (error) {
      instance.closeSync();
      // The statement holds the key and DuckDB may quote it: nothing of the cause goes on.
      throw new StoreError(
        'StoreLocked',
        `the Vault's file can't be opened (${kindOf(error)}): check the data key, the httpfs extension, and that no other process holds it`,
        undefined,
      );
    }
    return new Database(instance, writer);
  }

  /** One transaction, alone. Commits when `work` returns, rolls back when it throws; a commit is on disk when this returns. */
  write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#writing.run(() => transaction(this.#writer, this.#name, 'BEGIN TRANSACTION', work));
  }

  /** One consistent reading. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    this.#nextReader = (this.#nextReader + 1) % MAX_READERS;
    const reader = this.#readers[this.#nextReader]!;
    return reader.turns.run(async () => {
      try {
        reader.connection ??= await this.#connect();
        return await transaction(reader.connection, this.#name, 'BEGIN TRANSACTION READ ONLY', work);
      } catch (error) {
        hangUp(reader);
        throw error;
      }
    });
  }
  async #connect(): Promise<DuckDBConnection> {
    const connection = await this.#instance.connect();
    await connection.run(`USE ${this.#name}`);
    return connection;
  }
  /** Waits for whoever reads. */
  async #hangUpAll(): Promise<void> {
    for (const reader of this.#readers) await reader.turns.run(() => Promise.resolve(hangUp(reader)));
  }

  /**
   * All that is committed now, as another encrypted file in `store`, durable when this returns; writing and reading go on.
   * `mark` may change the copy before it is closed. Throws StoreError.
   */
  async copyTo(path: string, key: string, mark?: (sql: Sql) => Promise<void>): Promise<void> {
    const connection = await this.#instance.connect();
    try {
      const name = await this.#copy(connection, path, key, mark);
      await connection.run(`DETACH ${name}`);
    } finally {
      connection.closeSync();
    }
  }
  async #copy(connection: DuckDBConnection, path: string, key: string, mark?: (sql: Sql) => Promise<void>): Promise<string> {
    const name = `vault_${++this.#copies}`;
    try {
      await connection.run(attach(path, name, key));
      await connection.run(`COPY FROM DATABASE ${this.#name} TO ${name}`);
      if (mark) {
        await connection.run(`USE ${name}`);
        await mark(sqlOn(connection, name));
        await connection.run(`USE memory`);
      }
      await connection.run(`CHECKPOINT ${name}`);
      return name;
    } catch (error) {
      await connection.run(`USE ${connection === this.#writer ? this.#name : 'memory'}`);
      await connection.run(`DETACH DATABASE IF EXISTS ${name}`);
      // The statement holds a key and DuckDB may quote it: nothing of the cause goes on.
      throw new StoreError(codeOf(error), `the store could not be copied (${kindOf(error)})`, undefined);
    }
  }

  /**
   * Goes on in a file at `path` under `key`: writers wait while it is written, readers don't. `taken` makes it the one that the next
   * start opens; when it throws, nothing has changed. The file before is closed then.
   */
  rekey(path: string, key: string, taken: () => Promise<void>): Promise<void> {
    return this.#writing.run(async () => {
      const before = this.#name;
      const next = await this.#copy(this.#writer, path, key);
      try {
        await taken();
      } catch (error) {
        await this.#writer.run(`DETACH ${next}`);
        throw error;
      }
      await this.#writer.run(`USE ${next}`);
      this.#name = next;
      // Whoever reads now began in the file before.
      await this.#hangUpAll();
      await this.#writer.run(`DETACH ${before}`);
    });
  }

  /** Waits for the writer, then closes the file. */
  async close(): Promise<void> {
    await this.#writing.run(async () => {
      await this.#writer.run(`CHECKPOINT ${this.#name}`);
      await this.#hangUpAll();
      this.#writer.closeSync();
      this.#instance.closeSync();
    });
  }
}

const transaction = async <T>(connection: DuckDBConnection, catalog: string, begin: string, work: (sql: Sql) => Promise<T>): Promise<T> => {
  await connection.run(begin);
  let result: T;
  try {
    result = await work(sqlOn(connection, catalog));
  } catch (error) {
    await connection.run('ROLLBACK').catch((worse: unknown) => {
      throw new StoreError('StoreBroken', `the store could not roll back (${kindOf(worse)})`, worse);
    });
    throw isOurs(error) ? error : failed('failed', error);
  }
  try {
    await connection.run('COMMIT');
  } catch (error) {
    throw failed('could not commit', error);
  }
  return result;
};
/** Errors with a code of their own pass through; the operating system's don't. */
const isOurs = (error: unknown): boolean => error instanceof Error && 'code' in error && !('syscall' in error);
