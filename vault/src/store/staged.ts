/**
 * The rows of a file that is being imported, within its transaction: `staged`, a view of `checked` as long as no row is taken out, so that
 * they need not be kept in mind; a temporary table after that. A rollback takes both with it.
 */
import type { Sql } from './database.ts';

const isView = async (sql: Sql, name: string): Promise<boolean> =>
  (await sql.rows('SELECT 1 FROM duckdb_views() WHERE temporary AND view_name = $name', { name })).length > 0;

/** Takes out the rows of which the SQL condition is true. */
export const dropStaged = async (sql: Sql, condition: string, values: Readonly<Record<string, string>> = {}): Promise<void> => {
  if (await isView(sql, 'staged')) {
    await sql.run('CREATE TEMP TABLE staged_rows AS FROM staged');
    await sql.run('DROP VIEW staged');
    await sql.run('ALTER TABLE staged_rows RENAME TO staged');
  }
  await sql.run(`DELETE FROM staged WHERE ${condition}`, values);
};
/** How many there are, of `staged` in the beginning. */
export const stagedRows = async (sql: Sql, staged: bigint): Promise<bigint> => {
  if (await isView(sql, 'staged')) return staged;
  return (await sql.rows('SELECT count(*) AS rows FROM staged'))[0]!['rows'] as bigint;
};
export const unstage = async (sql: Sql): Promise<void> => {
  for (const name of ['staged', 'checked']) await sql.run(`DROP ${(await isView(sql, name)) ? 'VIEW' : 'TABLE'} ${name}`);
  await sql.run('DROP TABLE IF EXISTS entries');
};
