/** What each import brought, and what of it did not map and why. Counts of people's records: for the operator at the local door alone. */
import { z } from 'zod';
import type { Sql } from '../store/database.ts';
import type { VaultStore } from '../store/vault-store.ts';
import type { UnmatchedCount } from './staging.ts';

export interface ImportReport {
  /** RFC 3339. */
  readonly time: string;
  readonly kind: string;
  readonly domain: string;
  readonly file: string;
  /** Of the file. */
  readonly rows: string;
  readonly stored: string;
  /** Left out: their name (`mapping.key`) came before. */
  readonly duplicates: string;
  readonly unmatched: readonly UnmatchedCount[];
}
const Unmatched = z.array(
  z.object({
    column: z.string(),
    reason: z.enum(['Missing', 'TypeInvalid', 'OutOfRange', 'TooLong', 'ValueUnknown', 'Erased']),
    rows: z.string(),
    firstRow: z.string(),
  }),
);
const KEPT = 1000;

export const recordReport = async (sql: Sql, now: number, report: Omit<ImportReport, 'time'>): Promise<void> => {
  const { kind, domain, file, rows, stored, duplicates, unmatched } = report;
  await sql.run(
    `INSERT INTO import_reports VALUES ($time::BIGINT, $kind, $domain, $file, $rows::BIGINT, $stored::BIGINT, $duplicates::BIGINT, $unmatched)`,
    { time: now, kind, domain, file, rows, stored, duplicates, unmatched: JSON.stringify(unmatched) },
  );
};

/** The latest, oldest first. */
export const importReports = (store: VaultStore): Promise<readonly ImportReport[]> =>
  store.database.read(async (sql) => {
    const rows = await sql.rows(`FROM (FROM import_reports ORDER BY time DESC LIMIT ${KEPT}) ORDER BY time`);
    return rows.map((row) => ({
      time: new Date(Number(row['time'])).toISOString(),
      kind: String(row['kind']),
      domain: String(row['domain']),
      file: String(row['file']),
      rows: String(row['rows']),
      stored: String(row['stored']),
      duplicates: String(row['duplicates']),
      unmatched: Unmatched.parse(JSON.parse(String(row['unmatched']))),
    }));
  });
