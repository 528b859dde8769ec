/** Consents in SQL (rules C1, C4): the same decision as `protocol/src/rules/consent.ts`, for all subjects at once. */
import { usages, type Usage } from '@scs/protocol';
import type { ConsentEntry } from '@scs/protocol/rules/consent.ts';
import type { Sql } from './database.ts';
import { erasedAt, lookAgain, noteErasure } from './erasures.ts';
import { appendJournal } from './journal.ts';
import { consentVersion, enrol, enrolOne, raiseVersion, subjectId, type NewAccounts } from './subjects.ts';

/** Of one account and usage: the latest entry wins, of equal times the revocation. */
export const LATEST = 'arg_max(granted, 2 * time + (NOT granted)::BIGINT)';
/** Table expression of the accounts that consent to `$usage`. */
export const CONSENTING = `(SELECT id FROM (SELECT id, ${LATEST} AS granted FROM consents WHERE usage = $usage GROUP BY id) WHERE granted)`;

export const consentsNow = async (sql: Sql, subject: string, usage: Usage): Promise<boolean> => {
  const rows = await sql.rows(`SELECT 1 FROM subjects JOIN ${CONSENTING} USING (id) WHERE subject = $subject`, { subject, usage });
  return rows.length > 0;
};

/** What consents were added, for the journal: `number usage granted time` by comma. */
export interface AddedConsents {
  readonly accounts: NewAccounts;
  readonly said: string;
}
const anyErased = async (sql: Sql, source: string): Promise<boolean> =>
  (await sql.rows(`SELECT 1 FROM ${source} JOIN subjects USING (subject) JOIN erasures USING (id) LIMIT 1`)).length > 0;
/** Adds the entries of `source` (columns subject, usage, granted, time). */
export const addConsents = async (sql: Sql, source: string, subjectKey: string): Promise<AddedConsents> => {
  const accounts = await enrol(sql, source, subjectKey);
  await sql.run(`INSERT INTO consents SELECT s.id, c.usage, c.granted, c.time FROM ${source} c JOIN subjects s USING (subject)`);
  for (const usage of usages) {
    const touched = await sql.rows(`SELECT 1 FROM ${source} WHERE usage = $usage LIMIT 1`, { usage });
    if (touched.length > 0) await raiseVersion(sql, consentVersion(usage));
  }
  if (await anyErased(sql, source)) await lookAgain(sql);
  const [row] = await sql.rows(
    `SELECT coalesce(string_agg(s.id || ' ' || c.usage || ' ' || c.granted || ' ' || c.time, ',' ORDER BY s.id, c.usage, c.time), '') AS said
       FROM ${source} c JOIN subjects s USING (subject)`,
  );
  return { accounts, said: String(row!['said']) };
};

/** C4: what a subject just said. Never earlier than what is recorded, or erased, so that a wrong clock can't undo it. */
export const recordConsent = async (sql: Sql, entry: ConsentEntry, subjectKey: string): Promise<void> => {
  const { id, accounts } = await enrolOne(sql, entry.subject, subjectKey);
  const [row] = await sql.rows('SELECT max(time) AS latest FROM consents WHERE id = $id::BIGINT AND usage = $usage', {
    id,
    usage: entry.usage,
  });
  const erased = await erasedAt(sql, id);
  if (erased !== undefined) await lookAgain(sql);
  const latest = (row?.['latest'] as bigint | null | undefined) ?? erased ?? -1n;
  const time = BigInt(entry.time) > latest ? BigInt(entry.time) : latest + 1n;
  const granted = entry.state === 'granted';
  await sql.run('INSERT INTO consents VALUES ($id::BIGINT, $usage, $granted, $time::BIGINT)', { id, usage: entry.usage, granted, time });
  await raiseVersion(sql, consentVersion(entry.usage));
  await appendJournal(sql, 'consent', { accounts, account: id, usage: entry.usage, granted, time });
};

/** C4: records and consents go, who it was goes; account and ledger stay under the keyed hash. False when unknown. */
export const eraseSubject = async (sql: Sql, subject: string, recordTables: readonly string[], now: number): Promise<boolean> => {
  const id = await subjectId(sql, subject);
  if (id === undefined) return false;
  const [row] = await sql.rows('SELECT greatest($now::BIGINT, max(time))::BIGINT AS time FROM consents WHERE id = $id::BIGINT', {
    id,
    now,
  });
  const time = row!['time'] as bigint;
  await eraseAccount(sql, id, recordTables);
  const { sequence } = await appendJournal(sql, 'erase', { account: id, time });
  await noteErasure(sql, id, sequence, time);
  return true;
};

/** What erasing does to an account's records, consents and name; the ledger stays. */
export const eraseAccount = async (sql: Sql, id: bigint, recordTables: readonly string[]): Promise<void> => {
  for (const table of recordTables) await sql.run(`DELETE FROM ${table} WHERE subject = $id::BIGINT`, { id });
  await sql.run('DELETE FROM consents WHERE id = $id::BIGINT', { id });
  await sql.run('DELETE FROM audience_members WHERE id = $id::BIGINT', { id });
  await sql.run('DELETE FROM subject_keys WHERE id = $id::BIGINT', { id });
  await sql.run('DELETE FROM subjects WHERE id = $id::BIGINT', { id });
  for (const usage of usages) await raiseVersion(sql, consentVersion(usage));
};
