/** DuckDB with nothing but two files to read: no other path, no network, no extension, no change of configuration, no spilling. */
import { DuckDBInstance, INTEGER, LIST, VARCHAR, type DuckDBConnection, type DuckDBPreparedStatement } from '@duckdb/node-api';
import type { Columns, Parameter, Statement } from './compile.ts';

export interface Limits {
  readonly memoryBytes: number;
  readonly threads: number;
  readonly timeoutMs: number;
}
/** Calls `fire` after `ms`; the returned function calls it off. */
export type Timer = (ms: number, fire: () => void) => () => void;
export const realTimer: Timer = (ms, fire) => {
  const timer = setTimeout(fire, ms);
  return () => clearTimeout(timer);
};

const SAFE_PATH = /^\/[A-Za-z0-9/_.-]{1,400}$/;
/** Absolute, of plain characters, without `..`: it is written into a setting. */
export const isSafePath = (path: string): boolean => SAFE_PATH.test(path) && !path.split('/').includes('..');

const configuration = ({ memoryBytes, threads }: Limits): Record<string, string> => ({
  memory_limit: `${Math.trunc(memoryBytes / 1024)}KiB`,
  threads: String(Math.trunc(threads)),
  temp_directory: '',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
  preserve_insertion_order: 'false',
});
const locks = (paths: readonly string[]): readonly string[] => [
  `SET allowed_paths = [${paths.map((path) => `'${path}'`).join(', ')}]`,
  'SET enable_external_access = false',
  'SET lock_configuration = true',
];

export class LockedDatabase implements Disposable {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /** Throws RangeError on a path that is not safe. */
  static async open(paths: readonly string[], limits: Limits): Promise<LockedDatabase> {
    const unsafe = paths.find((path) => !isSafePath(path));
    if (unsafe !== undefined) throw new RangeError('the path of a snapshot file is not a plain absolute path');
    const instance = await DuckDBInstance.create(':memory:', configuration(limits));
    const connection = await instance.connect();
    for (const lock of locks(paths)) await connection.run(lock);
    return new LockedDatabase(instance, connection);
  }

  async columns(path: string): Promise<Columns> {
    const prepared = await this.#connection.prepare('SELECT * FROM read_parquet($1) LIMIT 0');
    prepared.bindVarchar(1, path);
    const result = await prepared.run();
    const types = result.columnTypes();
    return new Map(result.columnNames().map((name, i) => [name, String(types[i])]));
  }

  async rows({ sql, parameters }: Statement): Promise<readonly (readonly unknown[])[]> {
    const prepared = await this.#connection.prepare(sql);
    parameters.forEach((parameter, i) => bind(prepared, i + 1, parameter));
    return (await prepared.run()).getRows();
  }

  /** For tests of the lock. */
  async run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  /** Ends what runs, with an error there. */
  interrupt(): void {
    this.#connection.interrupt();
  }

  [Symbol.dispose](): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

const bind = (prepared: DuckDBPreparedStatement, place: number, parameter: Parameter): void => {
  switch (parameter.type) {
    case 'text':
      return prepared.bindVarchar(place, parameter.value);
    case 'integer':
      return prepared.bindBigInt(place, parameter.value);
    case 'texts':
      return prepared.bindList(place, [...parameter.values], LIST(VARCHAR));
    case 'integers':
      return prepared.bindList(place, [...parameter.values], LIST(INTEGER));
  }
};
