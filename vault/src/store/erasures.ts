/**
 * What erasing leaves behind (rule C4): when an account was erased, and nothing of who it is. What was said before does not count any
 * more, however often a file says it. A file of records that the Vault saw before the erasure brings nothing back, unless the subject
 * consented since: then their part of it comes in again. A new file is the enterprise's new word.
 */
import type { Sql } from './database.ts';
import { dropStaged } from './staged.ts';
import { hashOf } from './subjects.ts';

export interface LeftOut {
  readonly rows: bigint;
  /** From 1. */
  readonly firstRow: bigint;
}
/** A file of records, by its content. */
export interface SeenFile {
  readonly domain: string;
  readonly digest: string;
}

const LAST = '(SELECT id, max(sequence) AS sequence, max(time) AS time FROM erasures GROUP BY id)';
/** Erased, and consented again since: all consents that are kept are of after the erasure. */
const RETURNED = `(SELECT e.id, e.sequence FROM ${LAST} e WHERE EXISTS (SELECT 1 FROM consents c WHERE c.id = e.id AND c.granted))`;
const ABSENT = `(SELECT e.id, e.sequence FROM ${LAST} e WHERE NOT EXISTS (SELECT 1 FROM consents c WHERE c.id = e.id AND c.granted))`;
/** Accounts whose records of a file are not here: erased since the file, or their part of it, came. */
const PENDING = `(SELECT r.id FROM ${RETURNED} r, imports i
    WHERE i.kind = 'records' AND i.domain = $domain AND i.digest = $digest
      AND r.sequence > coalesce((SELECT max(l.sequence) FROM later_records l WHERE l.domain = $domain AND l.digest = $digest AND l.id = r.id), i.sequence))`;

/** `sequence` is that of the journal's entry; `time` in milliseconds. */
export const noteErasure = (sql: Sql, id: bigint, sequence: bigint, time: bigint): Promise<void> =>
  sql.run('INSERT INTO erasures VALUES ($id::BIGINT, $sequence::BIGINT, $time::BIGINT)', { id, sequence, time });

/** Milliseconds; undefined for an account that was never erased. */
export const erasedAt = async (sql: Sql, id: bigint): Promise<bigint | undefined> => {
  const [row] = await sql.rows('SELECT max(time) AS time FROM erasures WHERE id = $id::BIGINT', { id });
  return (row?.['time'] as bigint | null | undefined) ?? undefined;
};
const isAnyErased = async (sql: Sql): Promise<boolean> => (await sql.rows('SELECT 1 FROM erasures LIMIT 1')).length > 0;

/** Objects of buckets are looked at again: they may hold records of somebody who has come back. */
export const lookAgain = (sql: Sql): Promise<void> => sql.run('DELETE FROM source_objects');

/** Takes the rows out of `staged` that are of the accounts in `which` and fulfil the condition; they stay in the table `left_out`. */
const leaveOut = async (sql: Sql, which: string, condition: string, subjectKey: string): Promise<LeftOut | undefined> => {
  await sql.run(
    `CREATE OR REPLACE TEMP TABLE left_out AS
       SELECT s.number, n.id FROM staged s JOIN (
         SELECT subject, a.id FROM (SELECT subject, ${hashOf('subject')} AS hash FROM (SELECT DISTINCT subject FROM staged)) JOIN accounts a USING (hash)
       ) n USING (subject) JOIN ${which} e ON e.id = n.id WHERE ${condition}`,
    { subjectKey },
  );
  const [row] = await sql.rows('SELECT count(*) AS rows, min(number) AS first FROM left_out');
  const rows = row!['rows'] as bigint;
  if (rows === 0n) return undefined;
  await dropStaged(sql, 'number IN (SELECT number FROM left_out)');
  return { rows, firstRow: row!['first'] as bigint };
};
const dropLeftOut = (sql: Sql): Promise<void> => sql.run('DROP TABLE left_out');

/** Of staged consents, those said before their subject was erased. */
export const leaveOutOldConsents = async (sql: Sql, subjectKey: string): Promise<LeftOut | undefined> => {
  if (!(await isAnyErased(sql))) return undefined;
  const out = await leaveOut(sql, LAST, 'epoch_ms(s.time) <= e.time', subjectKey);
  await dropLeftOut(sql);
  return out;
};
/** Sequence at which the Vault saw a file of records for the first time, or a Vault of before a restore did. */
const firstSeen = async (sql: Sql, { digest }: SeenFile): Promise<bigint | undefined> => {
  const [row] = await sql.rows("SELECT min(sequence) AS first FROM journal WHERE kind = 'records' AND contains(decode(entry), $digest)", {
    digest,
  });
  return (row?.['first'] as bigint | null | undefined) ?? undefined;
};
/** Of the staged records of a file that was seen, those of subjects who were erased since and have not consented since. */
export const leaveOutErased = async (sql: Sql, seen: SeenFile, subjectKey: string): Promise<LeftOut | undefined> => {
  if (!(await isAnyErased(sql))) return undefined;
  const first = await firstSeen(sql, seen);
  if (first === undefined) return undefined;
  const out = await leaveOut(sql, ABSENT, `e.sequence > ${first}`, subjectKey);
  await sql.run('INSERT INTO later_records SELECT DISTINCT $domain, $digest, id, 0 FROM left_out', {
    domain: seen.domain,
    digest: seen.digest,
  });
  await dropLeftOut(sql);
  return out;
};

/** Whether a file that came before has records of somebody who has come back since. */
export const hasReturned = async (sql: Sql, { domain, digest }: SeenFile): Promise<boolean> =>
  (await sql.rows(`SELECT 1 FROM ${PENDING} LIMIT 1`, { domain, digest })).length > 0;
/** Leaves in `staged` the rows of those only. */
export const keepReturned = async (sql: Sql, { domain, digest }: SeenFile): Promise<void> => {
  await dropStaged(sql, `subject NOT IN (SELECT subject FROM ${PENDING} p JOIN subjects USING (id))`, { domain, digest });
};
/** Their records of the file are here as of the journal's entry `sequence`. */
export const noteReturned = (sql: Sql, { domain, digest }: SeenFile, sequence: bigint): Promise<void> =>
  sql.run(`INSERT INTO later_records SELECT $domain, $digest, id, $sequence::BIGINT FROM ${PENDING}`, { domain, digest, sequence });
