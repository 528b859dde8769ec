/** Sums, means and quantiles of a result in the terminal, below its counts. Pure. */
import { epsilonShare, histogramVariance, measureScale, type PlanMeasure, type TaskResult } from '@scs/protocol';
import { noiseHalfWidth } from './interval.ts';

/** 97.5 % quantile of the normal distribution. */
const Z = 1.959964;
type Additive = Extract<PlanMeasure, { kind: 'sum' | 'mean' }>;

/** Half width of the counts' 95 % interval. */
export const countHalfWidth = (result: TaskResult): number =>
  noiseHalfWidth(result.cellsPerSubject, Number(epsilonShare(result)) / 1e6, result.vaults);
/** Of a sum's, in the attribute's units. */
const sumHalfWidth = (measure: Additive, result: TaskResult): number => {
  const { numerator, denominator } = measureScale(measure, result);
  return noiseHalfWidth(Number(numerator), Number(denominator), result.vaults);
};

/** "38.13": a / b with two decimals, rounded half up; b > 0. */
export const ratio = (a: bigint, b: bigint): string => {
  const scaled = (200n * (a < 0n ? -a : a) + b) / (2n * b);
  const digits = String(scaled).padStart(3, '0');
  return `${a < 0n && scaled > 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
};

/** 1/2 is the median; 95/100 the quantile 0.95. */
const rankText = ({ numerator, denominator }: { readonly numerator: number; readonly denominator: number }): string =>
  `0.${String(numerator).padStart(String(denominator).length - 1, '0')}`;
export const measureName = (measure: PlanMeasure): string =>
  measure.kind === 'quantile' ? `quantile ${rankText(measure.rank)} of ${measure.column}` : `${measure.kind} of ${measure.column}`;

/** What is shown of a measure in a cell that is not suppressed. */
export interface Shown {
  readonly value: string;
  /** Both ends in the attribute's units; of a mean both sum and count are taken to lie within their own 95 %. */
  readonly from?: string;
  readonly to?: string;
  /** Of a quantile in place of `to`: the grid's next value. */
  readonly below?: string;
}
const rangeOf = ({ from, to, below }: Shown): string => {
  if (to !== undefined) return `${from}..${to}`;
  if (below !== undefined) return from === undefined ? `below ${below}` : `${from} to below ${below}`;
  return from === undefined ? '' : `${from} or more`;
};
const shownSum = (sum: bigint, measure: Additive, result: TaskResult): Shown => {
  const width = BigInt(sumHalfWidth(measure, result));
  return { value: String(sum), from: String(sum - width), to: String(sum + width) };
};
const shownMean = (sum: bigint, count: bigint, measure: Additive, result: TaskResult): Shown => {
  const value = ratio(sum, count);
  const [width, people] = [BigInt(sumHalfWidth(measure, result)), BigInt(countHalfWidth(result))];
  if (count <= people) return { value };
  const [low, high] = [sum - width, sum + width];
  return {
    value,
    from: ratio(low, low < 0n ? count - people : count + people),
    to: ratio(high, high < 0n ? count + people : count - people),
  };
};
/** A total falls to the greatest value of the grid not above it. */
const shownQuantile = (value: bigint, { grid }: Extract<PlanMeasure, { kind: 'quantile' }>): Shown => {
  const place = grid.indexOf(Number(value));
  const next = grid[place + 1];
  return {
    value: String(value),
    ...(place > 0 && { from: String(value) }),
    ...(next !== undefined && { below: String(next) }),
  };
};
/** Throws RangeError on a cell that lacks what the measure needs: whoever sealed the result may have sealed anything. */
export const shownValue = (result: TaskResult, cell: TaskResult['cells'][number], place: number): Shown => {
  const measure = result.measures?.[place];
  const value = cell.values?.[place];
  if (!measure || value === undefined || cell.count === undefined || cell.count <= 0n)
    throw new RangeError('a measured cell lacks its values');
  if (measure.kind === 'quantile') return shownQuantile(value, measure);
  return measure.kind === 'mean' ? shownMean(value, cell.count, measure, result) : shownSum(value, measure, result);
};

const noiseOf = (measure: PlanMeasure, result: TaskResult): string => {
  if (measure.kind === 'quantile') {
    const { numerator, denominator } = histogramVariance(result);
    const width = Math.ceil(Z * Math.sqrt((result.vaults * Number(numerator)) / Number(denominator)));
    return `each subject's total counted by the grid ${measure.grid.join(', ')}; each bin within +-${width} in 95 of 100 cases`;
  }
  return `each subject's total clipped to ${measure.low}..${measure.high}`;
};

export const measureLines = (result: TaskResult): string[] =>
  (result.measures ?? []).flatMap((measure, place) => {
    const rows = result.cells.map((cell) => {
      if (cell.count === undefined) return [cell.label, 'suppressed', ''];
      const shown = shownValue(result, cell, place);
      return [cell.label, shown.value, rangeOf(shown)];
    });
    const widths = [0, 1].map((i) => Math.max(5, ...rows.map((row) => row[i]!.length)));
    return [
      `${measureName(measure)}: ${noiseOf(measure, result)}`,
      ...rows.map(([label, value, range]) => `${label!.padEnd(widths[0]!)}  ${value!.padStart(widths[1]!)}  ${range!}`.trimEnd()),
    ];
  });
