/**
 * The budget ledger in SQL (rules B1, B2, B4, B5): what `protocol/src/rules/ledger.ts` does for one subject after the other,
 * here for all at once. Callers are inside the one writing transaction. Amounts are micro-rho.
 */
import { CONSENTING } from './consents.ts';
import type { Sql } from './database.ts';
import { recordsTable } from './schema.ts';

export interface Charge {
  /** Number of the reservation. */
  readonly id: bigint;
  readonly usage: string;
  readonly ask: bigint;
}

/** B4: whoever consents, has records in the domain, and has room for `ask`, is charged; the others are left out silently. */
export const reserveEligible = async (sql: Sql, { id, usage, ask }: Charge, domain: string, limit: bigint): Promise<void> => {
  await sql.run(
    `INSERT INTO reservation_subjects
       SELECT $id::BIGINT, r.id FROM (SELECT DISTINCT subject AS id FROM ${recordsTable(domain)}) r
       SEMI JOIN ${CONSENTING} c USING (id)
       LEFT JOIN (SELECT * FROM ledger WHERE usage = $usage) l USING (id)
       WHERE coalesce(l.reserved + l.spent, 0) + $ask::BIGINT <= $limit::BIGINT`,
    { id, usage, ask, limit },
  );
  await chargeReserved(sql, { id, usage, ask });
};

/** B5: the subjects that `reservation_subjects` names are charged `ask`. */
export const chargeReserved = async (sql: Sql, { id, usage, ask }: Charge): Promise<void> => {
  await sql.run(
    `INSERT INTO ledger SELECT id, $usage, 0, 0 FROM (SELECT id FROM reservation_subjects WHERE reservation = $id::BIGINT) s
       ANTI JOIN (SELECT id FROM ledger WHERE usage = $usage) l USING (id)`,
    { id, usage },
  );
  await move(sql, { id, usage }, ask, 0n);
};

/** B2: the reservation becomes `used` spent for each of its subjects. */
export const commitCharge = (sql: Sql, { id, usage, ask }: Charge, used: bigint): Promise<void> => move(sql, { id, usage }, -ask, used);

/** B2: failure before execution gives all back. */
export const releaseCharge = async (sql: Sql, { id, usage, ask }: Charge): Promise<void> => {
  await move(sql, { id, usage }, -ask, 0n);
  await sql.run('DELETE FROM reservation_subjects WHERE reservation = $id::BIGINT', { id });
};

/** Sorted numbers of a reservation's subjects, joined by commas. */
export const reservedSubjects = async (sql: Sql, id: bigint): Promise<string> => {
  const [row] = await sql.rows(
    "SELECT coalesce(string_agg(id::VARCHAR, ',' ORDER BY id), '') AS ids FROM reservation_subjects WHERE reservation = $id::BIGINT",
    { id },
  );
  return String(row!['ids']);
};

/** C2: drops the subjects of a reservation who no longer consent, and gives theirs back. Their numbers, undefined when there are none. */
export const dropRevoked = async (sql: Sql, { id, usage, ask }: Charge): Promise<string | undefined> => {
  const revoked = `(SELECT id FROM reservation_subjects WHERE reservation = $id::BIGINT) s ANTI JOIN ${CONSENTING} c USING (id)`;
  const some = await sql.rows(`SELECT 1 FROM ${revoked} LIMIT 1`, { id, usage });
  if (some.length === 0) return undefined;
  await sql.run('CREATE OR REPLACE TEMP TABLE dropped AS SELECT id FROM ' + revoked, { id, usage });
  const [row] = await sql.rows("SELECT string_agg(id::VARCHAR, ',' ORDER BY id) AS ids FROM dropped");
  await giveBackDropped(sql, { id, usage, ask });
  return String(row!['ids']);
};

/** C2: theirs goes back to the subjects in the temporary table `dropped`, which goes too. */
export const giveBackDropped = async (sql: Sql, { id, usage, ask }: Charge): Promise<void> => {
  await sql.run(`UPDATE ledger SET reserved = reserved - $ask::BIGINT WHERE usage = $usage AND id IN (SELECT id FROM dropped)`, {
    ask,
    usage,
  });
  await sql.run('DELETE FROM reservation_subjects WHERE reservation = $id::BIGINT AND id IN (SELECT id FROM dropped)', { id });
  await sql.run('DROP TABLE dropped');
};

const move = (sql: Sql, of: { id: bigint; usage: string }, reserved: bigint, spent: bigint): Promise<void> =>
  sql.run(
    `UPDATE ledger SET reserved = reserved + $reserved::BIGINT, spent = spent + $spent::BIGINT
       WHERE usage = $usage AND id IN (SELECT id FROM reservation_subjects WHERE reservation = $id::BIGINT)`,
    { ...of, reserved, spent },
  );

/**
 * B4: the public odometer of this Vault for a usage and domain: what its tasks reserved or used since the last replenishment, whoever was eligible. At
 * least what any subject lost there, and known to everyone from the tasks themselves.
 */
export const odometer = async (sql: Sql, usage: string, domain: string): Promise<bigint> => {
  const [row] = await sql.rows(
    `SELECT coalesce(sum(CASE state WHEN 'reserved' THEN ask WHEN 'committed' THEN used ELSE 0 END), 0)::BIGINT AS total
       FROM reservations r WHERE usage = $usage AND domain = $domain
         AND NOT EXISTS (SELECT 1 FROM former_reservations f WHERE f.id = r.id)`,
    { usage, domain },
  );
  return row!['total'] as bigint;
};
