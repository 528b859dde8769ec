/** What a benchmark says: the work in words, tables of figures each beside its baseline. Printed, and put into docs/benchmarks.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}
export interface Report {
  /** Section of docs/benchmarks.md that the figures go into. */
  readonly name: string;
  /** What was run, in sentences. */
  readonly work: readonly string[];
  readonly tables: readonly Table[];
}

const markdownTable = ({ head, rows }: Table): string =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
export const markdown = (report: Report): string => [...report.work, ...report.tables.map(markdownTable)].join('\n\n');

const plainTable = ({ head, rows }: Table): string => {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
};
export const plain = (report: Report): string =>
  [`\n${report.name}`, ...report.work, ...report.tables.map((table) => `\n${plainTable(table)}`)].join('\n');

const document = join(resolve(import.meta.dirname, '..', '..'), 'docs', 'benchmarks.md');

/** Replaces the figures between the marks of that name; the words around them stay. Throws when the document lacks the marks. */
export const writeFigures = (report: Report, file = document): void => {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- figures: ${report.name} -->`, `<!-- end: ${report.name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no place for the figures of ${report.name}: ${begin} ... ${end}`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n${markdown(report)}\n${text.slice(to)}`);
};
