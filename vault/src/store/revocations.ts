/** Tells who watches running slices that somebody may have revoked (C2); they look for themselves whether it concerns them. */
import type { Sql } from './database.ts';

export class Revocations {
  #waiting: (() => void)[] = [];

  announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
  /** Resolves at the next announcement, or when `signal` aborts. Never rejects. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#waiting.push(wake);
    });
  }
}

/** Has a subject of the task's open reservation revoked, before an output was stored? */
export const hasRevoked = async (sql: Sql, task: string): Promise<boolean> => {
  const [open] = await sql.rows(
    "SELECT id, usage FROM reservations r WHERE task = $task AND state = 'reserved' AND NOT EXISTS (SELECT 1 FROM outputs o WHERE o.task = r.task)",
    { task },
  );
  if (!open) return false;
  // Few ever revoked: only theirs is looked at. Who was erased has neither consents nor a name.
  const charged = '(SELECT id FROM reservation_subjects WHERE reservation = $id::BIGINT)';
  const revoked = await sql.rows(
    `(SELECT 1 FROM ${charged} SEMI JOIN (
         SELECT id FROM consents WHERE usage = $usage AND id IN (SELECT id FROM consents WHERE usage = $usage AND NOT granted)
           GROUP BY id HAVING NOT arg_max(granted, 2 * time + (NOT granted)::BIGINT)) USING (id) LIMIT 1)
     UNION ALL (SELECT 1 FROM ${charged} ANTI JOIN subjects USING (id) LIMIT 1)`,
    { id: open['id'] as bigint, usage: String(open['usage']) },
  );
  return revoked.length > 0;
};
