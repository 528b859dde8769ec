/**
 * What a query measures beside its count (rules B7, S8): the bounds of a subject's total and the values of quantiles come from the
 * catalogue, never from the data. What no sampler or aggregator could carry is refused here, by name.
 */
import { epsilonShare, measureScale } from '../mechanisms/output-noise.ts';
import { digitsOf } from '../noise.ts';
import { MAX_OUTPUT_VALUES, outputLength } from '../output-layout.ts';
import type { Plan, PlanMeasure } from '../plan.ts';
import type { Rejection } from '../rejection.ts';
import type { Measure } from '../resources/task.ts';
import { refused, resolved, type Derived, type Resolved } from './resolved.ts';

const notMeasurable = (attribute: string, problem: string): Rejection => ({ code: 'NotMeasurable', attribute, problem });

/** "0.95" -> 19/20. */
const rankOf = (text: string): { numerator: number; denominator: number } => {
  const digits = text.slice(2).replace(/0+$/, '');
  return { numerator: Number(digits), denominator: 10 ** digits.length };
};

/** A measure in canonical terms. `asked` is whole (`specProblem`). */
export const measureOf = ({ attribute, canonical, crosses }: Derived, asked: Measure): Resolved<PlanMeasure> => {
  if (!attribute) return refused(notMeasurable(canonical.name, 'the catalogue declares no bounds of a number for it'));
  const { name, derivation, measure: bounds } = attribute;
  // Its value stands beside each of the subject's records: a total would be counted as often as there are records.
  if (crosses) return refused(notMeasurable(name, `its values are of domain ${canonical.domain}; ask that domain for its totals`));
  if (derivation.kind !== 'aggregate' || derivation.unit !== 'number' || canonical.type !== 'integer' || !bounds)
    return refused(notMeasurable(name, 'the catalogue declares no bounds of a number for it'));
  const column = canonical.name;
  if (asked.kind !== 'quantile') {
    const { low, high } = bounds;
    const { kind, clipAt } = asked;
    if (clipAt === undefined) return resolved({ kind, column, low, high });
    if (clipAt > high) return refused(notMeasurable(name, `clipAt ${clipAt} is above its bound ${high}`));
    return resolved({ kind, column, low: Math.max(low, -clipAt), high: clipAt });
  }
  if (!bounds.grid) return refused(notMeasurable(name, 'the catalogue declares no grid for its quantiles'));
  return resolved({ kind: 'quantile', column, rank: rankOf(asked.rank!), grid: bounds.grid });
};

const same = (a: Measure, b: Measure): boolean =>
  a.kind === b.kind && a.attribute === b.attribute && a.rank === b.rank && a.clipAt === b.clipAt;

const fitsSampler = (measure: PlanMeasure, plan: Plan): boolean => {
  if (measure.kind === 'quantile') return true;
  try {
    return digitsOf(measureScale(measure, plan)) > 0;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
};

/** Why the plan's measures, each sound by itself, don't go together. */
export const measuresRejection = (plan: Plan, asked: readonly Measure[]): Rejection | undefined => {
  const [first] = asked;
  if (!first) return undefined;
  const twice = asked.find((measure, i) => asked.findIndex((other) => same(measure, other)) !== i);
  if (twice) return notMeasurable(twice.attribute, `its ${twice.kind} is asked for twice`);
  if (epsilonShare(plan) < 1n) return notMeasurable(first.attribute, 'epsilon is too small to be shared among count and measures');
  const place = plan.measures!.findIndex((measure) => !fitsSampler(measure, plan));
  if (place >= 0) return notMeasurable(asked[place]!.attribute, "epsilon is too small for the attribute's bounds; raise it");
  const numbers = outputLength(plan);
  return numbers <= MAX_OUTPUT_VALUES
    ? undefined
    : notMeasurable(
        first.attribute,
        `the answer would have ${numbers} numbers, above ${MAX_OUTPUT_VALUES}; ask for fewer cells or measures`,
      );
};
