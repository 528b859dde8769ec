/**
 * Where each number of a slice's output stands (rules S8, M1): the counts of all cells in the plan's order, then each measure's
 * numbers, cell after cell. Public: it follows from the plan alone. Outputs of several Vaults are added up number by number.
 */
import type { Plan, PlanMeasure } from './plan.ts';

/** Numbers in one output, at most. */
export const MAX_OUTPUT_VALUES = 4096;

type Shape = Pick<Plan, 'group' | 'measures'>;

export interface OutputPart {
  /** Absent for the counts. */
  readonly measure?: PlanMeasure;
  readonly offset: number;
  /** Numbers a cell: bins of a quantile's histogram, else one. */
  readonly width: number;
  readonly length: number;
}

const widthOf = (measure: PlanMeasure): number => (measure.kind === 'quantile' ? measure.grid.length : 1);

/** In the order of the output; the first is the counts. */
export const outputParts = ({ group, measures = [] }: Shape): readonly OutputPart[] => {
  const cells = group.cells.length;
  let offset = cells;
  const parts: OutputPart[] = [{ offset: 0, width: 1, length: cells }];
  for (const measure of measures) {
    const width = widthOf(measure);
    parts.push({ measure, offset, width, length: cells * width });
    offset += cells * width;
  }
  return parts;
};

export const outputLength = (plan: Shape): number => outputParts(plan).reduce((sum, { length }) => sum + length, 0);
