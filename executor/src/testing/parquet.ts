/** Small Parquet files made by DuckDB, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BIGINT, DATE, DuckDBDateValue, DuckDBInstance, LIST, VARCHAR } from '@duckdb/node-api';

/** `undefined` is a missing value; dates are ISO texts in columns named in `dates`, whole numbers texts in those of `integers`. */
export type Row = Readonly<Record<string, string | undefined>>;
export interface Table {
  readonly columns: readonly string[];
  readonly dates?: readonly string[];
  readonly integers?: readonly string[];
  readonly rows: readonly Row[];
}

export const temporaryFolder = (): { readonly path: string } & Disposable => {
  const path = mkdtempSync(join(tmpdir(), 'scs-executor-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const day = (text: string): DuckDBDateValue => new DuckDBDateValue(Math.round(Date.parse(`${text}T00:00:00Z`) / 86_400_000));

export const writeParquet = async (path: string, { columns, dates = [], integers = [], rows }: Table): Promise<string> => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const unnested = columns.map((name, i) => `unnest($${i + 1}) AS ${quote(name)}`);
  const prepared = await connection.prepare(`CREATE TABLE t AS SELECT ${unnested.join(', ')}`);
  columns.forEach((name, i) => {
    const values = rows.map((row) => row[name]);
    if (dates.includes(name))
      prepared.bindList(
        i + 1,
        values.map((v) => (v === undefined ? null : day(v))),
        LIST(DATE),
      );
    else if (integers.includes(name))
      prepared.bindList(
        i + 1,
        values.map((v) => (v === undefined ? null : BigInt(v))),
        LIST(BIGINT),
      );
    else
      prepared.bindList(
        i + 1,
        values.map((v) => v ?? null),
        LIST(VARCHAR),
      );
  });
  await prepared.run();
  await connection.run(`COPY t TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return path;
};

/** A Parquet file from a SELECT, for types that `writeParquet` does not make. */
export const writeQuery = async (path: string, select: string): Promise<string> => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return path;
};
