/**
 * How a query attribute turns into canonical terms (rules S1, S2, S8): groups into their values, bands into ranges, dates into ranges
 * of days. A predicate finer than the attribute's granularity is refused; group cells come from the catalogue's list, never from
 * the data.
 */
import type { CanonicalAttribute, DerivationRule, QueryAttribute } from '../catalogue.ts';
import type { Plan, PlanPredicate } from '../plan.ts';
import type { Predicate } from '../resources/task.ts';
import { dayNumber } from './log-time.ts';
import { refused, resolved, type Resolved } from './resolved.ts';

type Alternatives = Plan['where'][number];
type RuleOf<K extends DerivationRule['kind']> = Extract<DerivationRule, { kind: K }>;
/** Key of an attribute's hash, for the epoch in which the task was admitted. */
export type HashKeyOf = (attribute: string) => string;

const sortedUnique = (values: readonly string[]): string[] => [...new Set(values)].toSorted();
const invalid = (attribute: string, problem: string): Resolved<Alternatives> => refused({ code: 'PredicateInvalid', attribute, problem });

/** The groups asked for, each once; or why they can't be: unknown, or finer than allowed. */
const groupsAsked = (
  { name, granularity }: QueryAttribute,
  known: readonly string[],
  predicate: Predicate,
): Resolved<readonly string[]> => {
  if (!predicate.in) return refused({ code: 'PredicateInvalid', attribute: name, problem: 'it has buckets; name some in "in"' });
  const asked = sortedUnique(predicate.in);
  const unknown = asked.find((group) => !known.includes(group));
  if (unknown !== undefined) return refused({ code: 'UnknownBucket', attribute: name, bucket: unknown, known });
  const finest = granularity.minimumBuckets ?? 1;
  if (asked.length >= finest) return resolved(asked);
  return refused({ code: 'GranularityExceeded', attribute: name, asked: `${asked.length} bucket(s)`, finest: `${finest} buckets` });
};

/** A boolean is two buckets, of which the second is everything else. */
const asBuckets = (rule: RuleOf<'bucket'> | RuleOf<'boolean'>): RuleOf<'bucket'> =>
  rule.kind === 'bucket' ? rule : { kind: 'bucket', from: rule.from, buckets: [{ name: 'true', values: rule.values }], otherwise: 'false' };

const inBuckets = (attribute: QueryAttribute, rule: RuleOf<'bucket'>, predicate: Predicate): Resolved<Alternatives> => {
  const rest = rule.otherwise === undefined ? [] : [rule.otherwise];
  const found = groupsAsked(attribute, [...rule.buckets.map(({ name }) => name), ...rest], predicate);
  if (!found.ok) return found;
  const asked = found.value;
  const column = rule.from;
  const values = sortedUnique(rule.buckets.filter(({ name }) => asked.includes(name)).flatMap((b) => b.values));
  const listed = sortedUnique(rule.buckets.flatMap((b) => b.values));
  const alternatives: PlanPredicate[] = [];
  if (asked.some((name) => name !== rule.otherwise)) alternatives.push({ op: 'in', column, values });
  if (rule.otherwise !== undefined && asked.includes(rule.otherwise)) alternatives.push({ op: 'notIn', column, values: listed });
  return resolved(alternatives);
};

/** Neighbouring bands become one range: alternatives are in the order of the bounds, whatever was asked first. */
const inBands = (attribute: QueryAttribute, rule: RuleOf<'threshold'>, predicate: Predicate): Resolved<Alternatives> => {
  const names = [rule.below, ...rule.bands.map(({ name }) => name)];
  const found = groupsAsked(attribute, names, predicate);
  if (!found.ok) return found;
  const bounds = rule.bands.map(({ atLeast }) => atLeast);
  const wanted = names.map((name) => found.value.includes(name));
  const starts = wanted.flatMap((is, i) => (is && !wanted[i - 1] ? [i] : []));
  return resolved(
    starts.map((start) => {
      const past = wanted.findIndex((is, i) => i > start && !is);
      const [atLeast, below] = [bounds[start - 1], past < 0 ? undefined : bounds[past - 1]];
      return { op: 'range', column: rule.from, ...(atLeast !== undefined && { atLeast }), ...(below !== undefined && { below }) };
    }),
  );
};

const inHashGroups = (
  attribute: QueryAttribute,
  { from, groups }: RuleOf<'hash'>,
  predicate: Predicate,
  keyOf: HashKeyOf,
): Resolved<Alternatives> => {
  const known = Array.from({ length: groups }, (_, i) => `${i}`);
  const found = groupsAsked(attribute, known, predicate);
  if (!found.ok) return found;
  const asked = found.value.map(Number).toSorted((a, b) => a - b);
  return resolved([{ op: 'hash', column: from, key: keyOf(attribute.name), groups, in: asked }]);
};

const inDays = (
  { name, derivation, granularity }: Pick<QueryAttribute, 'name' | 'granularity'> & { readonly derivation: { readonly from: string } },
  { from, until }: Predicate,
): Resolved<Alternatives> => {
  if (from === undefined || until === undefined) return invalid(name, 'it is a date; give "from" and "until"');
  const [first, end] = [dayNumber(from), dayNumber(until)];
  if (first === undefined || end === undefined) return invalid(name, `${first === undefined ? from : until} is no day of the calendar`);
  if (first >= end) return invalid(name, '"from" must be before "until"');
  const finest = granularity.minimumDays ?? 1;
  if (end - first < finest)
    return refused({ code: 'GranularityExceeded', attribute: name, asked: `${end - first} day(s)`, finest: `${finest} days` });
  return resolved([{ op: 'days', column: derivation.from, from, until }]);
};

/** What a predicate on this attribute means in canonical terms; any alternative suffices. */
export const predicateOf = (attribute: QueryAttribute, predicate: Predicate, keyOf: HashKeyOf): Resolved<Alternatives> => {
  const { name, derivation } = attribute;
  switch (derivation.kind) {
    case 'bucket':
    case 'boolean':
      return inBuckets(attribute, asBuckets(derivation), predicate);
    case 'threshold':
      return inBands(attribute, derivation, predicate);
    case 'hash':
      return inHashGroups(attribute, derivation, predicate, keyOf);
    case 'aggregate':
      return derivation.unit === 'day'
        ? inDays({ ...attribute, derivation }, predicate)
        : invalid(name, 'it is a number: it can be measured, not compared');
  }
};

/** S1: a canonical attribute that is asked directly: its values as they are, or its days. Numbers need bands (kind threshold). */
export const directPredicateOf = ({ name, type }: CanonicalAttribute, predicate: Predicate): Resolved<Alternatives> => {
  if (type === 'date') return inDays({ name, granularity: {}, derivation: { from: name } }, predicate);
  if (type === 'integer') return invalid(name, 'it is a number; ask a query attribute with bands instead');
  if (!predicate.in) return invalid(name, 'give its values in "in"');
  return resolved([{ op: 'in', column: name, values: sortedUnique(predicate.in) }]);
};

/** Cells in the catalogue's order, the otherwise cell last (S8). */
export const groupOf = ({ name, groupable, derivation }: QueryAttribute): Resolved<Plan['group']> => {
  if (!groupable || (derivation.kind !== 'bucket' && derivation.kind !== 'boolean'))
    return refused({ code: 'NotGroupable', attribute: name });
  const rule = asBuckets(derivation);
  const cells = rule.buckets.map((bucket) => ({ label: bucket.name, values: sortedUnique(bucket.values) }));
  const rest = rule.otherwise === undefined ? [] : [{ label: rule.otherwise }];
  return resolved({ column: rule.from, cells: [...cells, ...rest] });
};
