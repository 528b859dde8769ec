/** The resolved plan of a query (rule S6): all that an executor needs, in canonical terms, with one digest. No names of query attributes remain. */
import { z } from 'zod';
import { encodeCanonical } from './encoding/canonical.ts';
import { digest, type Digest } from './encoding/hash.ts';
import { usages } from './policy.ts';

const column = z.string().max(100);
const key = z.string().regex(/^[0-9a-f]{64}$/);
const total = z.int();
export const PlanPredicate = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('in'), column, values: z.array(z.string().max(128)).max(50_000) }),
  /** The complement of a finite list: the `otherwise` bucket; a missing value is in it too. */
  z.strictObject({ op: z.literal('notIn'), column, values: z.array(z.string().max(128)).max(50_000) }),
  /** Days [from, until). */
  z.strictObject({ op: z.literal('days'), column, from: z.string().max(10), until: z.string().max(10) }),
  /** Integers [atLeast, below); a bound that is absent does not bound. A missing value is in no range. */
  z.strictObject({ op: z.literal('range'), column, atLeast: total.exactOptional(), below: total.exactOptional() }),
  /** Values whose `hashGroup` by `key` is one of `in`; a missing value is in none. */
  z.strictObject({
    op: z.literal('hash'),
    column,
    key,
    groups: z.int().min(2).max(100),
    in: z.array(z.int().min(0).max(99)).min(1).max(100),
  }),
]);
/** What is measured of each subject's total of an integer column, over its matched rows in a cell; a missing value adds nothing. */
export const PlanMeasure = z.discriminatedUnion('kind', [
  /** Totals are clipped to low..high before they are added (B7). */
  z.strictObject({ kind: z.literal('sum'), column, low: total, high: total }),
  /** The noised sum, over the noised count of subjects. */
  z.strictObject({ kind: z.literal('mean'), column, low: total, high: total }),
  /** From a noised histogram over the public grid (S8): a total falls to the greatest value not above it, or to the first. */
  z.strictObject({
    kind: z.literal('quantile'),
    column,
    rank: z.strictObject({ numerator: z.int().min(1), denominator: z.int().min(2).max(10_000) }),
    grid: z.array(total).min(2).max(64),
  }),
]);
/** Any alternative suffices; predicates of a plan must all hold. */
export const Plan = z.strictObject({
  domain: z.string().max(100),
  usage: z.enum(usages),
  /**
   * S4: columns that are not of this domain's records but of others', as an approved derivation lets them be: each subject's value is
   * that which all its records there say; where they say several, it is missing. By name.
   */
  crossed: z
    .array(z.strictObject({ domain: z.string().max(100), column }))
    .min(1)
    .max(64)
    .exactOptional(),
  /** S3: the one Vault that may be asked: the query uses attributes of its own. */
  vault: z.string().max(128).exactOptional(),
  count: z.literal('subjects'),
  where: z.array(z.array(PlanPredicate).min(1).max(8)).max(24),
  /** Cells in order; `values` absent = the otherwise cell. One cell named "all" when the query does not group (column absent). */
  group: z.strictObject({
    column: column.optional(),
    cells: z
      .array(z.strictObject({ label: z.string().max(64), values: z.array(z.string().max(128)).max(500).optional() }))
      .min(1)
      .max(100),
  }),
  /** Beside the counts, which are always given; epsilon is shared equally among the counts and these (`epsilonShare`). */
  measures: z.array(PlanMeasure).min(1).max(4).exactOptional(),
  /** The Vault keeps who entered a cell, for so long, for activation by its operator alone (T1). */
  audience: z.strictObject({ expiresSeconds: z.int().min(1) }).exactOptional(),
  /** k of S8: cells that a subject may enter; noise has scale k bound / epsilon. */
  cellsPerSubject: z.int().min(1).max(100),
  epsilon: z.bigint().min(1n),
  microRho: z.bigint().min(1n),
  /** Cells whose noisy count, divided by the overlap bound, is below this are suppressed (S5, B1). */
  minimumResultCardinality: z.int().min(1),
  overlapBound: z.int().min(1),
});
export type Plan = z.infer<typeof Plan>;
export type PlanMeasure = z.infer<typeof PlanMeasure>;
export type PlanPredicate = z.infer<typeof PlanPredicate>;

/** Every domain whose records the plan reads, its own first: each must be offered (C1), and each one's odometer is charged (B4). */
export const domainsRead = ({ domain, crossed = [] }: Pick<Plan, 'domain' | 'crossed'>): readonly [string, ...string[]] => [
  domain,
  ...new Set(crossed.map((of) => of.domain)),
];

export const encodePlan = (plan: Plan): Uint8Array => encodeCanonical(plan);
export const planDigest = (plan: Plan): Digest<'plan'> => digest('plan', encodePlan(plan));
