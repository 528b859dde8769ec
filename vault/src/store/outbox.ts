/** Rows that a transaction is about to append, table by table, in one go. Whoever runs a statement that may look at them flushes first. */
import type { Cell, NumberedSet } from './columns.ts';
import type { Sql } from './database.ts';

export class Outbox {
  readonly #sql: Sql;
  readonly #rows = new Map<string, (readonly Cell[])[]>();
  #sets: NumberedSet[] = [];
  constructor(sql: Sql) {
    this.#sql = sql;
  }

  add(table: string, row: readonly Cell[]): void {
    const rows = this.#rows.get(table) ?? [];
    rows.push(row);
    this.#rows.set(table, rows);
  }
  /** Whom a reservation charges. */
  charge(reservation: bigint, numbers: Uint32Array): void {
    this.#sets.push({ reservation, numbers });
  }

  async flush(): Promise<void> {
    for (const [table, rows] of this.#rows) await this.#sql.append(table, rows);
    this.#rows.clear();
    if (this.#sets.length > 0) await this.#sql.appendSets('reservation_subjects', this.#sets);
    this.#sets = [];
  }
}
