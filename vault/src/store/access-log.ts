/** Who touched what and when (rule C4): tasks as a whole, and what was done for one subject. For that subject's eyes, and the Vault's operator. */
import type { Cell } from './columns.ts';
import type { Sql } from './database.ts';

/**
 * reserved, opened, released, given back   a task of `by`: its budget reserved, its snapshot sent to an enclave, output left or not
 * activated                                one account's, by the operator: its audience of a task was sent to the webhook (T1)
 * seen, exported, key added, key removed   one account's, by `subject` or `operator`
 */
export type AccessKind =
  'reserved' | 'opened' | 'released' | 'given back' | 'activated' | 'seen' | 'exported' | 'key added' | 'key removed';
export interface Access {
  /** Civil time in milliseconds. */
  readonly time: number;
  readonly what: AccessKind;
  readonly task?: string;
  readonly account?: bigint;
  /** Submitter's address, `subject` or `operator`. */
  readonly by: string;
}
const KEPT_MS = 3 * 366 * 86_400_000;

/** Row of the table `access`. */
export const accessRow = ({ time, what, task, account, by }: Access): readonly Cell[] => [
  BigInt(time),
  what,
  task ?? null,
  account ?? null,
  by,
];
export const noteAccess = (sql: Sql, access: Access): Promise<void> => sql.append('access', [accessRow(access)]);

/** What one account's own entries are forgotten after: three years. A task's stay as long as its charge. */
export const forgetAccesses = (sql: Sql, now: number): Promise<void> =>
  sql.run('DELETE FROM access WHERE account IS NOT NULL AND time < $before::BIGINT', { before: BigInt(now - KEPT_MS) });
