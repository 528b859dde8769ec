/** A result in the terminal: table, 95 % interval, bars. Pure. */
import { epsilonShare, formatEpsilon, type TaskResult } from '@scs/protocol';
import { countHalfWidth, measureLines, measureName, shownValue } from './result-measures.ts';

const BAR = 40;
const SUPPRESSED = 'suppressed: the noisy count is below the minimum cardinality';
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

const bar = (value: number, top: number): string => {
  const eighths = Math.max(0, Math.round((value / top) * BAR * 8));
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
};

const atLeastZero = (value: number): number => Math.max(0, value);

/** A noisy count may be negative, a number of people never is: the interval is cut at zero, the count is shown as it is. */
export const resultLines = (result: TaskResult): string[] => {
  const width = countHalfWidth(result);
  const labelWidth = Math.max(5, ...result.cells.map((c) => c.label.length));
  const top = Math.max(1, ...result.cells.map((c) => Number(c.count ?? 0n)));
  const row = (label: string, count: string, interval: string, rest: string): string =>
    `${label.padEnd(labelWidth)}  ${count.padStart(7)}  ${interval.padStart(13)}  ${rest}`.trimEnd();
  const rows = result.cells.map(({ label, count }) => {
    if (count === undefined) return `${label.padEnd(labelWidth)}  ${SUPPRESSED}`;
    const noisy = Number(count);
    return row(label, String(count), `${atLeastZero(noisy - width)}..${atLeastZero(noisy + width)}`, bar(noisy, top));
  });
  const vaults = result.vaults === 1 ? '1 Vault, with' : `${result.vaults} Vaults, each with`;
  return [
    row('cell', 'count', '95 % interval', ''),
    ...rows,
    `Noise: ${vaults} discrete Laplace at epsilon ${formatEpsilon(epsilonShare(result))}; together within +-${width} in 95 of 100 cases.`,
    ...measureLines(result),
  ];
};

const cellJson = (result: TaskResult, cell: TaskResult['cells'][number]): object => {
  const { label, count } = cell;
  if (count === undefined) return { label, suppressed: true };
  const measures = (result.measures ?? []).map((measure, place) => ({ measure: measureName(measure), ...shownValue(result, cell, place) }));
  return { label, count: Number(count), ...(measures.length > 0 && { measures }) };
};

export const resultJson = (result: TaskResult): string =>
  JSON.stringify(
    {
      envelope: result.envelope,
      vaults: result.vaults,
      epsilon: formatEpsilon(result.epsilon),
      halfWidth95: countHalfWidth(result),
      cells: result.cells.map((cell) => cellJson(result, cell)),
    },
    null,
    2,
  );
