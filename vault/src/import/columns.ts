/**
 * What is expected of a file's columns: where each comes from, how it is read, and what may be wrong with a cell, in the order in
 * which it is looked for. Reading is strict: nothing is rounded, cut or guessed.
 */
import type { Mapping } from '@scs/protocol';
import { named, quoted } from '../store/database.ts';
import { sqlType, type Column, type LocalColumn } from '../store/schema.ts';
import { MAX_SUBJECT_LENGTH } from '../store/subjects.ts';

/** Why a record does not map. */
export type Unmatched = 'Missing' | 'TypeInvalid' | 'OutOfRange' | 'TooLong' | 'ValueUnknown' | 'Erased';
export interface Check {
  readonly reason: Unmatched;
  /** SQL over the file's columns: true when the cell is wrong. */
  readonly wrong: string;
}
/** A column of the staged table. */
export interface Expected {
  readonly name: string;
  /** Column of the file; undefined for a constant. */
  readonly from: string | undefined;
  /** May a column of the file of this type be read as it? */
  readonly reads: (fileType: string) => boolean;
  /** SQL over the file's columns. */
  readonly value: (fileType: string) => string;
  readonly checks: (fileType: string) => readonly Check[];
  /** SQL of the value where the file has no such column; without it, it must. */
  readonly ifAbsent?: string;
  /** For people: what is expected. */
  readonly says: string;
}

const MAX_TEXT_LENGTH = 4096;
const INTEGERS = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'UHUGEINT'];
const isNumber = (fileType: string): boolean =>
  INTEGERS.includes(fileType) || fileType === 'FLOAT' || fileType === 'DOUBLE' || fileType.startsWith('DECIMAL');

/** File types that a column may have. Text may hold anything; others only what loses nothing. */
const readable: Record<'VARCHAR' | 'BIGINT' | 'DATE' | 'TIMESTAMPTZ', (fileType: string) => boolean> = {
  VARCHAR: (type) => type === 'VARCHAR' || type === 'UUID' || type.startsWith('ENUM') || INTEGERS.includes(type),
  BIGINT: (type) => type === 'VARCHAR' || isNumber(type),
  DATE: (type) => type === 'VARCHAR' || type === 'DATE',
  TIMESTAMPTZ: (type) => type === 'VARCHAR' || type.startsWith('TIMESTAMP') || type === 'DATE',
};

/** SQL of the typed value, NULL where it can't be read; and SQL that is true where a present cell has another shape. */
const wholeNumber = (cell: string, fileType: string): readonly [string, string] => {
  const value = `try_cast(${cell} AS BIGINT)`;
  if (fileType === 'VARCHAR') return [value, `NOT regexp_full_match(${cell}, '[+-]?[0-9]{1,40}')`];
  return [value, INTEGERS.includes(fileType) ? 'false' : `(NOT isfinite(${cell}::DOUBLE) OR ${cell} <> floor(${cell}))`];
};
const dateOf = (cell: string, fileType: string, format: string | undefined): readonly [string, string] => {
  if (fileType === 'DATE') return [cell, 'false'];
  if (format !== undefined) return [`try_strptime(${cell}, ${quoted(format)})::DATE`, 'false'];
  return [`try_cast(${cell} AS DATE)`, `NOT regexp_full_match(${cell}, '[0-9]{4}-[0-9]{2}-[0-9]{2}')`];
};

const SAYS: Record<Column['type'], string> = {
  string: `text of at most ${MAX_TEXT_LENGTH} characters`,
  integer: 'a whole number',
  date: 'a date, YYYY-MM-DD',
};

/** An attribute; absent values stay absent (NULL). */
export const attributeColumn = (column: Column, mapping: Mapping['attributes'][number] | undefined): Expected => {
  const from = mapping?.column ?? column.name;
  const cell = named(from);
  const values = mapping?.values ?? [];
  const translated = (text: string): string =>
    `(CASE ${text} ${values.map(({ from: key, to }) => `WHEN ${quoted(key)} THEN ${quoted(to)}`).join(' ')} END)`;
  const source = values.length > 0 ? translated(`${cell}::VARCHAR`) : cell;
  const typeOf = (fileType: string): string => (values.length > 0 ? 'VARCHAR' : fileType);
  const read = (fileType: string): readonly [string, string] => {
    const type = typeOf(fileType);
    if (column.type === 'integer') return wholeNumber(source, type);
    if (column.type === 'date') return dateOf(source, type, mapping?.dateFormat);
    return [`${source}::VARCHAR`, 'false'];
  };
  return {
    name: column.name,
    from,
    reads: readable[sqlType(column)],
    value: (fileType) => read(fileType)[0],
    checks: (fileType) => {
      const [value, misshapen] = read(fileType);
      const present = `${cell} IS NOT NULL`;
      const unknown: Check[] = values.length > 0 ? [{ reason: 'ValueUnknown', wrong: `${present} AND ${source} IS NULL` }] : [];
      if (column.type === 'string') return [...unknown, { reason: 'TooLong', wrong: `length(${value}) > ${MAX_TEXT_LENGTH}` }];
      const typed: Check = { reason: 'TypeInvalid', wrong: `${present} AND (${misshapen})` };
      const outside = column.type === 'date' ? `OR NOT (${value} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31')` : '';
      // What has the right shape and still can't be held: the 32nd of March, or twenty digits.
      return [...unknown, typed, { reason: 'OutOfRange', wrong: `${present} AND (${value} IS NULL ${outside})` }];
    },
    says:
      mapping && values.length > 0
        ? 'a value that the mapping knows'
        : mapping?.dateFormat === undefined
          ? SAYS[column.type]
          : `a date as ${mapping.dateFormat}`,
  };
};

/** S3: a column that the manifest keeps though it is not canonical; files may come without it. */
export const localAttributeColumn = (column: LocalColumn): Expected => ({
  ...attributeColumn({ ...column, name: column.local }, undefined),
  name: column.name,
  ifAbsent: `NULL::${sqlType(column)}`,
});

/** Text that must be there. */
const required = (name: string, from: string, condition: string, reason: Unmatched, says: string): Expected => {
  const cell = `${named(from)}::VARCHAR`;
  return {
    name,
    from,
    reads: readable.VARCHAR,
    value: () => cell,
    checks: () => [
      { reason: 'Missing', wrong: `${named(from)} IS NULL OR ${cell} = ''` },
      { reason, wrong: `NOT (${condition.replaceAll('$cell', cell)})` },
    ],
    says,
  };
};
export const subjectColumn = (from = 'subject'): Expected =>
  required('subject', from, `length($cell) <= ${MAX_SUBJECT_LENGTH}`, 'TooLong', `text of 1 to ${MAX_SUBJECT_LENGTH} characters`);
export const keyColumn = (from: string): Expected =>
  required('key', from, `length($cell) <= ${MAX_SUBJECT_LENGTH}`, 'TooLong', `text of 1 to ${MAX_SUBJECT_LENGTH} characters`);
export const producerColumn = (from = 'producer'): Expected =>
  required('producer', from, "regexp_full_match($cell, '0x[0-9a-f]{64}')", 'TypeInvalid', "the producer's address, 0x and 64 hex digits");
/** The same for every record. */
export const constantColumn = (name: string, value: string): Expected => ({
  name,
  from: undefined,
  reads: () => true,
  value: () => quoted(value),
  checks: () => [],
  says: '',
});
export const choiceColumn = (name: string, choices: readonly string[]): Expected =>
  required(name, name, `$cell IN (${choices.map(quoted).join(', ')})`, 'ValueUnknown', choices.join(', '));
/** Times between 1970 and `now`, milliseconds. */
export const timeColumn = (name: string, now: number): Expected => {
  const cell = named(name);
  return {
    name,
    from: name,
    reads: readable.TIMESTAMPTZ,
    value: () => `try_cast(${cell} AS TIMESTAMPTZ)`,
    checks: () => [
      { reason: 'Missing', wrong: `${cell} IS NULL` },
      { reason: 'TypeInvalid', wrong: `NOT coalesce(isfinite(try_cast(${cell} AS TIMESTAMPTZ)), false)` },
      { reason: 'OutOfRange', wrong: `coalesce(NOT epoch_ms(try_cast(${cell} AS TIMESTAMPTZ)) BETWEEN 0 AND ${now}, true)` },
    ],
    says: 'a time between 1970 and now',
  };
};
