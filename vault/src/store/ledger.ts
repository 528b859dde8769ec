/**
 * The budget ledger in SQL (rules B1, B2, B4, B5): what `protocol/src/rules/ledger.ts` does for one subject after the other, here for all
 * at once. What a subject lost is the sum of what the reservations say that charge it (the view `ledger`), so that a reservation of a
 * million subjects is committed by changing one row. Callers are inside the one writing transaction. Amounts are micro-rho.
 */
import { CONSENTING } from './consents.ts';
import type { Sql } from './database.ts';
import { recordsTable } from './schema.ts';

/** Numbers of those who consent and have records in the domain, ascending. */
export const entitled = (sql: Sql, domain: string, usage: string): Promise<Uint32Array> =>
  sql.numbers(
    `SELECT r.id::UINTEGER FROM (SELECT DISTINCT subject AS id FROM ${recordsTable(domain)}) r SEMI JOIN ${CONSENTING} c USING (id) ORDER BY 1`,
    { usage },
  );

/** Numbers that a reservation charges, ascending. */
export const chargedNumbers = (sql: Sql, id: bigint): Promise<Uint32Array> =>
  sql.numbers('SELECT id::UINTEGER FROM reservation_subjects WHERE reservation = $id::BIGINT ORDER BY id', { id });

/** B2: failure before execution gives all back. */
export const releaseCharge = (sql: Sql, id: bigint): Promise<void> =>
  sql.run('DELETE FROM reservation_subjects WHERE reservation = $id::BIGINT', { id });

/** C2: those of a reservation who no longer consent, ascending. */
export const revokedNumbers = (sql: Sql, id: bigint, usage: string): Promise<Uint32Array> =>
  sql.numbers(
    `SELECT id::UINTEGER FROM (SELECT id FROM reservation_subjects WHERE reservation = $id::BIGINT) s ANTI JOIN ${CONSENTING} c USING (id) ORDER BY 1`,
    { id, usage },
  );
/** C2: gives theirs back to some of a reservation's subjects. */
export const dropCharged = async (sql: Sql, id: bigint, numbers: Uint32Array): Promise<void> => {
  await sql.run('CREATE OR REPLACE TEMP TABLE dropped (id BIGINT)');
  for (let i = 0; i < numbers.length; i += ROWS)
    await sql.run("INSERT INTO dropped SELECT unnest(string_split($ids, ','))::BIGINT", { ids: numbers.subarray(i, i + ROWS).join(',') });
  await sql.run('DELETE FROM reservation_subjects WHERE reservation = $id::BIGINT AND id IN (SELECT id FROM dropped)', { id });
  await sql.run('DROP TABLE dropped');
};
/** Numbers in one statement: statements stay small. */
const ROWS = 10_000;

/** Folds the sums of what is committed into one row a subject, so that a start need not add them all up again. The ledger stays as it is: false. */
export const foldLedger = async (sql: Sql): Promise<false> => {
  const ripe = `SELECT id, usage, used FROM reservations r WHERE state = 'committed'
    AND NOT EXISTS (SELECT 1 FROM former_reservations f WHERE f.id = r.id) AND NOT EXISTS (SELECT 1 FROM folded_reservations f WHERE f.id = r.id)`;
  await sql.run(`CREATE OR REPLACE TEMP TABLE ripe AS ${ripe}`);
  const some = await sql.rows('SELECT 1 FROM ripe LIMIT 1');
  if (some.length > 0) {
    await sql.run(
      `CREATE OR REPLACE TEMP TABLE sums AS SELECT id, usage, sum(spent)::BIGINT AS spent FROM (
         FROM folded UNION ALL SELECT s.id, r.usage, r.used FROM reservation_subjects s JOIN ripe r ON r.id = s.reservation) GROUP BY id, usage`,
    );
    await sql.run('DELETE FROM folded');
    await sql.run('INSERT INTO folded SELECT id, usage, spent FROM sums');
    await sql.run('INSERT INTO folded_reservations SELECT id FROM ripe');
    await sql.run('DROP TABLE sums');
  }
  await sql.run('DROP TABLE ripe');
  return false;
};
