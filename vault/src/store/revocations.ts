/** Tells who watches running slices that somebody may have revoked (C2); they look for themselves whether it concerns them. */
import { CONSENTING } from './consents.ts';
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
  const revoked = await sql.rows(
    `SELECT 1 FROM (SELECT id FROM reservation_subjects WHERE reservation = $id::BIGINT) s ANTI JOIN ${CONSENTING} c USING (id) LIMIT 1`,
    { id: open['id'] as bigint, usage: String(open['usage']) },
  );
  return revoked.length > 0;
};
