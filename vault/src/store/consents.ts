/** Consents in SQL (rules C1, C4): the same decision as `protocol/src/rules/consent.ts`, for all subjects at once. */
import { usages, type Usage } from '@scs/protocol';
import type { ConsentEntry } from '@scs/protocol/rules/consent.ts';
import type { Sql } from './database.ts';
import { erasedAt, lookAgain, noteErasure } from './erasures.ts';
import { appendJournal } from './journal.ts';
import {
  consentVersion,
  enrol,
  enrolOne,
  NO_ACCOUNTS,
  piecesOf,
  raiseVersion,
  subjectId,
  type AccountRange,
  type NewAccounts,
} from './subjects.ts';

/** Of one account and usage: the latest entry wins, of equal times the revocation. */
export const LATEST = 'arg_max(granted, 2 * time + (NOT granted)::BIGINT)';
/** Table expression of the accounts that consent to `$usage`. */
export const CONSENTING = `(SELECT id FROM (SELECT id, ${LATEST} AS granted FROM consents WHERE usage = $usage GROUP BY id) WHERE granted)`;

export const consentsNow = async (sql: Sql, subject: string, usage: Usage): Promise<boolean> => {
  const rows = await sql.rows(`SELECT 1 FROM subjects JOIN ${CONSENTING} USING (id) WHERE subject = $subject`, { subject, usage });
  return rows.length > 0;
};

/** Part of what consents were added, for an entry of the journal: `number usage granted time` by comma. */
interface AddedConsents {
  readonly accounts: NewAccounts;
  readonly said: string;
}
const anyErased = async (sql: Sql, source: string): Promise<boolean> =>
  (await sql.rows(`SELECT 1 FROM ${source} JOIN subjects USING (subject) JOIN erasures USING (id) LIMIT 1`)).length > 0;
/** Adds the entries of `source` (columns subject, usage, granted, time), of about so many subjects. Returns the new accounts; `addedConsents` says the rest. */
export const addConsents = async (sql: Sql, source: string, subjectKey: string, subjects: number): Promise<AccountRange> => {
  const accounts = await enrol(sql, source, subjectKey, subjects);
  await sql.run(`INSERT INTO consents SELECT s.id, c.usage, c.granted, c.time FROM ${source} c JOIN subjects s USING (subject)`);
  for (const usage of usages) {
    const touched = await sql.rows(`SELECT 1 FROM ${source} WHERE usage = $usage LIMIT 1`, { usage });
    if (touched.length > 0) await raiseVersion(sql, consentVersion(usage));
  }
  if (await anyErased(sql, source)) await lookAgain(sql);
  return accounts;
};

/** Consents in one entry of the journal: an entry is held in memory whole. */
const MOST_SAID = 40_000;
const saidOf = async function* (sql: Sql, source: string): AsyncGenerator<string, void> {
  await sql.run(
    `CREATE OR REPLACE TEMP TABLE said AS SELECT row_number() OVER (ORDER BY s.id, c.usage, c.time) AS number,
       s.id || ' ' || c.usage || ' ' || c.granted || ' ' || c.time AS entry FROM ${source} c JOIN subjects s USING (subject)`,
  );
  const [row] = await sql.rows('SELECT count(*) AS n FROM said');
  for (let from = 1; from <= Number(row!['n']); from += MOST_SAID) {
    const [piece] = await sql.rows(
      `SELECT string_agg(entry, ',' ORDER BY number) AS said FROM said WHERE number >= ${from} AND number < ${from + MOST_SAID}`,
    );
    yield String(piece!['said']);
  }
  await sql.run('DROP TABLE said');
};
/** What was added, accounts first; at least one part. */
export const addedConsents = async function* (sql: Sql, source: string, range: AccountRange): AsyncGenerator<AddedConsents, void> {
  let accounts: NewAccounts = NO_ACCOUNTS;
  for await (const piece of piecesOf(sql, range)) {
    if (accounts !== NO_ACCOUNTS) yield { accounts, said: '' };
    accounts = piece;
  }
  let yielded = false;
  for await (const said of saidOf(sql, source)) {
    yield { accounts, said };
    [accounts, yielded] = [NO_ACCOUNTS, true];
  }
  if (!yielded) yield { accounts, said: '' };
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
