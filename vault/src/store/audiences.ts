/**
 * Kept audiences (rule T1): who a released task selected here, until it expires, for activation by this Vault's operator alone. A
 * subject who was erased, or no longer consents to marketing, is not activated; each is activated once.
 */
import type { Sql } from './database.ts';
import { CONSENTING } from './consents.ts';

export interface AudienceToKeep {
  /** Bit i, from the lowest of byte 0: the i-th charged subject by its number. */
  readonly bitmap: Uint8Array;
  readonly expiresSeconds: number;
}
export interface AudienceSummary {
  readonly task: string;
  readonly submitter: string;
  /** Civil time in milliseconds. */
  readonly expires: bigint;
}
export interface Member {
  readonly id: bigint;
  readonly subject: string;
}

const memberPlaces = (bitmap: Uint8Array): readonly bigint[] => {
  const places: bigint[] = [];
  bitmap.forEach((byte, i) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) places.push(BigInt(8 * i + bit));
  });
  return places;
};

/** Numbers of the selected subjects, ascending, by comma; undefined when the bitmap is not one of the reservation's subjects. */
export const selectedNumbers = async (sql: Sql, reservation: bigint, bitmap: Uint8Array): Promise<string | undefined> => {
  const [row] = await sql.rows('SELECT count(*) AS n FROM reservation_subjects WHERE reservation = $reservation::BIGINT', { reservation });
  const eligible = Number(row!['n']);
  const places = memberPlaces(bitmap);
  if (bitmap.length !== Math.ceil(eligible / 8) || Number(places.at(-1) ?? 0n) >= Math.max(eligible, 1)) return undefined;
  const [numbers] = await sql.rows(
    `SELECT coalesce(string_agg(id::VARCHAR, ',' ORDER BY id), '') AS ids FROM (
       SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM reservation_subjects WHERE reservation = $reservation::BIGINT)
     WHERE place IN (SELECT unnest(string_split($places, ','))::BIGINT WHERE $places <> '')`,
    { reservation, places: places.join(',') },
  );
  return String(numbers!['ids']);
};

/** Rows of one INSERT: statements stay small. */
const ROWS = 1000;
/** `expires`: civil time in milliseconds. `numbers`: of subjects, by comma. */
export const keepAudience = async (sql: Sql, task: string, expires: bigint, numbers: string): Promise<void> => {
  await sql.run('INSERT INTO audiences VALUES ($task, $expires::BIGINT)', { task, expires });
  const ids = numbers === '' ? [] : numbers.split(',');
  for (let i = 0; i < ids.length; i += ROWS)
    await sql.run(`INSERT INTO audience_members SELECT $task, unnest(string_split($ids, ','))::BIGINT, NULL`, {
      task,
      ids: ids.slice(i, i + ROWS).join(','),
    });
};

/** Ready to be activated: released by the masters' word, not expired. */
const READY = `SELECT a.task, r.submitter, a.expires FROM audiences a JOIN reservations r USING (task) WHERE r.state = 'committed' AND a.expires > $now::BIGINT`;
export const readyAudiences = async (sql: Sql, now: number): Promise<readonly AudienceSummary[]> =>
  (await sql.rows(`${READY} ORDER BY a.expires, a.task`, { now: BigInt(now) })).map((row) => ({
    task: String(row['task']),
    submitter: String(row['submitter']),
    expires: row['expires'] as bigint,
  }));

/** Those still to be activated, at most `limit`, who consent to marketing now. */
export const dueMembers = async (sql: Sql, task: string, limit: number): Promise<readonly Member[]> => {
  const rows = await sql.rows(
    `SELECT m.id, s.subject FROM audience_members m JOIN subjects s USING (id) SEMI JOIN ${CONSENTING} c USING (id)
       WHERE m.task = $task AND m.sent IS NULL ORDER BY m.id LIMIT ${Math.trunc(limit)}`,
    { task, usage: 'marketing' },
  );
  return rows.map((row) => ({ id: row['id'] as bigint, subject: String(row['subject']) }));
};

/** `numbers`: of subjects, by comma. `time`: civil, in milliseconds. */
export const markActivated = (sql: Sql, task: string, time: bigint, numbers: string): Promise<void> =>
  sql.run(
    `UPDATE audience_members SET sent = $time::BIGINT WHERE task = $task AND id IN (SELECT unnest(string_split($numbers, ','))::BIGINT)`,
    { task, time, numbers },
  );

/** Forgets what expired, and what was never released. */
export const forgetAudiences = async (sql: Sql, now: number): Promise<void> => {
  await sql.run(
    `DELETE FROM audiences a WHERE expires <= $now::BIGINT
       OR EXISTS (SELECT 1 FROM reservations r WHERE r.task = a.task AND r.state = 'released')`,
    { now: BigInt(now) },
  );
  await sql.run('DELETE FROM audience_members m WHERE NOT EXISTS (SELECT 1 FROM audiences a WHERE a.task = m.task)');
};
