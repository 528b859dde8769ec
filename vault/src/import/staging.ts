/**
 * A file becomes a staged table, cell by cell checked, before a single row of the Vault changes. Files come from the
 * enterprise itself, yet are bounded and read strictly: exactly the expected columns, exactly their types.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { named, quoted, StoreError, type Sql } from '../store/database.ts';
import { ImportError } from './import-error.ts';

export type Format = 'parquet' | 'csv';
export interface ImportFile {
  readonly path: string;
  readonly format: Format;
}
/** A column of the file: SQL that casts it strictly, and a condition on the result. */
export interface Expected {
  readonly name: string;
  readonly type: 'VARCHAR' | 'BIGINT' | 'DATE' | 'TIMESTAMPTZ';
  readonly optional: boolean;
  /** SQL over the quoted name `value`; what a present value must satisfy. */
  readonly condition?: string;
  /** For people: what is expected. */
  readonly says: string;
}

export const MAX_FILE_BYTES = 16 * 1024 ** 3;

/** Hex SHA-256 of the content: the same file twice is one import. Throws ImportError on a missing or oversized file. */
export const contentDigest = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new ImportError('FileMissing', 'there is no such file');
  if (found.size > MAX_FILE_BYTES) throw new ImportError('FileTooLarge', `the file has more than ${MAX_FILE_BYTES} bytes; split it`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

const sourceOf = ({ path, format }: ImportFile): string =>
  format === 'parquet'
    ? `read_parquet(${quoted(path)})`
    : `read_csv(${quoted(path)}, header = true, all_varchar = true, strict_mode = true)`;

const unreadable = (format: Format): ImportError => new ImportError('FormatInvalid', `the file can't be read as ${format}`);

const checkColumns = (present: readonly string[], expected: readonly Expected[]): void => {
  const twice = present.find((name, i) => present.indexOf(name) !== i);
  if (twice !== undefined) throw new ImportError('ColumnTwice', `column ${twice} is there twice`);
  const missing = expected.find(({ name }) => !present.includes(name));
  if (missing)
    throw new ImportError('ColumnMissing', `column ${missing.name} is missing; expected ${expected.map((e) => e.name).join(', ')}`);
  const unknown = present.find((name) => !expected.some((e) => e.name === name));
  if (unknown !== undefined)
    throw new ImportError('ColumnUnknown', `column ${unknown} is not known; expected ${expected.map((e) => e.name).join(', ')}`);
};

const castOf = ({ name, type }: Expected): string => `try_cast(${named(name)} AS ${type})`;
/** SQL: is this cell wrong? A present value that does not cast, or casts to something the condition refuses. */
const wrongOf = (expected: Expected): string => {
  const { name, optional, condition } = expected;
  const cast = castOf(expected);
  const bad = condition === undefined ? `${cast} IS NULL` : `coalesce(NOT (SELECT ${condition} FROM (SELECT ${cast} AS value)), true)`;
  return optional ? `(${named(name)} IS NOT NULL AND ${bad})` : `(${named(name)} IS NULL OR ${bad})`;
};

/** Makes the temporary table `staged` with the expected columns. Throws ImportError with the first wrong column and row (from 1). */
export const stage = async (sql: Sql, file: ImportFile, expected: readonly Expected[]): Promise<bigint> => {
  const source = sourceOf(file);
  try {
    const described = await sql.rows(`SELECT column_name AS name FROM (DESCRIBE SELECT * FROM ${source})`);
    checkColumns(
      described.map((row) => String(row['name'])),
      expected,
    );
    const columns = expected.map((e) => `${castOf(e)} AS ${named(e.name)}`).join(', ');
    const wrong = expected.map((e, i) => `WHEN ${wrongOf(e)} THEN ${i}`).join(' ');
    await sql.run(
      `CREATE OR REPLACE TEMP TABLE staged AS SELECT ${columns}, CASE ${wrong} END AS wrong, row_number() OVER () AS number FROM ${source}`,
    );
  } catch (error) {
    throw error instanceof ImportError || error instanceof StoreError ? error : unreadable(file.format);
  }
  const [first] = await sql.rows('SELECT number, wrong FROM staged WHERE wrong IS NOT NULL ORDER BY number LIMIT 1');
  if (first) {
    const { name, says } = expected[Number(first['wrong'])]!;
    throw new ImportError('ValueInvalid', `column ${name}, row ${String(first['number'])}: expected ${says}`);
  }
  const [count] = await sql.rows('SELECT count(*) AS rows FROM staged');
  return count!['rows'] as bigint;
};
export const unstage = (sql: Sql): Promise<void> => sql.run('DROP TABLE IF EXISTS staged');
