/**
 * What a task reads, as the one text that its reservation keeps for its domain: `retail.purchase`, or with what approved derivations
 * fetch from other domains (rule S4) `retail.purchase+bank.account:account.income`. Names have none of these signs.
 */
import type { Plan } from '@scs/protocol';
import { named } from './database.ts';
import { recordsTable } from './schema.ts';
import { recordsVersion } from './subjects.ts';

export interface Reading {
  /** Whose records are counted, and whose subjects pay. */
  readonly home: string;
  readonly crossed: NonNullable<Plan['crossed']>;
}

export const readingName = ({ domain, crossed = [] }: Pick<Plan, 'domain' | 'crossed'>): string =>
  [domain, ...crossed.map((of) => `${of.domain}:${of.column}`)].join('+');
export const readingOf = (name: string): Reading => {
  const [home = '', ...rest] = name.split('+');
  const crossed = rest.map((of) => ({ domain: of.slice(0, of.indexOf(':')), column: of.slice(of.indexOf(':') + 1) }));
  return { home, crossed };
};
/** Each domain once, its own first. */
export const domainsOf = (name: string): readonly string[] => {
  const { home, crossed } = readingOf(name);
  return [home, ...new Set(crossed.map(({ domain }) => domain))];
};
/** SQL: whether the reading `column` is of the domain `parameter`. */
export const readsDomain = (column: string, parameter: string): string =>
  `(${column} = ${parameter} OR starts_with(${column}, ${parameter} || '+') OR contains(${column}, '+' || ${parameter} || ':'))`;

/** Names of the versions that say whether the records of a reading are still what they were. */
export const versionsRead = (name: string): readonly string[] => domainsOf(name).map(recordsVersion);

/**
 * SQL of the rows: the home's own columns, and of each other domain the value that all of a subject's records there say; where they say
 * several, or some say none, it is missing. So it depends on no order, and a subject still enters no more cells than it may (S8).
 */
export const rowsRead = (name: string, columns: readonly string[]): string => {
  const { home, crossed } = readingOf(name);
  const own = ['r.subject', ...columns.map((column) => `r.${named(column)}`)];
  const fetched = crossed.map(({ column }, i) => `c${i}.value AS ${named(column)}`);
  const joined = crossed.map(({ domain, column }, i) => {
    const value = named(column);
    const agreed = `CASE WHEN count(DISTINCT ${value}) = 1 AND count(${value}) = count(*) THEN min(${value}) END`;
    return `LEFT JOIN (SELECT subject, ${agreed} AS value FROM ${recordsTable(domain)} GROUP BY subject) c${i} ON c${i}.subject = r.subject`;
  });
  return `SELECT ${[...own, ...fetched].join(', ')} FROM ${recordsTable(home)} r ${joined.join(' ')}`;
};
