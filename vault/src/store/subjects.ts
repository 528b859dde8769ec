/** Data subjects (rule C4): a lasting number and keyed hash each, and, until erased, who it is. */
import type { Sql } from './database.ts';

/** SQL of a subject's keyed hash; `$subjectKey` is bound to hex of the key. Nested, so that hashes can't be extended. */
export const hashOf = (subject: string): string => `sha256($subjectKey || sha256($subjectKey || ${subject}))`;

export const MAX_SUBJECT_LENGTH = 256;

/** Accounts numbered from `first`; the keyed hashes in that order, 64 digits each. */
export interface NewAccounts {
  readonly first: bigint;
  readonly hashes: string;
}
/** Accounts that were made together, numbered from `first` to `last`; none when `last` is the one before. */
export interface AccountRange {
  readonly first: bigint;
  readonly last: bigint;
}
export const NO_ACCOUNTS: NewAccounts = { first: 0n, hashes: '' };
/** Accounts in one entry of the journal: an entry is held in memory whole. */
const MOST_ACCOUNTS = 20_000n;
/** Of new accounts, as entries of the journal say it. */
export const piecesOf = async function* (sql: Sql, { first, last }: AccountRange): AsyncGenerator<NewAccounts, void> {
  for (let from = first; from <= last; from += MOST_ACCOUNTS) {
    const [row] = await sql.rows(
      "SELECT string_agg(hash, '' ORDER BY id) AS hashes FROM accounts WHERE id BETWEEN $from::BIGINT AND least($from::BIGINT + $most::BIGINT - 1, $last::BIGINT)",
      { from, last, most: MOST_ACCOUNTS },
    );
    yield { first: from, hashes: String(row!['hashes']) };
  }
};
/** Of a few new accounts: one, or none. */
const pieceOf = async (sql: Sql, range: AccountRange): Promise<NewAccounts> => {
  for await (const piece of piecesOf(sql, range)) return piece;
  return NO_ACCOUNTS;
};

/** Subjects that are looked at together, so that memory is bounded; whoever estimates may be off by some. */
const MOST_TOGETHER = 2_000_000;
/** SQL that takes the rows of some of about `estimate` subjects, part by part. */
export const partsOf = (estimate: number): readonly string[] => {
  const parts = Math.ceil(estimate / MOST_TOGETHER);
  return parts === 1 ? [''] : Array.from({ length: parts }, (_, part) => `WHERE hash(subject) % ${parts} = ${part}`);
};
/**
 * Gives every subject in `source` (a table with column `subject`) an account and a row. One who was erased gets back the
 * account of old, with what was spent (C4). The journal is to say which accounts are new. `estimate`: of how many there are.
 */
export const enrol = async (sql: Sql, source: string, subjectKey: string, estimate = 1): Promise<AccountRange> => {
  const first = (await lastAccount(sql)) + 1n;
  for (const which of partsOf(estimate)) await enrolPart(sql, source, which, subjectKey);
  return { first, last: await lastAccount(sql) };
};
const enrolPart = async (sql: Sql, source: string, which: string, subjectKey: string): Promise<void> => {
  // One after the other: DuckDB 1.5 takes the memory of all rows, not of all subjects, for a DISTINCT and an ANTI JOIN in one statement.
  await sql.run(`CREATE OR REPLACE TEMP TABLE mentioned AS SELECT DISTINCT subject FROM ${source} ${which}`);
  await sql.run(
    `CREATE OR REPLACE TEMP TABLE newcomers AS
       SELECT subject, ${hashOf('subject')} AS hash FROM mentioned ANTI JOIN (FROM subjects ${which}) USING (subject)`,
    { subjectKey },
  );
  // Where each account has its subject, none waits for one of these.
  const back = await hasNameless(sql);
  if (back) await sql.run('INSERT INTO subjects SELECT a.id, n.subject FROM newcomers n JOIN accounts a USING (hash)');
  // In the order of hashes: numbers say nothing of the file.
  await sql.run(
    `CREATE OR REPLACE TEMP TABLE numbered AS SELECT ${await lastAccount(sql)} + row_number() OVER (ORDER BY hash) AS id, subject, hash
       FROM newcomers ${back ? 'ANTI JOIN accounts USING (hash)' : ''}`,
  );
  await sql.run('INSERT INTO accounts SELECT id, hash FROM numbered');
  await sql.run('INSERT INTO subjects SELECT id, subject FROM numbered');
  for (const table of ['mentioned', 'newcomers', 'numbered']) await sql.run(`DROP TABLE ${table}`);
};
/** Accounts of who was erased, or whom the journal alone knows. */
const hasNameless = async (sql: Sql): Promise<boolean> => {
  const [row] = await sql.rows('SELECT (SELECT count(*) FROM accounts) > (SELECT count(*) FROM subjects) AS some');
  return row!['some'] === true;
};
const lastAccount = async (sql: Sql): Promise<bigint> => {
  const [row] = await sql.rows('SELECT coalesce(max(id), 0)::BIGINT AS last FROM accounts');
  return row!['last'] as bigint;
};

export const subjectId = async (sql: Sql, subject: string): Promise<bigint | undefined> => {
  const [row] = await sql.rows('SELECT id FROM subjects WHERE subject = $subject', { subject });
  return row?.['id'] as bigint | undefined;
};

/** The same for one subject; who is known costs one look. */
export const enrolOne = async (
  sql: Sql,
  subject: string,
  subjectKey: string,
): Promise<{ readonly id: bigint; readonly accounts: NewAccounts }> => {
  const known = await subjectId(sql, subject);
  if (known !== undefined) return { id: known, accounts: { first: known, hashes: '' } };
  await sql.run('CREATE OR REPLACE TEMP TABLE newcomer AS SELECT $subject AS subject', { subject });
  const accounts = await pieceOf(sql, await enrol(sql, 'newcomer', subjectKey));
  await sql.run('DROP TABLE newcomer');
  return { id: (await subjectId(sql, subject))!, accounts };
};

/** Raises a version that snapshots depend on. */
export const raiseVersion = async (sql: Sql, name: string): Promise<void> =>
  sql.run('INSERT INTO versions VALUES ($name, 1) ON CONFLICT DO UPDATE SET version = version + 1', { name });
/** All that were ever raised. */
export const versions = async (sql: Sql): Promise<ReadonlyMap<string, bigint>> =>
  new Map((await sql.rows('SELECT name, version FROM versions')).map((row) => [String(row['name']), row['version'] as bigint]));
/** In the order of `names`. */
export const versionsOf = async (sql: Sql, names: readonly string[]): Promise<readonly bigint[]> => {
  const known = await versions(sql);
  return names.map((name) => known.get(name) ?? 0n);
};
export const recordsVersion = (domain: string): string => `records/${domain}`;
export const consentVersion = (usage: string): string => `consent/${usage}`;
