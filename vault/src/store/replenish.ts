/** Replenishment in the Vault (rule B2): what was spent of a usage counts from nothing again, as often as the masters certified. */
import type { Usage } from '@scs/protocol';
import type { Sql } from './database.ts';
import { appendJournal } from './journal.ts';

const countOf = async (sql: Sql, usage: string): Promise<bigint> => {
  const [row] = await sql.rows('SELECT count FROM replenishments WHERE usage = $usage', { usage });
  return (row?.['count'] as bigint | undefined) ?? 0n;
};

/** Subjects keep what is reserved; commits so far leave the odometer, and stay to be seen by whom they were about. */
export const applyReplenishment = async (sql: Sql, usage: string, count: bigint): Promise<void> => {
  await sql.run('DELETE FROM replenishments WHERE usage = $usage', { usage });
  await sql.run('INSERT INTO replenishments VALUES ($usage, $count::BIGINT)', { usage, count });
  await sql.run('DELETE FROM folded WHERE usage = $usage', { usage });
  await sql.run(
    `INSERT INTO former_reservations SELECT id FROM reservations r WHERE usage = $usage AND state = 'committed'
       AND NOT EXISTS (SELECT 1 FROM former_reservations f WHERE f.id = r.id)`,
    { usage },
  );
};

/** The step of `VaultStore.write('replenish', ...)`: `count` is the certified record's. Repeats, and older counts, change nothing. */
export const replenish = async (sql: Sql, usage: Usage, count: number): Promise<void> => {
  if ((await countOf(sql, usage)) >= BigInt(count)) return;
  await applyReplenishment(sql, usage, BigInt(count));
  await appendJournal(sql, 'replenish', { usage, count: BigInt(count) });
};
