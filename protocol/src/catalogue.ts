/** The semantic catalogue (rules S1, S2, S4, S8): data, in the genesis for now; its digest is the semantic_version. */
import { z } from 'zod';
import { encodeCanonical } from './encoding/canonical.ts';
import { digest, type Digest } from './encoding/hash.ts';

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/)
  .max(100);
export const attributeStates = ['proposed', 'registered', 'active', 'deprecated', 'retired', 'superseded'] as const;
const state = z.enum(attributeStates);

export const Domain = z.strictObject({
  name,
  /** The parent domain; the global domain has none (S4). */
  parent: name.optional(),
  /** At most so many Vaults hold one subject of the domain: limits are divided by it, and no further Vault joins (B1). */
  overlapBound: z.int().min(1).max(1000),
  description: z.string().max(500),
});
export const CanonicalAttribute = z.strictObject({
  name,
  domain: name,
  type: z.enum(['string', 'integer', 'date']),
  state,
  directlyQueryable: z.boolean(),
  successor: name.optional(),
  description: z.string().max(500),
});
/** Beyond any total that people deal in, and far from where integers end. */
export const MOST_NUMBER = 1_000_000_000_000;
/** How a query attribute derives from canonical ones, and how fine a predicate on it may be (S2). */
export const DerivationRule = z.discriminatedUnion('kind', [
  /** A finite list of groups; a raw value that none lists falls into `otherwise`, if given. */
  z.strictObject({
    kind: z.literal('bucket'),
    from: name,
    buckets: z
      .array(z.strictObject({ name: z.string().min(1).max(64), values: z.array(z.string().max(128)).max(500) }))
      .min(1)
      .max(100),
    otherwise: z.string().min(1).max(64).optional(),
  }),
  /** True for the values listed, false for every other and for a missing one. */
  z.strictObject({ kind: z.literal('boolean'), from: name, values: z.array(z.string().max(128)).min(1).max(500) }),
  /** Bands of an integer: each from its bound up to the next one's; what is missing is in none. */
  z.strictObject({
    kind: z.literal('threshold'),
    from: name,
    /** Band below the first bound. */
    below: z.string().min(1).max(64),
    bands: z
      .array(z.strictObject({ name: z.string().min(1).max(64), atLeast: z.int().min(-MOST_NUMBER).max(MOST_NUMBER) }))
      .min(1)
      .max(32),
  }),
  /** Groups "0" to "n-1" by a hash that is keyed anew each epoch: no list of values is needed, and none shows. */
  z.strictObject({ kind: z.literal('hash'), from: name, groups: z.int().min(2).max(100) }),
  /** A date, used in ranges of at least `granularity.minimumDays` days; or a number, measured by its total a subject (`measure`). */
  z.strictObject({ kind: z.literal('aggregate'), from: name, unit: z.enum(['day', 'number']) }),
]);
export type DerivationRule = z.infer<typeof DerivationRule>;
/** Bounds of a subject's total (B7) and the values that quantiles come from (S8): public, never taken from the data. */
export const MeasureBounds = z
  .strictObject({
    /** A total below counts as this much. */
    low: z.int().min(-MOST_NUMBER).max(0),
    /** A total above counts as this much. */
    high: z.int().min(0).max(MOST_NUMBER),
    /** Ascending; quantiles are among these. Without it there are none. */
    grid: z.array(z.int().min(-MOST_NUMBER).max(MOST_NUMBER)).min(2).max(64).optional(),
  })
  .refine(({ low, high }) => low < high, 'low must be below high')
  .refine(({ grid = [] }) => grid.every((value, i) => i === 0 || value > grid[i - 1]!), 'grid must ascend');
export const QueryAttribute = z.strictObject({
  name,
  domain: name,
  state,
  derivation: DerivationRule,
  granularity: z.strictObject({ minimumDays: z.int().min(1).max(3660).optional(), minimumBuckets: z.int().min(1).max(100).optional() }),
  groupable: z.boolean(),
  /** For numbers. */
  measure: MeasureBounds.optional(),
  /** S4: whether governance lets it derive from a canonical attribute of this domain, which is no domain above its own. */
  crossDomain: z.strictObject({ from: name, approved: z.boolean(), why: z.string().min(1).max(500) }).exactOptional(),
  successor: name.optional(),
  description: z.string().max(500),
});
export const Catalogue = z.strictObject({
  domains: z.array(Domain).max(200),
  canonicalAttributes: z.array(CanonicalAttribute).max(2000),
  queryAttributes: z.array(QueryAttribute).max(2000),
});
export type Domain = z.infer<typeof Domain>;
export type CanonicalAttribute = z.infer<typeof CanonicalAttribute>;
export type MeasureBounds = z.infer<typeof MeasureBounds>;
export type QueryAttribute = z.infer<typeof QueryAttribute>;
export type Catalogue = z.infer<typeof Catalogue>;

/** The domain and those above it, nearest first (S4): what is theirs is its own, too. Empty when there is no such domain. */
export const lineageOf = ({ domains }: Pick<Catalogue, 'domains'>, of: string): readonly string[] => {
  const names: string[] = [];
  let domain = domains.find((d) => d.name === of);
  while (domain && !names.includes(domain.name)) {
    names.push(domain.name);
    const { parent } = domain;
    domain = domains.find((d) => d.name === parent);
  }
  return names;
};

/** The same objects, each list by name. */
export const sortedCatalogue = ({ domains, canonicalAttributes, queryAttributes }: Catalogue): Catalogue => {
  const sorted = <T extends { name: string }>(items: readonly T[]) => items.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    domains: sorted(domains),
    canonicalAttributes: sorted(canonicalAttributes),
    queryAttributes: sorted(queryAttributes),
  };
};

/** The digest of the catalogue, whatever the order of its objects (S6). */
export const semanticVersion = (catalogue: Catalogue): Digest<'semantics'> =>
  digest('semantics', encodeCanonical(sortedCatalogue(catalogue)));
