/** A result in the terminal: table, 95 % interval, bars. Pure. */
import { formatEpsilon, type TaskResult } from '@scs/protocol';
import { noiseHalfWidth } from './interval.ts';

const BAR = 40;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

const bar = (value: number, top: number): string => {
  const eighths = Math.max(0, Math.round((value / top) * BAR * 8));
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
};

export const resultLines = (result: TaskResult): string[] => {
  const width = noiseHalfWidth(result.cellsPerSubject, Number(result.epsilon) / 1e6, result.vaults);
  const labelWidth = Math.max(5, ...result.cells.map((c) => c.label.length));
  const top = Math.max(1, ...result.cells.map((c) => Number(c.count ?? 0n)));
  const rows = result.cells.map(({ label, count }) =>
    count === undefined
      ? `${label.padEnd(labelWidth)}  suppressed (noisy count below the minimum cardinality)`
      : `${label.padEnd(labelWidth)}  ${String(count).padStart(7)}  ${`${Math.max(0, Number(count) - width)}..${Number(count) + width}`.padStart(13)}  ${bar(Number(count), top)}`,
  );
  return [
    `${'cell'.padEnd(labelWidth)}  ${'count'.padStart(7)}  ${'95 % interval'.padStart(13)}`,
    ...rows,
    `Noise: ${result.vaults} Vaults, each discrete Laplace at epsilon ${formatEpsilon(result.epsilon)}; together within +-${width} in 95 of 100 cases.`,
  ];
};

export const resultJson = (result: TaskResult): string =>
  JSON.stringify(
    {
      envelope: result.envelope,
      vaults: result.vaults,
      epsilon: formatEpsilon(result.epsilon),
      halfWidth95: noiseHalfWidth(result.cellsPerSubject, Number(result.epsilon) / 1e6, result.vaults),
      cells: result.cells.map(({ label, count }) => (count === undefined ? { label, suppressed: true } : { label, count: Number(count) })),
    },
    null,
    2,
  );
