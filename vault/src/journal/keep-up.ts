/**
 * The database and the journal's copy kept equal (rule B8). Both run within the one writing transaction: what is behind catches up
 * first, and new entries are in the copy before the transaction commits. A crash between leaves the database behind, never ahead.
 */
import type { Sql } from '../store/database.ts';
import { appendJournal, journalAfter, journalHead, nextHead, type JournalHead } from '../store/journal.ts';
import { JournalError, type JournalCopy } from './copy.ts';
import { countAsLost, replay } from './replay.ts';

const ADOPTED = 'journal/adopted';
/** Mark of a Vault that comes from a backup, until it has caught up. */
export const RESTORED = 'journal/restored';
const isMarked = async (sql: Sql, key: string): Promise<boolean> =>
  (await sql.rows('SELECT 1 FROM meta WHERE key = $key', { key })).length > 0;

/** Without a copy given: a Vault that has one, or must catch up with one, stays shut. Throws JournalError. */
export const refuseAlone = async (sql: Sql): Promise<void> => {
  if (await isMarked(sql, RESTORED))
    throw new JournalError(
      'JournalLost',
      'this Vault comes from a backup and must catch up with its journal: give the copy in spec.journal; if there is none, an empty one and spec.journal.lost',
    );
  if (await isMarked(sql, ADOPTED))
    throw new JournalError('JournalUnavailable', "this Vault's journal has a copy: give it in spec.journal");
};

/** Replays what the copy has and the database, at `ours`, has not. Returns the head that both have. Throws JournalError. */
export const catchUp = async (sql: Sql, copy: JournalCopy, recordTables: readonly string[], ours: JournalHead): Promise<JournalHead> => {
  const theirs = await copy.head();
  if (theirs.sequence < ours.sequence)
    throw new JournalError(
      'JournalLost',
      `the journal's copy ends at ${theirs.sequence}, this Vault stands at ${ours.sequence}: mount the right copy, or declare it lost in spec.journal.lost`,
    );
  if (theirs.sequence === ours.sequence && theirs.head !== ours.head)
    throw new JournalError('JournalForked', `the journal's copy has another entry ${ours.sequence} than this Vault`);
  if (theirs.sequence === ours.sequence) return ours;
  return replay(sql, ours, copy.read(ours.sequence), recordTables);
};

/**
 * At start: a copy new to this Vault gets the whole chain; one known before, or to a Vault from a backup, that lacks entries is lost,
 * which only the operator may declare: then budgets count as spent and consents as revoked. Otherwise the database catches up.
 */
export const adopt = async (sql: Sql, copy: JournalCopy, lost: boolean, recordTables: readonly string[]): Promise<void> => {
  const [ours, theirs] = [await journalHead(sql), await copy.head()];
  const adopted = await isMarked(sql, ADOPTED);
  const restored = await isMarked(sql, RESTORED);
  const expected = adopted || restored;
  if (theirs.sequence < ours.sequence && (!expected || lost)) {
    if (expected) {
      await countAsLost(sql);
      await appendJournal(sql, 'lost', {});
    }
    const missing = await journalAfter(sql, theirs.sequence);
    const [first] = missing;
    if (first && nextHead(theirs.head, first.nonce, first.entry) !== first.head)
      throw new JournalError('JournalForked', `the journal's copy is of another Vault, or of another past, at ${theirs.sequence}`);
    await copy.append(theirs, missing);
  } else await catchUp(sql, copy, recordTables, ours);
  await sql.run('DELETE FROM meta WHERE key = $key', { key: RESTORED });
  if (!adopted) await sql.run('INSERT INTO meta VALUES ($key, $value)', { key: ADOPTED, value: new Uint8Array([1]) });
};
