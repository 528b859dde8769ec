/**
 * How a query attribute turns into canonical terms (rules S2, S8): buckets into their values, dates into ranges. A predicate
 * finer than the attribute's granularity is refused; group cells come from the catalogue's list, never from the data.
 */
import type { QueryAttribute } from '../catalogue.ts';
import type { Plan, PlanPredicate } from '../plan.ts';
import type { Rejection } from '../rejection.ts';
import type { Predicate } from '../resources/task.ts';
import { dayNumber } from './log-time.ts';
import { refused, resolved, type Resolved } from './resolved.ts';

type Alternatives = Plan['where'][number];
type BucketRule = Extract<QueryAttribute['derivation'], { kind: 'bucket' }>;

const sortedUnique = (values: readonly string[]): string[] => [...new Set(values)].toSorted();
const bucketNames = (rule: BucketRule): readonly string[] => [
  ...rule.buckets.map(({ name }) => name),
  ...(rule.otherwise === undefined ? [] : [rule.otherwise]),
];
const invalid = (attribute: string, problem: string): Resolved<Alternatives> => refused({ code: 'PredicateInvalid', attribute, problem });

const bucketRejection = ({ name, granularity }: QueryAttribute, rule: BucketRule, asked: readonly string[]): Rejection | undefined => {
  const known = bucketNames(rule);
  const unknown = asked.find((bucket) => !known.includes(bucket));
  if (unknown !== undefined) return { code: 'UnknownBucket', attribute: name, bucket: unknown, known };
  const finest = granularity.minimumBuckets ?? 1;
  if (asked.length >= finest) return undefined;
  return { code: 'GranularityExceeded', attribute: name, asked: `${asked.length} bucket(s)`, finest: `${finest} buckets` };
};

const inBuckets = (attribute: QueryAttribute, rule: BucketRule, predicate: Predicate): Resolved<Alternatives> => {
  if (!predicate.in) return invalid(attribute.name, 'it has buckets; name some in "in"');
  const asked = sortedUnique(predicate.in);
  const rejection = bucketRejection(attribute, rule, asked);
  if (rejection) return refused(rejection);
  const column = rule.from;
  const values = sortedUnique(rule.buckets.filter(({ name }) => asked.includes(name)).flatMap((b) => b.values));
  const listed = sortedUnique(rule.buckets.flatMap((b) => b.values));
  const alternatives: PlanPredicate[] = [];
  if (asked.some((name) => name !== rule.otherwise)) alternatives.push({ op: 'in', column, values });
  if (rule.otherwise !== undefined && asked.includes(rule.otherwise)) alternatives.push({ op: 'notIn', column, values: listed });
  return resolved(alternatives);
};

const inDays = ({ name, derivation, granularity }: QueryAttribute, { from, until }: Predicate): Resolved<Alternatives> => {
  if (derivation.kind === 'aggregate' && derivation.unit === 'number')
    return invalid(name, 'it is a number: it can be measured, not compared');
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
export const predicateOf = (attribute: QueryAttribute, predicate: Predicate): Resolved<Alternatives> =>
  attribute.derivation.kind === 'bucket' ? inBuckets(attribute, attribute.derivation, predicate) : inDays(attribute, predicate);

/** Cells in the catalogue's order, the otherwise cell last (S8). */
export const groupOf = ({ name, groupable, derivation }: QueryAttribute): Resolved<Plan['group']> => {
  if (!groupable || derivation.kind !== 'bucket') return refused({ code: 'NotGroupable', attribute: name });
  const cells = derivation.buckets.map((bucket) => ({ label: bucket.name, values: sortedUnique(bucket.values) }));
  const rest = derivation.otherwise === undefined ? [] : [{ label: derivation.otherwise }];
  return resolved({ column: derivation.from, cells: [...cells, ...rest] });
};
