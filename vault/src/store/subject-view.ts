/** What is held of a subject and who used it for what (rule C4): for the subject alone, never for logs. */
import { usages, type Usage } from '@scs/protocol';
import { consentsNow } from './consents.ts';
import { named, type Sql } from './database.ts';
import { columnsOf, recordsTable } from './schema.ts';
import { subjectId } from './subjects.ts';
import type { VaultStore } from './vault-store.ts';

export interface SubjectView {
  readonly consents: readonly { readonly usage: Usage; readonly granted: boolean }[];
  readonly history: readonly { readonly usage: string; readonly state: string; readonly time: string }[];
  /** Tasks that the subject was charged for (B4), matched or not. */
  readonly uses: readonly { readonly task: string; readonly usage: string; readonly submitter: string; readonly microRho: string }[];
  readonly records: Readonly<Record<string, readonly Readonly<Record<string, string | null>>[]>>;
}
const MAX_RECORDS = 100_000;

const textOf = (value: unknown): string | null => {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  return typeof value === 'string' || typeof value === 'bigint' ? String(value) : null;
};
const recordsOf = async (sql: Sql, store: VaultStore, id: bigint, domain: string) => {
  const columns = columnsOf(store.catalogue, domain).map(({ name }) => name);
  const rows = await sql.rows(
    `SELECT ${columns.map(named).join(', ')}, address AS producer FROM ${recordsTable(domain)} r JOIN producers p ON p.id = r.producer
       WHERE subject = $id::BIGINT LIMIT ${MAX_RECORDS}`,
    { id },
  );
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value)])));
};

/** undefined when nothing is held. */
export const viewOf = (store: VaultStore, subject: string): Promise<SubjectView | undefined> =>
  store.database.read(async (sql) => {
    const id = await subjectId(sql, subject);
    if (id === undefined) return undefined;
    const history = await sql.rows('SELECT usage, granted, time FROM consents WHERE id = $id::BIGINT ORDER BY time', { id });
    const uses = await sql.rows(
      `SELECT task, usage, submitter, CASE state WHEN 'committed' THEN used ELSE ask END AS amount FROM reservations r
         JOIN reservation_subjects s ON s.reservation = r.id WHERE s.id = $id::BIGINT AND state <> 'released' ORDER BY r.id`,
      { id },
    );
    return {
      consents: await Promise.all(usages.map(async (usage) => ({ usage, granted: await consentsNow(sql, subject, usage) }))),
      history: history.map((row) => ({
        usage: String(row['usage']),
        state: row['granted'] === true ? 'granted' : 'revoked',
        time: new Date(Number(row['time'])).toISOString(),
      })),
      uses: uses.map((row) => ({
        task: String(row['task']),
        usage: String(row['usage']),
        submitter: String(row['submitter']),
        microRho: String(row['amount']),
      })),
      records: Object.fromEntries(
        await Promise.all(store.domains.map(async (domain) => [domain, await recordsOf(sql, store, id, domain)])),
      ),
    };
  });
