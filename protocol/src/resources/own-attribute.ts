/**
 * A query attribute of one Vault's own (rules S2, S3): the enterprise promotes a local attribute, a column of its files that is not
 * canonical, so that queries of that Vault alone may use it. Flat, as a manifest has it; `own-attributes.ts` makes a derivation of it.
 */
import { z } from 'zod';
import { attributeStates, MOST_NUMBER } from '../catalogue.ts';

const groupName = z.string().min(1).max(64);
const values = z.array(z.string().max(128)).min(1).max(100);
const number = z.int().min(-MOST_NUMBER).max(MOST_NUMBER);

export const OwnAttribute = z.object({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/)
    .max(32)
    .describe('Queries name it NAMESPACE/VAULT/NAME.'),
  domain: z.string().min(1).max(100).describe('Domain of the records.'),
  local: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_. -]{0,63}$/)
    .max(64)
    .describe('Column of the files. Its values are kept from the next import on.'),
  type: z.enum(['string', 'integer', 'date']).describe('Type of its values.'),
  state: z
    .enum(attributeStates)
    .default('active')
    .describe('Where it is in its life (S1, S7). Only onwards; what is left out of the manifest is retired.'),
  kind: z.enum(['bucket', 'boolean', 'threshold', 'hash', 'aggregate']).describe('How values are derived (S2).'),
  buckets: z
    .array(z.object({ name: groupName.describe('Name of the group.'), values: values.describe('Its values.') }))
    .min(1)
    .max(32)
    .optional()
    .describe('For kind bucket: the groups.'),
  otherwise: groupName.optional().describe('For kind bucket: group of the values that no other lists.'),
  values: values.optional().describe('For kind boolean: the values that are true.'),
  below: groupName.optional().describe('For kind threshold: band below the first bound.'),
  bands: z
    .array(z.object({ name: groupName.describe('Name of the band.'), atLeast: number.describe('Its lower bound.') }))
    .min(1)
    .max(32)
    .optional()
    .describe('For kind threshold: bands, ascending.'),
  groups: z.int().min(2).max(100).optional().describe('For kind hash: number of groups.'),
  unit: z.enum(['day', 'number']).optional().describe('For kind aggregate: ranges of days, or a number to measure.'),
  minimumDays: z.int().min(1).max(3660).optional().describe('Shortest range, in days (S2).'),
  minimumBuckets: z.int().min(1).max(100).optional().describe('Fewest groups that a predicate may name (S2).'),
  groupable: z.boolean().default(false).describe('Whether results may be grouped by it (S8).'),
  measure: z
    .object({
      low: z.int().min(-MOST_NUMBER).max(0).describe("Least that a subject's total counts."),
      high: z.int().min(0).max(MOST_NUMBER).describe("Most that a subject's total counts."),
      grid: z.array(number).min(2).max(64).optional().describe('Values that quantiles come from, ascending.'),
    })
    .optional()
    .describe('For numbers: public bounds of totals (B7).'),
  successor: z
    .string()
    .regex(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/)
    .max(32)
    .optional()
    .describe('Attribute of this Vault that replaces it (S7).'),
  description: z.string().max(500).default('').describe('What it means, for people.'),
});
export type OwnAttribute = z.infer<typeof OwnAttribute>;
