/** What is held of a subject and who used it for what (rule C4): for the subject alone, never for logs. */
import { usages, type Usage } from '@scs/protocol';
import { keysOf } from './subject-keys.ts';
import { LATEST } from './consents.ts';
import { named, type Row, type Sql } from './database.ts';
import { recordsTable } from './schema.ts';
import { subjectId } from './subjects.ts';
import type { VaultStore } from './vault-store.ts';

export type SubjectRecord = Readonly<Record<string, string | null>>;
export interface HeldRecords {
  readonly domain: string;
  /** How many there are; `records` may be fewer. */
  readonly total: bigint;
  readonly columns: readonly string[];
  readonly records: readonly SubjectRecord[];
}
export interface SubjectConsents {
  readonly consents: readonly { readonly usage: Usage; readonly granted: boolean }[];
  readonly history: readonly { readonly usage: string; readonly state: string; readonly time: string }[];
}
/** A task that the subject was charged for (B4), matched or not. */
export interface SubjectUse {
  readonly task: string;
  readonly domain: string;
  readonly usage: string;
  readonly submitter: string;
  readonly state: string;
  readonly microRho: string;
  /** RFC 3339; null when the journal was replayed since, which knows no times. */
  readonly reservedAt: string | null;
  readonly openedAt: string | null;
  readonly releasedAt: string | null;
}
export interface SubjectUses {
  readonly uses: readonly SubjectUse[];
  /** Micro-rho by usage, over all domains. */
  readonly spendings: readonly { readonly usage: Usage; readonly reserved: bigint; readonly spent: bigint }[];
  /** Who looked at this subject's own data, beside tasks. */
  readonly accesses: readonly { readonly time: string; readonly what: string; readonly by: string }[];
}
export interface SubjectView extends SubjectConsents, Pick<SubjectUses, 'uses' | 'accesses'> {
  readonly records: Readonly<Record<string, readonly SubjectRecord[]>>;
}
export const MAX_RECORDS = 100_000;
/** The latest; older ones are in the export. */
const MAX_LISTED = 10_000;

const textOf = (value: unknown): string | null => {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  return typeof value === 'string' || typeof value === 'bigint' ? String(value) : null;
};
const timeOf = (value: unknown): string | null => (value === null || value === undefined ? null : new Date(Number(value)).toISOString());

const recordsOf = async (sql: Sql, store: VaultStore, id: bigint, domain: string, limit: number): Promise<HeldRecords> => {
  const columns = store.columnsOf(domain).map(({ name }) => name);
  const table = recordsTable(domain);
  const [count] = await sql.rows(`SELECT count(*) AS total FROM ${table} WHERE subject = $id::BIGINT`, { id });
  const rows = await sql.rows(
    `SELECT ${columns.map(named).join(', ')}, address AS producer FROM ${table} r JOIN producers p ON p.id = r.producer
       WHERE subject = $id::BIGINT ORDER BY ALL LIMIT ${limit}`,
    { id },
  );
  return {
    domain,
    total: count!['total'] as bigint,
    columns: [...columns, 'producer'],
    records: rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value)]))),
  };
};
const consentsOf = async (sql: Sql, id: bigint): Promise<SubjectConsents> => {
  const history = await sql.rows(
    `SELECT usage, granted, time FROM (FROM consents WHERE id = $id::BIGINT ORDER BY time DESC LIMIT ${MAX_LISTED}) ORDER BY time`,
    { id },
  );
  const latest = await sql.rows(`SELECT usage, ${LATEST} AS granted FROM consents WHERE id = $id::BIGINT GROUP BY usage`, { id });
  return {
    consents: usages.map((usage) => ({ usage, granted: latest.some((row) => row['usage'] === usage && row['granted'] === true) })),
    history: history.map((row) => ({
      usage: String(row['usage']),
      state: row['granted'] === true ? 'granted' : 'revoked',
      time: timeOf(row['time'])!,
    })),
  };
};

export const useOf = (row: Row): SubjectUse => ({
  task: String(row['task']),
  domain: String(row['domain']),
  usage: String(row['usage']),
  submitter: String(row['submitter']),
  state: String(row['state']),
  microRho: String(row['amount']),
  reservedAt: timeOf(row['reserved_at']),
  openedAt: timeOf(row['opened_at']),
  releasedAt: timeOf(row['released_at']),
});
const whenOf = (what: string): string => `(SELECT max(time) FROM access a WHERE a.task = r.task AND a.what = '${what}')`;
/** Columns of `useOf` beside the reservation `r`. */
export const USE_COLUMNS = `r.id AS number, r.task, r.domain, r.usage, r.submitter, r.state,
  CASE r.state WHEN 'committed' THEN r.used ELSE r.ask END AS amount, ${whenOf('reserved')} AS reserved_at,
  ${whenOf('opened')} AS opened_at, ${whenOf('released')} AS released_at`;

const usesOf = async (sql: Sql, id: bigint): Promise<SubjectUses> => {
  const uses = await sql.rows(
    `SELECT * FROM (SELECT ${USE_COLUMNS} FROM reservations r JOIN reservation_subjects s ON s.reservation = r.id
       WHERE s.id = $id::BIGINT AND r.state <> 'released' ORDER BY r.id DESC LIMIT ${MAX_LISTED}) ORDER BY number`,
    { id },
  );
  const ledger = await sql.rows('SELECT usage, reserved, spent FROM ledger WHERE id = $id::BIGINT', { id });
  const accesses = await sql.rows(
    `SELECT time, what, "by" FROM (FROM access WHERE account = $id::BIGINT ORDER BY time DESC LIMIT ${MAX_LISTED}) ORDER BY time`,
    { id },
  );
  return {
    uses: uses.map(useOf),
    spendings: usages.map((usage) => {
      const row = ledger.find((entry) => entry['usage'] === usage);
      return { usage, reserved: (row?.['reserved'] as bigint | undefined) ?? 0n, spent: (row?.['spent'] as bigint | undefined) ?? 0n };
    }),
    accesses: accesses.map((row) => ({ time: timeOf(row['time'])!, what: String(row['what']), by: String(row['by']) })),
  };
};

const about = <T>(store: VaultStore, subject: string, unknown: T, read: (sql: Sql, id: bigint) => Promise<T>): Promise<T> =>
  store.database.read(async (sql) => {
    const id = await subjectId(sql, subject);
    return id === undefined ? unknown : read(sql, id);
  });
const inTurn = async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> => {
  const done: R[] = [];
  for (const item of items) done.push(await work(item));
  return done;
};

/** By domain, at most `limit` records of each; all empty when nothing is held. */
export const heldBy = (store: VaultStore, subject: string, limit: number): Promise<readonly HeldRecords[]> => {
  const none = store.domains.map((domain) => ({ domain, total: 0n, columns: [], records: [] }));
  return about<readonly HeldRecords[]>(store, subject, none, (sql, id) =>
    inTurn(store.domains, (domain) => recordsOf(sql, store, id, domain, limit)),
  );
};
export const consentsBy = (store: VaultStore, subject: string): Promise<SubjectConsents> =>
  about(store, subject, { consents: usages.map((usage) => ({ usage, granted: false })), history: [] }, consentsOf);
export const usesBy = (store: VaultStore, subject: string): Promise<SubjectUses> =>
  about(store, subject, { uses: [], spendings: usages.map((usage) => ({ usage, reserved: 0n, spent: 0n })), accesses: [] }, usesOf);
export const keysBy = (store: VaultStore, subject: string): Promise<Awaited<ReturnType<typeof keysOf>>> =>
  about(store, subject, [] as Awaited<ReturnType<typeof keysOf>>, keysOf);

/** All of it in one reading; undefined when nothing is held. */
export const viewOf = (store: VaultStore, subject: string): Promise<SubjectView | undefined> =>
  about<SubjectView | undefined>(store, subject, undefined, async (sql, id) => {
    const held = await inTurn(store.domains, (domain) => recordsOf(sql, store, id, domain, MAX_RECORDS));
    const { uses, accesses } = await usesOf(sql, id);
    const records = Object.fromEntries(held.map((of) => [of.domain, of.records]));
    return { ...(await consentsOf(sql, id)), uses, accesses, records };
  });
