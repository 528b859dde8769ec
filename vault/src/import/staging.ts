/**
 * A file becomes staged rows, cell by cell checked, before a single row of the Vault changes. Files come from the enterprise itself, yet
 * are bounded and read strictly. Parquet is read as often as it is needed, for it is cheaper to read than its rows are to keep in mind;
 * a CSV is parsed once and kept.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { named, quoted, StoreError, type Sql } from '../store/database.ts';
import type { Expected, Unmatched } from './columns.ts';
import { csvHeader } from './csv-header.ts';
import { ImportError } from './import-error.ts';
import { countLocal, type LocalCount } from './local-attributes.ts';

export type Format = 'parquet' | 'csv';
export interface ImportFile {
  readonly path: string;
  readonly format: Format;
}
export interface StagingRules {
  readonly expected: readonly Expected[];
  /** Whether the file may have columns that are not read. */
  readonly others: 'refuse' | 'ignore';
  readonly unmatched: 'refuse' | 'skip';
  /** Whether columns that are not read are counted (S3). */
  readonly local?: boolean;
}
/** What did not map, counted by column and reason. */
export interface UnmatchedCount {
  readonly column: string;
  readonly reason: Unmatched;
  readonly rows: string;
  /** From 1. */
  readonly firstRow: string;
}
export interface Staged {
  readonly rows: bigint;
  /** How many, about. */
  readonly subjects: number;
  readonly unmatched: readonly UnmatchedCount[];
  readonly local: readonly LocalCount[];
}

export const MAX_FILE_BYTES = 16 * 1024 ** 3;
const HASH_CHUNK = 1024 ** 2;
const MAX_LINE_BYTES = 1024 ** 2;

export interface Content {
  /** Hex SHA-256: the same file twice is one import. */
  readonly digest: string;
  /** Throws ImportError FileChanged unless the file has been as it was since before it was hashed. */
  readonly ensureSame: () => Promise<void>;
}
/** Throws ImportError on a missing or oversized file. */
export const contentOf = async (path: string): Promise<Content> => {
  const look = () => stat(path, { bigint: true }).catch(() => undefined);
  const found = await look();
  if (!found?.isFile()) throw new ImportError('FileMissing', 'there is no such file');
  if (found.size > MAX_FILE_BYTES) throw new ImportError('FileTooLarge', `the file has more than ${MAX_FILE_BYTES} bytes; split it`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: HASH_CHUNK }), hash);
  return {
    digest: hash.digest('hex'),
    ensureSame: async () => {
      const now = await look();
      // A change of the inode can't be dated back, as that of the content can.
      const same = now && now.dev === found.dev && now.ino === found.ino && now.size === found.size && now.ctimeNs === found.ctimeNs;
      if (!same) throw new ImportError('FileChanged', 'the file was changed while it was read; import it again');
    },
  };
};

/** SQL of the file's rows. Nothing of a CSV is guessed: its columns are those of its header, as text. */
const sourceOf = async ({ path, format }: ImportFile): Promise<string> => {
  if (format === 'parquet') return `read_parquet(${quoted(path)}, file_row_number = true)`;
  const names = await csvHeader(path);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ImportError('ColumnTwice', `column ${twice} is there twice`);
  const columns = names.map((name) => `${quoted(name)}: 'VARCHAR'`).join(', ');
  return `read_csv(${quoted(path)}, header = true, auto_detect = false, columns = {${columns}}, delim = ',', quote = '"', escape = '"',
    strict_mode = true, encoding = 'utf-8', max_line_size = ${MAX_LINE_BYTES})`;
};
/** Parquet tells each row's number, which leaves the order of work free; a CSV's lines are counted. */
const ROW_NUMBER: Record<Format, string> = { parquet: 'file_row_number + 1', csv: 'row_number() OVER ()' };

/** What is not the file's fault: no room, no memory, a broken store. */
const OURS = /No space left|out of disk space|Out of Memory Error|FATAL Error|has been invalidated|INTERNAL Error|Constraint Error/i;
/**
 * What `work` gives, which reads the file: where DuckDB can't, throws ImportError FormatInvalid. DuckDB's message may quote the file: the
 * line's number alone is taken from it.
 */
export const reading = async <T>({ format }: ImportFile, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (error instanceof ImportError || error instanceof StoreError || OURS.test(message)) throw error;
    const line = /Line: (\d{1,15})/.exec(message)?.[1];
    const where = line === undefined ? '' : `, row ${Math.max(1, Number(line) - 1)}`;
    throw new ImportError('FormatInvalid', `the file can't be read as ${format}${where}`);
  }
};

const checkColumns = (types: ReadonlyMap<string, string>, { expected, others }: StagingRules): void => {
  const wanted = expected.flatMap(({ from }) => from ?? []).join(', ');
  for (const { from, reads, says } of expected) {
    if (from === undefined) continue;
    const type = types.get(from);
    if (type === undefined) throw new ImportError('ColumnMissing', `column ${from} is missing; expected ${wanted}`);
    if (!reads(type)) throw new ImportError('ColumnTypeInvalid', `column ${from} is ${type.slice(0, 40)}; expected ${says}`);
  }
  const unknown = others === 'ignore' ? undefined : [...types.keys()].find((name) => !expected.some(({ from }) => from === name));
  if (unknown !== undefined) throw new ImportError('ColumnUnknown', `column ${unknown} is not known; expected ${wanted}`);
};
const columnTypes = async (sql: Sql, source: string): Promise<ReadonlyMap<string, string>> => {
  const described = await sql.rows(`SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${source})`);
  const types = new Map<string, string>();
  for (const row of described) {
    const name = String(row['name']);
    if (types.has(name)) throw new ImportError('ColumnTwice', `column ${name} is there twice`);
    if (name !== 'file_row_number') types.set(name, String(row['type']));
  }
  return types;
};

/** Columns that a file need not have, and has not, are constants. */
const withoutAbsent = (rules: StagingRules, types: ReadonlyMap<string, string>): StagingRules => ({
  ...rules,
  expected: rules.expected.map((e) => {
    const { from, ifAbsent } = e;
    if (ifAbsent === undefined || from === undefined || types.has(from)) return e;
    return { ...e, from: undefined, value: () => ifAbsent, checks: () => [] };
  }),
});

/**
 * Makes the temporary view or table `staged`: the expected columns, and `number` (from 1). Throws ImportError that names the first wrong
 * column and row; where unmatched rows are skipped, counts them instead.
 */
export const stage = (sql: Sql, file: ImportFile, given: StagingRules): Promise<Staged> =>
  reading(file, async () => {
    const faults: { readonly expected: Expected; readonly reason: Unmatched }[] = [];
    const source = await sourceOf(file);
    const types = await columnTypes(sql, source);
    const rules = withoutAbsent(given, types);
    checkColumns(types, rules);
    // S3: a local attribute that this Vault keeps is still none of the catalogue's, and reported as before.
    const read = new Set(rules.expected.flatMap(({ from, ifAbsent }) => (ifAbsent === undefined ? (from ?? []) : [])));
    const local = rules.local ? await countLocal(sql, source, types, read) : [];
    const typeOf = ({ from }: Expected): string => (from === undefined ? '' : types.get(from)!);
    const columns = rules.expected.map((e) => `${e.value(typeOf(e))} AS ${named(e.name)}`).join(', ');
    const wrong = rules.expected.flatMap((expected) =>
      expected.checks(typeOf(expected)).map(({ reason, wrong: bad }) => `WHEN ${bad} THEN ${faults.push({ expected, reason }) - 1}`),
    );
    await sql.run(
      `CREATE OR REPLACE TEMP ${file.format === 'csv' ? 'TABLE' : 'VIEW'} checked AS
         SELECT ${columns}, CASE ${wrong.join(' ')} END AS wrong, ${ROW_NUMBER[file.format]} AS number FROM ${source}`,
    );
    const counts = await sql.rows(
      'SELECT wrong, count(*) AS rows, min(number) AS first, approx_count_distinct(subject) AS subjects FROM checked GROUP BY wrong ORDER BY first',
    );
    const bad = counts.filter((row) => row['wrong'] !== null);
    const [first] = bad;
    if (first && rules.unmatched === 'refuse') {
      const { name, from, says } = faults[Number(first['wrong'])]!.expected;
      throw new ImportError('ValueInvalid', `column ${from ?? name}, row ${String(first['first'])}: expected ${says}`);
    }
    await sql.run('CREATE OR REPLACE TEMP VIEW staged AS SELECT * EXCLUDE (wrong) FROM checked WHERE wrong IS NULL');
    const unmatched = bad.map((row): UnmatchedCount => {
      const { expected, reason } = faults[Number(row['wrong'])]!;
      return { column: expected.from ?? expected.name, reason, rows: String(row['rows']), firstRow: String(row['first']) };
    });
    const right = counts.find((row) => row['wrong'] === null);
    return {
      rows: (right?.['rows'] as bigint | undefined) ?? 0n,
      subjects: Math.max(1, Number(right?.['subjects'] ?? 1)),
      unmatched,
      local,
    };
  });
