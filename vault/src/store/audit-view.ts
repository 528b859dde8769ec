/** The auditor's view (rule B4): what tasks reserved and used, by domain and usage; made of public state only, so nothing of a subject. */
import type { Usage } from '@scs/protocol';
import type { Row, Sql } from './database.ts';
import { readsDomain } from './reading.ts';
import { USE_COLUMNS, useOf, type SubjectUse } from './subject-view.ts';
import type { VaultStore } from './vault-store.ts';

export interface Scope {
  readonly domain: string;
  readonly usage: Usage;
  /** Micro-rho. */
  readonly limit: bigint;
}
export interface MeteredScope extends Scope {
  readonly reserved: bigint;
  readonly spent: bigint;
}
/** Without the time of opening: a slice that is opened again tells that somebody revoked. */
export interface AuditedTask extends Omit<SubjectUse, 'state' | 'openedAt'> {
  /** Rises with each task. */
  readonly number: string;
  readonly state: 'reserved' | 'committed' | 'released';
}
/** Tasks in one reply. */
const PAGE = 500;

/** As the odometer counts: since the last replenishment. */
const metered = async (sql: Sql, scope: Scope): Promise<MeteredScope> => {
  const { domain, usage } = scope;
  const [row] = await sql.rows(
    `SELECT coalesce(sum(ask) FILTER (state = 'reserved'), 0)::BIGINT AS reserved, coalesce(sum(used) FILTER (state = 'committed'), 0)::BIGINT AS spent
       FROM reservations r WHERE usage = $usage AND ${readsDomain('domain', '$domain')}
         AND NOT EXISTS (SELECT 1 FROM former_reservations f WHERE f.id = r.id)`,
    { usage, domain },
  );
  return { ...scope, reserved: row!['reserved'] as bigint, spent: row!['spent'] as bigint };
};
const stateOf = (state: unknown): AuditedTask['state'] => (state === 'committed' || state === 'released' ? state : 'reserved');
const taskOf = (row: Row): AuditedTask => {
  const { openedAt: _openedAt, ...use } = useOf(row);
  return { ...use, number: String(row['number']), state: stateOf(row['state']) };
};

/** Newest tasks first, those before number `before`. */
export const odometerBy = (
  store: VaultStore,
  scopes: readonly Scope[],
  before: bigint | undefined,
): Promise<{ readonly scopes: readonly MeteredScope[]; readonly tasks: readonly AuditedTask[] }> =>
  store.database.read(async (sql) => {
    const meters: MeteredScope[] = [];
    for (const scope of scopes) meters.push(await metered(sql, scope));
    const rows = await sql.rows(
      `SELECT ${USE_COLUMNS} FROM reservations r WHERE $before::BIGINT IS NULL OR r.id < $before::BIGINT ORDER BY r.id DESC LIMIT ${PAGE}`,
      { before: before ?? null },
    );
    return { scopes: meters, tasks: rows.map(taskOf) };
  });
