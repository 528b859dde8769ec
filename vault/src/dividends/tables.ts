/**
 * What the Vault keeps of dividends (rule K6), in its own encrypted file: which task set aside how much for its subjects, and which
 * leaves it promised. A leaf once written is never derived again, so promises are in the journal (B8); the rest is learnt again from
 * the masters.
 */
import type { Transfer } from '@scs/protocol';
import type { Sql } from '../store/database.ts';
import { appendJournal } from '../store/journal.ts';
import { readingOf } from '../store/reading.ts';
import { recordsTable } from '../store/schema.ts';

/** `epoch` is -1 for a task that set nothing aside. */
export interface TaskShare {
  readonly task: string;
  readonly epoch: number;
  readonly share: bigint;
}
export interface Promised {
  readonly epoch: number;
  readonly root: string;
  readonly bits: number;
  /** Of the leaf `dividends/<n>`, once it is decided. */
  readonly number: bigint | undefined;
}
const NONE = -1;

/** Tasks that were charged here and whose share isn't known yet, oldest first. */
export const tasksWithoutShare = async (sql: Sql, limit: number): Promise<readonly string[]> =>
  (
    await sql.rows(
      `SELECT task FROM reservations r ANTI JOIN dividend_tasks d USING (task) WHERE r.state = 'committed' ORDER BY r.id LIMIT ${limit}`,
    )
  ).map((row) => String(row['task']));
export const noteShare = (sql: Sql, { task, epoch, share }: TaskShare): Promise<void> =>
  sql.run('INSERT INTO dividend_tasks VALUES ($task, $epoch::BIGINT, $share::BIGINT) ON CONFLICT DO NOTHING', { task, epoch, share });
export const noteNothing = (sql: Sql, task: string): Promise<void> => noteShare(sql, { task, epoch: NONE, share: 0n });

/** Epochs with shares whose root has no number yet. */
export const openEpochs = async (sql: Sql): Promise<readonly number[]> =>
  (
    await sql.rows(
      `SELECT DISTINCT epoch FROM dividend_tasks WHERE epoch >= 0
         AND epoch NOT IN (SELECT epoch FROM dividend_roots WHERE number IS NOT NULL) ORDER BY epoch LIMIT 32`,
    )
  ).map((row) => Number(row['epoch']));
export const sharesOf = async (sql: Sql, epoch: number): Promise<readonly TaskShare[]> =>
  (await sql.rows('SELECT task, share FROM dividend_tasks WHERE epoch = $epoch::BIGINT ORDER BY task', { epoch })).map((row) => ({
    task: String(row['task']),
    epoch,
    share: row['share'] as bigint,
  }));

/**
 * How many subjects of each producer a task charged, matched or not (B4). A subject whose records came from several producers counts for
 * one of them; one who has been erased since counts for none.
 */
export const chargedBy = async (sql: Sql, task: string): Promise<readonly { readonly account: string; readonly charged: bigint }[]> => {
  const [reservation] = await sql.rows('SELECT id, domain FROM reservations WHERE task = $task', { task });
  if (!reservation) return [];
  const rows = await sql.rows(
    `SELECT p.address AS account, count(*)::BIGINT AS charged
       FROM (SELECT s.id, min(r.producer) AS producer FROM reservation_subjects s JOIN ${recordsTable(readingOf(String(reservation['domain'])).home)} r ON r.subject = s.id
             WHERE s.reservation = $id::BIGINT GROUP BY s.id) c
       JOIN producers p ON p.id = c.producer GROUP BY p.address ORDER BY p.address`,
    { id: reservation['id'] as bigint },
  );
  return rows.map((row) => ({ account: String(row['account']), charged: row['charged'] as bigint }));
};

const promisedOf = (row: Readonly<Record<string, unknown>>): Promised => ({
  epoch: Number(row['epoch']),
  root: String(row['root']),
  bits: Number(row['bits']),
  number: (row['number'] as bigint | null) ?? undefined,
});
export const promisedFor = async (sql: Sql, epoch: number): Promise<Promised | undefined> => {
  const [row] = await sql.rows('SELECT * FROM dividend_roots WHERE epoch = $epoch::BIGINT', { epoch });
  return row && promisedOf(row);
};
/** Root and leaves, in the order of their index, in one transaction with the journal's entry. */
export const promise = async (sql: Sql, promised: Omit<Promised, 'number'>, leaves: readonly Transfer[]): Promise<void> => {
  await keepPromise(sql, promised, leaves);
  const { epoch, root, bits } = promised;
  await appendJournal(sql, 'dividends', { epoch: BigInt(epoch), root, bits: BigInt(bits), leaves: packLeaves(leaves) });
};
export const keepPromise = async (
  sql: Sql,
  { epoch, root, bits }: Omit<Promised, 'number'>,
  leaves: readonly Transfer[],
): Promise<void> => {
  await sql.run('INSERT INTO dividend_roots VALUES ($epoch::BIGINT, $root, $bits::BIGINT, NULL)', { epoch, root, bits });
  for (const [index, { account, amount }] of leaves.entries())
    await sql.run('INSERT INTO dividend_leaves VALUES ($epoch::BIGINT, $index::BIGINT, $account, $amount::BIGINT)', {
      epoch,
      index,
      account,
      amount,
    });
};
/** `account amount` by comma, for the journal. */
const packLeaves = (leaves: readonly Transfer[]): string => leaves.map(({ account, amount }) => `${account} ${amount}`).join(',');
/** Throws RangeError when it is malformed. */
export const unpackLeaves = (packed: string): readonly Transfer[] =>
  packed === ''
    ? []
    : packed.split(',').map((leaf) => {
        const match = /^(0x[0-9a-f]{64}) (\d{1,18})$/.exec(leaf);
        if (!match) throw new RangeError('malformed leaf');
        return { account: match[1]!, amount: BigInt(match[2]!) };
      });
export const noteNumber = (sql: Sql, epoch: number, number: bigint): Promise<void> =>
  sql.run('UPDATE dividend_roots SET number = $number::BIGINT WHERE epoch = $epoch::BIGINT', { epoch, number });

export const leavesOf = async (sql: Sql, epoch: number): Promise<readonly Transfer[]> =>
  (await sql.rows('SELECT account, amount FROM dividend_leaves WHERE epoch = $epoch::BIGINT ORDER BY index', { epoch })).map((row) => ({
    account: String(row['account']),
    amount: row['amount'] as bigint,
  }));
/** Roots with a number under which the account has a leaf, newest first. */
export const rootsWith = async (sql: Sql, account: string, limit: number): Promise<readonly Promised[]> =>
  (
    await sql.rows(
      `SELECT r.* FROM dividend_roots r SEMI JOIN (SELECT epoch FROM dividend_leaves WHERE account = $account) l USING (epoch)
         WHERE r.number IS NOT NULL ORDER BY r.epoch DESC LIMIT ${limit}`,
      { account },
    )
  ).map(promisedOf);
export const earns = async (sql: Sql, account: string): Promise<boolean> =>
  (await sql.rows('SELECT 1 FROM dividend_leaves WHERE account = $account LIMIT 1', { account })).length > 0;
