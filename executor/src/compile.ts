/**
 * A plan as one SQL statement (rules S8, X3, B7). Column names come only from the snapshot's own columns and are quoted;
 * every value is a parameter. Integers alone are counted; nothing depends on row order, clock, chance, locale or collation.
 *
 *   matched   rows of eligible subjects that satisfy all of `where`
 *   entered   each subject in each of its cells once, with its total of each measured column there
 *   kept      of each subject the first k cells in the plan's order: which k is public, and so is deterministic
 *   answer    the numbers of `outputParts` by their place: subjects, clipped sums, bins of totals
 */
import { outputParts, type OutputPart, type Plan, type PlanMeasure, type PlanPredicate } from '@scs/protocol';
import { done, failed, type Outcome } from './fault.ts';

/** Columns of the snapshot: name -> DuckDB type. */
export type Columns = ReadonlyMap<string, string>;
export type Parameter =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'integer'; readonly value: bigint }
  | { readonly type: 'texts'; readonly values: readonly string[] }
  | { readonly type: 'integers'; readonly values: readonly number[] };
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

const INTEGERS = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT']);
/** Their sums can't overflow: fewer than 2^63 rows, added up as 128 bits. */
const SUMMABLE = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER']);
/** No float: its text, and so its bucket, would not be one for all (X3). */
export const hasOneText = (type: string): boolean => type === 'VARCHAR' || type === 'DATE' || INTEGERS.has(type);

/** Subjects are names, or the numbers that a Vault gives them. */
export const identifiesSubjects = (type: string): boolean => type === 'VARCHAR' || INTEGERS.has(type);

export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Collects parameters and hands out their places. */
class Parameters {
  readonly list: Parameter[] = [];
  add(parameter: Parameter): string {
    this.list.push(parameter);
    return `$${this.list.length}`;
  }
}

const integer = (value: number, parameters: Parameters): string => parameters.add({ type: 'integer', value: BigInt(value) });

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const isDay = (text: string): boolean => {
  const time = DAY.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
};

const listed = (column: string, values: readonly string[], parameters: Parameters): string =>
  `${column} IN (SELECT unnest(${parameters.add({ type: 'texts', values })}::VARCHAR[]))`;

const bounded = (column: string, { atLeast, below }: Extract<PlanPredicate, { op: 'range' }>, parameters: Parameters): string => {
  const low = atLeast === undefined ? [] : [`${column} >= ${integer(atLeast, parameters)}`];
  const high = below === undefined ? [] : [`${column} < ${integer(below, parameters)}`];
  return `(${[`${column} IS NOT NULL`, ...low, ...high].join(' AND ')})`;
};

const predicate = (p: PlanPredicate, parameters: Parameters): string => {
  const column = `r.${quote(p.column)}`;
  if (p.op === 'range') return bounded(column, p, parameters);
  // `predicateFault` has refused it: hash groups are lists of values by now (hash-groups.ts).
  if (p.op === 'hash') return 'FALSE';
  if (p.op === 'days') {
    const day = (value: string) => `CAST(${parameters.add({ type: 'text', value })} AS DATE)`;
    return `(${column} >= ${day(p.from)} AND ${column} < ${day(p.until)})`;
  }
  const text = `CAST(${column} AS VARCHAR)`;
  if (p.op === 'in') return `(${listed(text, p.values, parameters)})`;
  return `(${column} IS NULL OR NOT ${listed(text, p.values, parameters)})`;
};

const predicateFault = (p: PlanPredicate, columns: Columns): Outcome<never> | undefined => {
  const type = columns.get(p.column);
  if (type === undefined) return failed('ColumnMissing', `The snapshot has no column ${p.column}.`);
  if (p.op === 'days') {
    if (type !== 'DATE') return failed('ColumnTypeUnfit', `Column ${p.column} is ${type}, but days need DATE.`);
    return isDay(p.from) && isDay(p.until) ? undefined : failed('PlanUnfit', `The days on ${p.column} are no dates.`);
  }
  if (p.op === 'range')
    return INTEGERS.has(type) ? undefined : failed('ColumnTypeUnfit', `Column ${p.column} is ${type}; only integers have ranges.`);
  if (p.op === 'hash') return failed('PlanUnfit', `The hash groups of ${p.column} are not expanded.`);
  return hasOneText(type)
    ? undefined
    : failed('ColumnTypeUnfit', `Column ${p.column} is ${type}; only text, integers and dates are compared.`);
};

const measureFault = ({ column }: PlanMeasure, columns: Columns): Outcome<never> | undefined => {
  const type = columns.get(column);
  if (type === undefined) return failed('ColumnMissing', `The snapshot has no column ${column}.`);
  return SUMMABLE.has(type) ? undefined : failed('ColumnTypeUnfit', `Column ${column} is ${type}; only integers are measured.`);
};

const planFault = (plan: Plan, columns: Columns): Outcome<never> | undefined => {
  const subject = columns.get('subject');
  if (subject === undefined || !identifiesSubjects(subject))
    return failed('ColumnMissing', 'The snapshot has no column subject of text or integers.');
  const { column, cells } = plan.group;
  if (column === undefined)
    return cells.length === 1 && cells[0]?.values === undefined
      ? undefined
      : failed('PlanUnfit', 'Without a group column there is one cell.');
  const type = columns.get(column);
  if (type === undefined) return failed('ColumnMissing', `The snapshot has no column ${column}.`);
  return hasOneText(type)
    ? undefined
    : failed('ColumnTypeUnfit', `Column ${column} is ${type}; only text, integers and dates are grouped.`);
};

const measured = ({ measures = [] }: Plan): readonly string[] => measures.map((_, i) => `m${i}`);

/** `subject, cell` and measured columns of every matched row. A value listed by several cells enters each; one listed by none, the otherwise cell. */
const cellsOf = (plan: Plan, parameters: Parameters): string => {
  const { group } = plan;
  const columns = measured(plan)
    .map((name) => `, m.${name}`)
    .join('');
  if (group.column === undefined) return `SELECT m.subject, 0 AS cell${columns} FROM matched m`;
  const pairs = group.cells.flatMap(({ values }, cell) => [...new Set(values)].map((value) => ({ cell, value })));
  const numbers = parameters.add({ type: 'integers', values: pairs.map(({ cell }) => cell) });
  const values = parameters.add({ type: 'texts', values: pairs.map(({ value }) => value) });
  const named = `SELECT unnest(${numbers}::INTEGER[]) AS cell, unnest(${values}::VARCHAR[]) AS value`;
  const otherwise = group.cells.flatMap(({ values: own }, cell) => (own === undefined ? [cell] : []));
  return [
    `SELECT m.subject, n.cell${columns} FROM matched m JOIN (${named}) n ON m.grouped = n.value`,
    ...otherwise.map((cell) => {
      const place = integer(cell, parameters);
      const all = pairs.map(({ value }) => value);
      return `SELECT m.subject, CAST(${place} AS INTEGER) AS cell${columns} FROM matched m WHERE m.grouped IS NULL OR NOT ${listed('m.grouped', all, parameters)}`;
    }),
  ].join(' UNION ALL ');
};

/** The bin that a total falls to: the last whose value it reaches, or the first. */
const binOf = (total: string, grid: readonly number[], parameters: Parameters): string => {
  const cases = grid.slice(1).map((value, i) => `WHEN ${total} < ${integer(value, parameters)} THEN ${i}`);
  return `CASE ${cases.join(' ')} ELSE ${grid.length - 1} END`;
};

/** Rows (place, number) of one part of the output. */
const answerOf = ({ measure, offset, width }: OutputPart, column: string, parameters: Parameters): string => {
  if (!measure) return 'SELECT CAST(cell AS BIGINT) AS place, CAST(count(*) AS HUGEINT) AS number FROM kept GROUP BY cell';
  const total = `coalesce(${column}, 0)`;
  if (measure.kind === 'quantile') {
    const bin = binOf(total, measure.grid, parameters);
    return `SELECT ${offset} + cell * ${width} + ${bin}, CAST(count(*) AS HUGEINT) FROM kept GROUP BY 1`;
  }
  const clipped = `greatest(${integer(measure.low, parameters)}, least(${integer(measure.high, parameters)}, ${total}))`;
  return `SELECT ${offset} + cell, CAST(sum(${clipped}) AS HUGEINT) FROM kept GROUP BY cell`;
};

type Paths = { readonly snapshot: string; readonly eligible: string };

const faultOf = (plan: Plan, columns: Columns): Outcome<never> | undefined =>
  planFault(plan, columns) ??
  plan.measures?.map((m) => measureFault(m, columns)).find((f) => f !== undefined) ??
  plan.where
    .flat()
    .map((p) => predicateFault(p, columns))
    .find((f) => f !== undefined);

/** Up to `kept`; gives the place of the eligible subjects' path, too. */
const common = (plan: Plan, files: Paths, parameters: Parameters): { readonly sql: string; readonly eligible: string } => {
  const snapshot = parameters.add({ type: 'text', value: files.snapshot });
  const eligible = parameters.add({ type: 'text', value: files.eligible });
  const conditions = plan.where.map((anyOf) => `(${anyOf.map((p) => predicate(p, parameters)).join(' OR ')})`);
  const grouped = plan.group.column === undefined ? '' : `, CAST(r.${quote(plan.group.column)} AS VARCHAR) AS grouped`;
  const totals = (plan.measures ?? []).map(({ column }, i) => `, r.${quote(column)} AS m${i}`).join('');
  const entered = cellsOf(plan, parameters);
  const sums = measured(plan)
    .map((name) => `, sum(${name}) AS ${name}`)
    .join('');
  const most = integer(plan.cellsPerSubject, parameters);
  const sql = `WITH matched AS (
  SELECT r.subject AS subject${grouped}${totals} FROM read_parquet(${snapshot}) r
  SEMI JOIN read_parquet(${eligible}) e ON r.subject = e.subject
  WHERE ${['TRUE', ...conditions].join(' AND ')}
), entered AS (SELECT subject, cell${sums} FROM (${entered}) GROUP BY subject, cell),
clipped AS (SELECT *, row_number() OVER (PARTITION BY subject ORDER BY cell) AS rank FROM entered),
kept AS MATERIALIZED (SELECT * FROM clipped WHERE rank <= ${most})`;
  return { sql, eligible };
};

/** The statement gives rows (place in the output, number as text), for cells that are not empty, in order. */
export const compile = (plan: Plan, columns: Columns, files: Paths): Outcome<Statement> => {
  const fault = faultOf(plan, columns);
  if (fault) return fault;
  const parameters = new Parameters();
  const { sql } = common(plan, files, parameters);
  const names = measured(plan);
  const answers = outputParts(plan).map((part, i) => answerOf(part, names[i - 1] ?? '', parameters));
  const answer = `SELECT place, CAST(number AS VARCHAR) AS number FROM (${answers.join(' UNION ALL ')}) ORDER BY place`;
  return done({ sql: `${sql}\n${answer}`, parameters: parameters.list });
};

/** The statement gives the places (T1), among the eligible subjects in ascending order, of those in any cell. */
export const compileAudience = (asked: Plan, columns: Columns, files: Paths): Outcome<Statement> => {
  const { measures: _, ...plan } = asked;
  const fault = faultOf(plan, columns);
  if (fault) return fault;
  const parameters = new Parameters();
  const { sql, eligible } = common(plan, files, parameters);
  const numbered = `SELECT subject, row_number() OVER (ORDER BY subject) - 1 AS place FROM read_parquet(${eligible})`;
  const answer = `SELECT CAST(n.place AS VARCHAR) AS place FROM (${numbered}) n SEMI JOIN kept k ON n.subject = k.subject ORDER BY n.place`;
  return done({ sql: `${sql}\n${answer}`, parameters: parameters.list });
};
/** How many subjects are eligible. */
export const countEligible = (eligible: string): Statement => ({
  sql: 'SELECT CAST(count(*) AS VARCHAR) FROM read_parquet($1)',
  parameters: [{ type: 'text', value: eligible }],
});
