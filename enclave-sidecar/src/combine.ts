/** From the slices' noised cells to the result (rules S5, S8, M2): sums by cell, cells below the minimum suppressed. Pure. */
import type { Plan, SliceOutput, TaskResult } from '@scs/protocol';

/**
 * The noisy sum is what is tested, so that suppression says no more than the sum would (S5). A subject may be counted by up to
 * `overlapBound` Vaults, so the threshold is that many times the minimum (B1).
 */
export const isSuppressed = (noisyCount: bigint, { minimumResultCardinality, overlapBound }: Plan): boolean =>
  noisyCount < BigInt(minimumResultCardinality) * BigInt(overlapBound);

export const combine = (envelope: string, plan: Plan, outputs: readonly SliceOutput[]): TaskResult => ({
  envelope,
  cells: plan.group.cells.map(({ label }, i) => {
    const count = outputs.reduce((sum, { cells }) => sum + cells[i]!, 0n);
    return isSuppressed(count, plan) ? { label } : { label, count };
  }),
  vaults: outputs.length,
  epsilon: plan.epsilon,
  cellsPerSubject: plan.cellsPerSubject,
});
