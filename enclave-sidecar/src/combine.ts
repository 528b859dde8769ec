/** From the slices' noised outputs to the result (rules S5, S8, B7, M2): sums number by number, cells below the minimum suppressed. Pure. */
import { outputParts, quantileOfHistogram, type OutputPart, type Plan, type SliceOutput, type TaskResult } from '@scs/protocol';

/**
 * The noisy sum is what is tested, so that suppression says no more than the sum would (S5). A subject may be counted by up to
 * `overlapBound` Vaults, so the threshold is that many times the minimum (B1).
 */
export const isSuppressed = (noisyCount: bigint, { minimumResultCardinality, overlapBound }: Plan): boolean =>
  noisyCount < BigInt(minimumResultCardinality) * BigInt(overlapBound);

const summed = (outputs: readonly SliceOutput[], length: number): bigint[] =>
  Array.from({ length }, (_, i) => outputs.reduce((sum, { cells }) => sum + cells[i]!, 0n));

/** What a measure says of a cell: the sum as it is (of a mean, too: whoever reads it divides), or the value of the grid. */
const valueOf = (sums: readonly bigint[], cell: number, { measure, offset, width }: OutputPart): bigint => {
  const numbers = sums.slice(offset + cell * width, offset + (cell + 1) * width);
  return measure?.kind === 'quantile' ? BigInt(measure.grid[quantileOfRank(numbers, measure.rank)]!) : numbers[0]!;
};
const quantileOfRank = (bins: readonly bigint[], { numerator, denominator }: { numerator: number; denominator: number }): number =>
  quantileOfHistogram(bins, { numerator: BigInt(numerator), denominator: BigInt(denominator) });

export const combine = (envelope: string, plan: Plan, outputs: readonly SliceOutput[]): TaskResult => {
  const [counts, ...measures] = outputParts(plan);
  const sums = summed(
    outputs,
    [counts!, ...measures].reduce((sum, { length }) => sum + length, 0),
  );
  const shown = (label: string, cell: number, count: bigint): TaskResult['cells'][number] =>
    measures.length === 0 ? { label, count } : { label, count, values: measures.map((part) => valueOf(sums, cell, part)) };
  return {
    envelope,
    cells: plan.group.cells.map(({ label }, cell) => (isSuppressed(sums[cell]!, plan) ? { label } : shown(label, cell, sums[cell]!))),
    vaults: outputs.length,
    epsilon: plan.epsilon,
    cellsPerSubject: plan.cellsPerSubject,
    ...(plan.measures && { measures: plan.measures }),
  };
};
