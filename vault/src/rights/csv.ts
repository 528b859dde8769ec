/** Records as CSV (RFC 4180). Values came from files of others: a spreadsheet must not take one for a formula. */
import type { SubjectRecord } from '../store/subject-view.ts';

const FORMULA = /^[=+\-@\t\r]/;

/** Numbers stay numbers; other texts that begin like a formula get an apostrophe, as spreadsheets do it. */
const cell = (value: string | null): string => {
  if (value === null) return '';
  const safe = FORMULA.test(value) && !/^-?\d+$/.test(value) ? `'${value}` : value;
  return `"${safe.replaceAll('"', '""')}"`;
};

export const csvOf = (columns: readonly string[], records: readonly SubjectRecord[]): string =>
  [columns.map(cell), ...records.map((record) => columns.map((name) => cell(record[name] ?? null)))]
    .map((row) => `${row.join(',')}\r\n`)
    .join('');
