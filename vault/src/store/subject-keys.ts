/** Keys with which subjects sign their requests (rule C4). A key stands for one subject; an erased subject has none. */
import { addressOf } from '@scs/protocol';
import { noteAccess } from './access-log.ts';
import type { Sql } from './database.ts';
import { appendJournal } from './journal.ts';
import { enrolOne, NO_ACCOUNTS, subjectId } from './subjects.ts';

export interface KeyChange {
  readonly subject: string;
  /** Ed25519, hex. */
  readonly publicKey: string;
  readonly by: 'subject' | 'operator';
  /** Civil time in milliseconds. */
  readonly time: number;
}
export type KeyChanged = { readonly ok: true } | { readonly ok: false; readonly code: 'KeyTaken' | 'TooManyKeys' };
export const MAX_KEYS = 8;

const ownerOf = async (sql: Sql, publicKey: string): Promise<bigint | undefined> => {
  const [row] = await sql.rows('SELECT id FROM subject_keys WHERE public_key = $publicKey', { publicKey });
  return row?.['id'] as bigint | undefined;
};
export const keysOf = async (sql: Sql, account: bigint): Promise<readonly { readonly publicKey: string; readonly since: number }[]> => {
  const rows = await sql.rows('SELECT public_key, since FROM subject_keys WHERE id = $account::BIGINT ORDER BY since, public_key', {
    account,
  });
  return rows.map((row) => ({ publicKey: String(row['public_key']), since: Number(row['since']) }));
};

/** Registers the key, and the subject if nothing is known of them yet. Repeats change nothing. */
export const addKey = async (sql: Sql, { subject, publicKey, by, time }: KeyChange, subjectKey: string): Promise<KeyChanged> => {
  const known = await subjectId(sql, subject);
  const owner = (await ownerOf(sql, publicKey)) ?? (await subjectId(sql, addressOf(publicKey)));
  if (owner !== undefined) return owner === known ? { ok: true } : { ok: false, code: 'KeyTaken' };
  if (known !== undefined && (await keysOf(sql, known)).length >= MAX_KEYS) return { ok: false, code: 'TooManyKeys' };
  const { id: account, accounts } = await enrolOne(sql, subject, subjectKey);
  await sql.run('INSERT INTO subject_keys VALUES ($account::BIGINT, $publicKey, $time::BIGINT)', {
    account,
    publicKey,
    time: BigInt(time),
  });
  await noteAccess(sql, { time, what: 'key added', account, by });
  await appendJournal(sql, 'subject-key', { accounts, account, publicKey, added: true, time: BigInt(time) });
  return { ok: true };
};

/** False when it is none of the subject's keys. */
export const removeKey = async (sql: Sql, { subject, publicKey, by, time }: KeyChange): Promise<boolean> => {
  const account = await subjectId(sql, subject);
  if (account === undefined || (await ownerOf(sql, publicKey)) !== account) return false;
  await sql.run('DELETE FROM subject_keys WHERE public_key = $publicKey', { publicKey });
  await noteAccess(sql, { time, what: 'key removed', account, by });
  await appendJournal(sql, 'subject-key', { accounts: NO_ACCOUNTS, account, publicKey, added: false, time: BigInt(time) });
  return true;
};

/** Whom a key stands for: the subject it is registered for, or the one whose name is the key's account address. */
export const subjectOfKey = async (sql: Sql, publicKey: string): Promise<string | undefined> => {
  const [row] = await sql.rows('SELECT subject FROM subjects JOIN subject_keys k USING (id) WHERE k.public_key = $publicKey', {
    publicKey,
  });
  if (row) return String(row['subject']);
  const address = addressOf(publicKey);
  return (await subjectId(sql, address)) === undefined ? undefined : address;
};
