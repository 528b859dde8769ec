/** A result in the terminal: table, 95 % interval, bars. Pure. */
import { formatEpsilon, type TaskResult } from '@scs/protocol';
import { noiseHalfWidth } from './interval.ts';

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
  const width = halfWidth(result);
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
    `Noise: ${vaults} discrete Laplace at epsilon ${formatEpsilon(result.epsilon)}; together within +-${width} in 95 of 100 cases.`,
  ];
};

const halfWidth = ({ cellsPerSubject, epsilon, vaults }: TaskResult): number =>
  noiseHalfWidth(cellsPerSubject, Number(epsilon) / 1e6, vaults);

export const resultJson = (result: TaskResult): string =>
  JSON.stringify(
    {
      envelope: result.envelope,
      vaults: result.vaults,
      epsilon: formatEpsilon(result.epsilon),
      halfWidth95: halfWidth(result),
      cells: result.cells.map(({ label, count }) => (count === undefined ? { label, suppressed: true } : { label, count: Number(count) })),
    },
    null,
    2,
  );
