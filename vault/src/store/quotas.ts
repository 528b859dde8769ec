/**
 * Quotas of the manifest (rule C5): what an actor may ask of this Vault, beside the privacy budget. They look at who asked for what and
 * when by the masters' log, which is public (B4): never at who was eligible or how much was left.
 */
import type { Quota } from '@scs/protocol';
import type { Sql } from './database.ts';

export interface Asked {
  readonly task: string;
  readonly submitter: string;
  readonly usage: string;
  readonly ask: bigint;
  /** Of the task's admission, by the masters' log; milliseconds. */
  readonly time: number;
}
const DAY_MS = 86_400_000;

/** Quotas that name the actor; if none does, those that name nobody. */
export const quotasFor = (quotas: readonly Quota[], submitter: string, usage: string): readonly Quota[] => {
  const own = quotas.filter(({ actor }) => actor === submitter);
  const fitting = own.length > 0 ? own : quotas.filter(({ actor }) => actor === undefined);
  return fitting.filter((quota) => quota.usage === undefined || quota.usage === usage);
};

interface Uses {
  readonly open: bigint;
  readonly tasks: bigint;
  readonly microRho: bigint;
}
const usesOf = async (sql: Sql, { submitter, time }: Asked, usage: string | undefined): Promise<Uses> => {
  const since = time - DAY_MS;
  const [row] = await sql.rows(
    `SELECT count(*) FILTER (r.state = 'reserved') AS open, count(*) FILTER (q.time > $since::BIGINT) AS tasks,
         coalesce(sum(q.ask) FILTER (q.time > $since::BIGINT AND r.state <> 'released'), 0)::BIGINT AS "microRho"
       FROM quota_uses q JOIN reservations r USING (task) WHERE q.submitter = $submitter AND ($usage = '' OR q.usage = $usage)`,
    { submitter, since, usage: usage ?? '' },
  );
  return { open: row!['open'] as bigint, tasks: row!['tasks'] as bigint, microRho: row!['microRho'] as bigint };
};

const faultOf = (quota: Quota, uses: Uses, ask: bigint): string | undefined => {
  const { openTasks, tasksPerDay, microRhoPerDay } = quota;
  // B5: a limit rounds down.
  const microRho = microRhoPerDay === undefined ? undefined : BigInt(microRhoPerDay.split('.')[0]!);
  if (openTasks !== undefined && uses.open >= BigInt(openTasks)) return `this actor may hold ${openTasks} reservations at a time here`;
  if (tasksPerDay !== undefined && uses.tasks >= BigInt(tasksPerDay))
    return `this actor may reserve for ${tasksPerDay} tasks in 24 hours here`;
  if (microRho !== undefined && uses.microRho + ask > microRho) return `this actor may reserve ${microRho} micro-rho in 24 hours here`;
  return undefined;
};

/** What is asked beyond a quota, as a sentence; undefined when all is within. */
export const quotaFault = async (sql: Sql, quotas: readonly Quota[], asked: Asked): Promise<string | undefined> => {
  for (const quota of quotasFor(quotas, asked.submitter, asked.usage)) {
    const fault = faultOf(quota, await usesOf(sql, asked, quota.usage), asked.ask);
    if (fault !== undefined) return quota.usage === undefined ? fault : `${fault}, for ${quota.usage}`;
  }
  return undefined;
};

/** With the reservation, in its transaction. */
export const noteUse = (sql: Sql, { task, submitter, usage, ask, time }: Asked): Promise<void> =>
  sql.run('INSERT INTO quota_uses VALUES ($task, $submitter, $usage, $ask::BIGINT, $time::BIGINT)', { task, submitter, usage, ask, time });
