/** The three masters in the terminal, from their metrics: who leads, how far each is, whose counter counts (rules N1, N7). Pure. */

/** One master's figures; undefined when it did not answer. */
export type MasterFigures = ReadonlyMap<string, number> | undefined;

const MOST_LINES = 20_000;
/** Series of a Prometheus text by name and labels as written. What is no number is left out. */
export const parseMetrics = (text: string): ReadonlyMap<string, number> => {
  const found = new Map<string, number>();
  for (const line of text.split('\n', MOST_LINES)) {
    const [, name, value] = /^([a-z_]+(?:\{[^}]{0,400}\})?) (-?[0-9.e+]+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name, Number(value));
  }
  return found;
};

/** The value of `label` in the series of that name which says 1. */
const labelOf = (figures: ReadonlyMap<string, number>, name: string, label: string): string | undefined => {
  for (const [series, value] of figures) {
    if (value !== 1 || !series.startsWith(`${name}{`)) continue;
    return new RegExp(`${label}="([A-Za-z0-9]{1,64})"`).exec(series)?.[1];
  }
  return undefined;
};

const row = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join('  ')
    .trimEnd();

const cellsOf = (index: number, figures: MasterFigures): readonly string[] => {
  if (!figures) return [String(index), 'does not answer', '', '', '', '', '', ''];
  const of = (name: string): string => String(figures.get(name) ?? '-');
  const halted = figures.get('scs_log_halted') === 1;
  const condition = labelOf(figures, 'scs_agreement_condition', 'code') ?? (halted ? 'Halted' : 'fine');
  const primary = figures.get('scs_log_primary') === 1 ? 'primary' : '';
  const counter = labelOf(figures, 'scs_agreement_counter_info', 'key') ?? '-';
  const archive = mebibytes(figures.get('scs_archive_bytes'));
  return [String(index), of('scs_log_height'), of('scs_log_live_from'), archive, of('scs_agreement_view'), primary, counter, condition];
};
const mebibytes = (bytes: number | undefined): string => (bytes === undefined ? '-' : `${(bytes / 1024 / 1024).toFixed(1)} MiB`);

/** X1: of masters that lack blocks. While one other has them they come by themselves. */
const lacking = (figures: MasterFigures, index: number): readonly string[] => {
  const missing = figures?.get('scs_archive_missing_blocks') ?? 0;
  return missing > 0
    ? [`Master ${index} lacks ${missing} decided blocks and asks the others. See ArchiveIncomplete in docs/troubleshooting.md.`]
    : [];
};
const COLUMNS = ['master', 'height', 'live from', 'archive', 'view', 'role', 'counter', 'condition'] as const;

/** Lines of a table, and one that says what the whole group can do. */
export const mastersLines = (masters: readonly MasterFigures[]): readonly string[] => {
  const table: (readonly string[])[] = [COLUMNS, ...masters.map((figures, i) => cellsOf(i, figures))];
  const widths = COLUMNS.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  const fine = table.slice(1).filter((cells) => cells.at(-1) === 'fine').length;
  const verdict =
    fine === 3
      ? 'One of three may fail.'
      : fine === 2
        ? 'Two of three take part: one more lost, and nothing is decided.'
        : 'Fewer than two take part: the group is read-only. See docs/troubleshooting.md by the condition.';
  const proven = masters.some((figures) => (figures?.get('scs_offences') ?? 0) > 0);
  const twice = 'There is proof that a master voted for two blocks at one height. See MasterVotedTwice in docs/troubleshooting.md.';
  return [...table.map((cells) => row(cells, widths)), '', verdict, ...masters.flatMap(lacking), ...(proven ? [twice] : [])];
};
