/** For tests: a Vault's store in a folder of its own, filled from rows. */
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalogue, Usage } from '@scs/protocol';
import { httpfsExtension } from '../../scripts/fetch-httpfs.ts';
import { importConsents, importRecords } from '../import/import.ts';
import { EntrySeal } from '../journal/copy.ts';
import { FolderCopy } from '../journal/folder-copy.ts';
import { quoted } from '../store/database.ts';
import { VaultStore } from '../store/vault-store.ts';
import type { StoreOptions } from '../store/store-options.ts';

export const DOMAIN = 'retail.purchase';
export const VAULT = 'enterprise-a/main';
export const PRODUCER = `0x${'77'.repeat(32)}`;
export const CATALOGUE: Catalogue = {
  domains: [{ name: DOMAIN, overlapBound: 1, description: 'purchases' }],
  canonicalAttributes: (
    [
      ['purchase.day', 'date'],
      ['purchase.commodity', 'string'],
      ['household.age', 'string'],
    ] as const
  ).map(([name, type]) => ({ name, domain: DOMAIN, type, state: 'active' as const, directlyQueryable: false, description: name })),
  queryAttributes: [],
};
export interface Purchase {
  readonly subject: string;
  readonly day: string;
  readonly commodity: string;
  readonly age: string | null;
}
export interface Said {
  readonly subject: string;
  readonly usage: Usage;
  readonly state: 'granted' | 'revoked';
  /** RFC 3339. */
  readonly time: string;
}

export const aFolder = async (): Promise<{ readonly folder: string; readonly remove: () => Promise<void> }> => {
  const folder = await mkdtemp(join(tmpdir(), 'scs-vault-test-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
};
export const openStore = async (folder: string, more: Partial<StoreOptions> = {}): Promise<VaultStore> =>
  VaultStore.open({
    vault: VAULT,
    folder: join(folder, 'data'),
    scratch: join(folder, 'scratch'),
    key: 'ab'.repeat(32),
    httpfs: await httpfsExtension(),
    catalogue: CATALOGUE,
    domains: [DOMAIN],
    threads: 1,
    memoryLimitBytes: 512 * 1024 * 1024,
    ...more,
  });

/** Options of a store whose journal is copied into `<folder>/copy` (B8). */
export const copiedIn = (folder: string, vault = VAULT): Pick<StoreOptions, 'journalCopy'> => {
  const copy = join(folder, 'copy');
  mkdirSync(copy, { recursive: true });
  return { journalCopy: ({ journalKey }) => new FolderCopy(copy, new EntrySeal(journalKey, vault)) };
};

let files = 0;
/** Writes rows, given as SQL, as a Parquet file that the store may read. */
export const parquetOf = async (store: VaultStore, select: string): Promise<string> => {
  const path = join(store.folders.incoming, `${++files}.parquet`);
  await store.database.read((sql) => sql.run(`COPY (${select}) TO ${quoted(path)} (FORMAT parquet)`));
  return path;
};
const text = (value: string | null): string => (value === null ? 'NULL' : quoted(value));

export const fill = async (store: VaultStore, purchases: readonly Purchase[], said: readonly Said[]): Promise<void> => {
  const rows = purchases.map((p) => `(${text(p.subject)}, DATE ${text(p.day)}, ${text(p.commodity)}, ${text(p.age)}::VARCHAR)`).join(', ');
  const records = `SELECT subject, day AS "purchase.day", commodity AS "purchase.commodity", age AS "household.age", ${quoted(PRODUCER)} AS producer
    FROM (VALUES ${rows}) t(subject, day, commodity, age)`;
  await importRecords(store, DOMAIN, { path: await parquetOf(store, records), format: 'parquet' }, () => undefined);
  if (said.length === 0) return;
  const entries = said.map((c) => `(${text(c.subject)}, ${text(c.usage)}, ${text(c.state)}, TIMESTAMPTZ ${text(c.time)})`).join(', ');
  const consents = `SELECT * FROM (VALUES ${entries}) t(subject, usage, state, time)`;
  await importConsents(store, { path: await parquetOf(store, consents), format: 'parquet' }, Date.now(), () => undefined);
};
/** One coffee each on the first of March, and consent to marketing. */
export const bought = (subject: string): Purchase => ({ subject, day: '2017-03-01', commodity: 'coffee', age: '25-34' });
export const granted = (subject: string): Said => ({ subject, usage: 'marketing', state: 'granted', time: '2024-01-01T00:00:00Z' });
