/**
 * Hashed attributes (rule S2): SQL has no hash that X3 allows, so the column's distinct values are hashed here, and the predicate
 * becomes the list of those in its groups. The list comes from the snapshot and stays in the slice; no other subject's row is read by it.
 */
import { hashGroup, type Plan, type PlanPredicate } from '@scs/protocol';
import { hasOneText, quote, type Columns } from './compile.ts';
import { done, failed, type Outcome } from './fault.ts';
import type { LockedDatabase } from './locked-database.ts';

interface SnapshotFile {
  readonly snapshot: string;
}
/** Distinct values of one column: as many as a slice's memory holds beside its query. */
const MOST_VALUES = 1_000_000;
type Hashed = Extract<PlanPredicate, { op: 'hash' }>;

const valuesOf = async (
  column: string,
  { snapshot }: SnapshotFile,
  database: LockedDatabase,
  most: number,
): Promise<readonly string[] | undefined> => {
  const text = `CAST(${quote(column)} AS VARCHAR)`;
  const sql = `SELECT DISTINCT ${text} AS value FROM read_parquet($1) WHERE ${quote(column)} IS NOT NULL ORDER BY value LIMIT $2`;
  const rows = await database.rows({
    sql,
    parameters: [
      { type: 'text', value: snapshot },
      { type: 'integer', value: BigInt(most) + 1n },
    ],
  });
  return rows.length > most ? undefined : rows.map(([value]) => String(value));
};

/** The same plan with lists of values in place of hash groups. */
export const withHashGroupsListed = async (
  plan: Plan,
  columns: Columns,
  files: SnapshotFile,
  database: LockedDatabase,
  most = MOST_VALUES,
): Promise<Outcome<Plan>> => {
  const hashed = plan.where.flat().filter((p): p is Hashed => p.op === 'hash');
  const values = new Map<string, readonly string[]>();
  for (const { column } of hashed) {
    const type = columns.get(column);
    if (type === undefined) return failed('ColumnMissing', `The snapshot has no column ${column}.`);
    if (!hasOneText(type)) return failed('ColumnTypeUnfit', `Column ${column} is ${type}; only text, integers and dates are hashed.`);
    const found = values.get(column) ?? (await valuesOf(column, files, database, most));
    if (!found) return failed('MemoryExceeded', `Column ${column} has more than ${most} values, too many to hash.`);
    values.set(column, found);
  }
  const listed = (p: PlanPredicate): PlanPredicate =>
    p.op === 'hash'
      ? { op: 'in', column: p.column, values: (values.get(p.column) ?? []).filter((v) => p.in.includes(hashGroup(p.key, v, p.groups))) }
      : p;
  return done(hashed.length === 0 ? plan : { ...plan, where: plan.where.map((anyOf) => anyOf.map(listed)) });
};
