/**
 * What quotas look at (rule C5), as the writer has it in mind: an actor's open reservations and those of the last two days. Time is that
 * of the masters' log; who asks by an older one is answered from the database.
 */
import type { Cell } from './columns.ts';
import type { Row, Sql } from './database.ts';
import type { Asked, Use } from './quotas.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Row of the table `quota_uses`. */
export const useRow = ({ task, submitter, usage, ask, time }: Asked): readonly Cell[] => [task, submitter, usage, ask, BigInt(time)];
const useOf = (row: Row): Use => ({
  task: String(row['task']),
  submitter: String(row['submitter']),
  usage: String(row['usage']),
  ask: row['ask'] as bigint,
  time: Number(row['time']),
  state: row['state'] as Use['state'],
});
const USES = 'SELECT q.task, q.submitter, q.usage, q.ask, q.time, r.state FROM quota_uses q JOIN reservations r ON r.task = q.task';

export class QuotaUses {
  /** By submitter, then task. */
  readonly #of = new Map<string, Map<string, Use>>();
  #latest = 0;
  /** What is of this time or before, and not open, is in the database alone. */
  #until = 0;

  static async read(sql: Sql): Promise<QuotaUses> {
    const uses = new QuotaUses();
    const [row] = await sql.rows('SELECT coalesce(max(time), 0)::BIGINT AS latest FROM quota_uses');
    uses.#latest = Number(row!['latest'] as bigint);
    uses.#until = uses.#latest - 2 * DAY_MS;
    const since = { until: BigInt(uses.#until) };
    for (const kept of await sql.rows(`${USES} WHERE q.time > $until::BIGINT OR r.state = 'reserved' ORDER BY r.id`, since))
      uses.#put(useOf(kept));
    return uses;
  }

  add(use: Use): void {
    this.#put(use);
    this.#latest = Math.max(this.#latest, use.time);
    // An hour at a time: most additions need not look at the others.
    if (this.#latest - 2 * DAY_MS >= this.#until + HOUR_MS) this.#forget(this.#latest - 2 * DAY_MS);
  }
  settle(submitter: string, task: string, state: Use['state']): void {
    const of = this.#of.get(submitter);
    const known = of?.get(task);
    if (known) of!.set(task, { ...known, state });
  }
  /** What counts for who asks at `time`. */
  async before(look: () => Promise<Sql>, submitter: string, time: number): Promise<readonly Use[]> {
    if (time - DAY_MS >= this.#until) return [...(this.#of.get(submitter)?.values() ?? [])];
    const sql = await look();
    const since = { submitter, since: BigInt(time - DAY_MS) };
    return (await sql.rows(`${USES} WHERE q.submitter = $submitter AND (q.time > $since::BIGINT OR r.state = 'reserved')`, since)).map(
      useOf,
    );
  }
  /** For tests: how many are in mind. */
  get size(): number {
    return [...this.#of.values()].reduce((sum, of) => sum + of.size, 0);
  }

  #put(use: Use): void {
    const of = this.#of.get(use.submitter) ?? new Map<string, Use>();
    this.#of.set(use.submitter, of.set(use.task, use));
  }
  #forget(until: number): void {
    this.#until = until;
    for (const [submitter, of] of this.#of) {
      for (const [task, { time, state }] of of) if (time <= until && state !== 'reserved') of.delete(task);
      if (of.size === 0) this.#of.delete(submitter);
    }
  }
}
