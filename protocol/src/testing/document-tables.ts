/** Tables of a document in docs/, so that its worked examples can be run as tests. */
import { readFileSync } from 'node:fs';

export type Row = Readonly<Record<string, string>>;
const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

/** `rowsOf(heading, n)`: the nth table under a heading, as rows by column. Throws on none, so that a renamed heading fails. */
export const tablesIn = (name: string) => {
  const document = readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
  const rowsOf = (heading: string, table = 0): Row[] => {
    const section = document.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
    const found = [...(section ?? '').matchAll(/^(\|.*)\n\|[-|]+\|\n((?:\|.*\n?)+)/gm)][table];
    if (!found) throw new Error(`docs/${name} has no table ${table} under ${heading}`);
    const columns = cellsOf(found[1]!);
    return found[2]!
      .trim()
      .split('\n')
      .map((line) => Object.fromEntries(cellsOf(line).map((cell, i) => [columns[i]!, cell])));
  };
  return { rowsOf };
};
/** `1, 2, 3` in a cell. */
export const list = (cell: string): string[] => cell.split(',').map((item) => item.trim());
