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

/** Numbers of the selected subjects, ascending; undefined when the bitmap is not one of the charged subjects. */
export const selectedNumbers = (charged: Uint32Array, bitmap: Uint8Array): Uint32Array | undefined => {
  if (bitmap.length !== Math.ceil(charged.length / 8)) return undefined;
  // Bits behind the last subject stand for nobody.
  if ((bitmap.at(-1) ?? 0) >> ((charged.length + 7) % 8) > 1) return undefined;
  return charged.filter((_, i) => (bitmap[i >> 3]! >> (i & 7)) & 1);
};

/** `expires`: civil time in milliseconds. */
export const keepAudience = async (sql: Sql, task: string, expires: bigint, numbers: Uint32Array): Promise<void> => {
  await sql.append('audiences', [[task, expires]]);
  await sql.append(
    'audience_members',
    Array.from(numbers, (number) => [task, BigInt(number), null] as const),
  );
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

/** `time`: civil, in milliseconds. */
export const markActivated = (sql: Sql, task: string, time: bigint, numbers: Uint32Array): Promise<void> =>
  sql.run(
    `UPDATE audience_members SET sent = $time::BIGINT WHERE task = $task AND id IN (SELECT unnest(string_split($numbers, ','))::BIGINT)`,
    { task, time, numbers: numbers.join(',') },
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
