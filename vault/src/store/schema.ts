/** Tables of the Vault. Migrations are only ever added; each runs once, in one transaction with its entry. */
import { lineageOf, localColumn, type Catalogue, type OwnAttribute } from '@scs/protocol';
import { named, type Database, type Sql } from './database.ts';

/**
 * accounts      a subject's lasting number and keyed hash; outlives erasure, so that erase and re-upload resets no budget (C4)
 * subjects      who that is; gone when erased
 * consents      history, never overwritten
 * ledger        micro-rho per account and usage (B5): a view of what the reservations charge, and of `folded`, the sums of those in
 *               `folded_reservations`
 * reservations  one a task (B2); `attempt` counts fresh snapshots (C2), `first_*` is what the masters were told, `ended` says that
 *               nobody needs its snapshot and output any more
 * replenishments        how often a usage was replenished (B2); `former_reservations` were committed before the last
 * outputs       what B3 stored; `height` is null until its release is decided
 * journal       every change that matters, chained (B8)
 * access        who touched what and when (C4)
 * import_reports what a file brought, and what of it did not map and why; for the operator alone
 * source_objects objects of buckets that were imported
 * local_attributes      columns of files that are not canonical, by import: names, types and counts, never values (S3)
 * quota_uses    who reserved when, for the quotas of the manifest
 * audiences     who released tasks selected, until they expire (T1); `sent` is when one was activated
 * subject_keys  keys with which subjects sign their requests (C4)
 * dividend_tasks, _roots, _leaves   what tasks set aside for producers, and what was promised to whom (K6)
 * erasures      when an account was erased, by the journal's sequence and in milliseconds (C4)
 * later_records whose records of a file came after it, and at which sequence; 0 is not yet
 */
const migrations: readonly (readonly string[])[] = [
  [
    'CREATE TABLE meta (key VARCHAR PRIMARY KEY, value BLOB NOT NULL)',
    'CREATE TABLE versions (name VARCHAR PRIMARY KEY, version BIGINT NOT NULL)',
    'CREATE TABLE accounts (id BIGINT NOT NULL, hash VARCHAR NOT NULL)',
    'CREATE TABLE subjects (id BIGINT NOT NULL, subject VARCHAR NOT NULL)',
    'CREATE TABLE producers (id BIGINT NOT NULL, address VARCHAR NOT NULL)',
    'CREATE TABLE consents (id BIGINT NOT NULL, usage VARCHAR NOT NULL, granted BOOLEAN NOT NULL, time BIGINT NOT NULL)',
    'CREATE TABLE ledger (id BIGINT NOT NULL, usage VARCHAR NOT NULL, reserved BIGINT NOT NULL, spent BIGINT NOT NULL)',
    `CREATE TABLE reservations (
       id BIGINT NOT NULL, task VARCHAR PRIMARY KEY, domain VARCHAR NOT NULL, usage VARCHAR NOT NULL, submitter VARCHAR NOT NULL,
       nonce VARCHAR NOT NULL, ask BIGINT NOT NULL, used BIGINT NOT NULL, state VARCHAR NOT NULL, attempt BIGINT NOT NULL,
       snapshot BIGINT NOT NULL, consent_version BIGINT NOT NULL, consent_nonce VARCHAR NOT NULL, receipt BLOB NOT NULL,
       first_snapshot VARCHAR NOT NULL, first_consent VARCHAR NOT NULL, ended BOOLEAN NOT NULL)`,
    'CREATE TABLE reservation_subjects (reservation BIGINT NOT NULL, id BIGINT NOT NULL)',
    `CREATE TABLE snapshots (
       id BIGINT PRIMARY KEY, domain VARCHAR NOT NULL, usage VARCHAR NOT NULL, records_version BIGINT NOT NULL,
       consent_version BIGINT NOT NULL, key BLOB NOT NULL, nonce VARCHAR NOT NULL, commitment VARCHAR NOT NULL, bytes BIGINT NOT NULL)`,
    'CREATE TABLE outputs (task VARCHAR PRIMARY KEY, envelope VARCHAR NOT NULL, output BLOB NOT NULL, evidence BLOB NOT NULL, height BIGINT)',
    'CREATE TABLE journal (sequence BIGINT NOT NULL, kind VARCHAR NOT NULL, entry BLOB NOT NULL, nonce BLOB NOT NULL, head VARCHAR NOT NULL)',
    'CREATE TABLE imports (kind VARCHAR NOT NULL, domain VARCHAR NOT NULL, digest VARCHAR NOT NULL)',
    'CREATE SEQUENCE numbers',
  ],
  [
    'CREATE TABLE access (time BIGINT NOT NULL, what VARCHAR NOT NULL, task VARCHAR, account BIGINT, "by" VARCHAR NOT NULL)',
    'CREATE TABLE subject_keys (id BIGINT NOT NULL, public_key VARCHAR NOT NULL, since BIGINT NOT NULL)',
  ],
  ['CREATE TABLE replenishments (usage VARCHAR NOT NULL, count BIGINT NOT NULL)', 'CREATE TABLE former_reservations (id BIGINT NOT NULL)'],
  [
    `CREATE TABLE import_reports (
       time BIGINT NOT NULL, kind VARCHAR NOT NULL, domain VARCHAR NOT NULL, file VARCHAR NOT NULL, rows BIGINT NOT NULL,
       stored BIGINT NOT NULL, duplicates BIGINT NOT NULL, unmatched VARCHAR NOT NULL)`,
    'CREATE TABLE source_objects (place VARCHAR NOT NULL, etag VARCHAR NOT NULL)',
    'CREATE TABLE quota_uses (task VARCHAR NOT NULL, submitter VARCHAR NOT NULL, usage VARCHAR NOT NULL, ask BIGINT NOT NULL, time BIGINT NOT NULL)',
  ],
  [
    'CREATE TABLE audiences (task VARCHAR NOT NULL, expires BIGINT NOT NULL)',
    'CREATE TABLE audience_members (task VARCHAR NOT NULL, id BIGINT NOT NULL, sent BIGINT)',
  ],
  [
    `CREATE TABLE local_attributes (
       domain VARCHAR NOT NULL, name VARCHAR NOT NULL, type VARCHAR NOT NULL, present BIGINT NOT NULL, records BIGINT NOT NULL)`,
  ],
  [
    'CREATE TABLE erasures (id BIGINT NOT NULL, sequence BIGINT NOT NULL, time BIGINT NOT NULL)',
    // Before, the journal said who was erased, not when: what was said until now counts as said before.
    `INSERT INTO erasures SELECT regexp_extract(decode(entry), '"account":"#([0-9]+)"', 1)::BIGINT, sequence, epoch_ms(now())
       FROM journal WHERE kind = 'erase'`,
    'CREATE TABLE later_records (domain VARCHAR NOT NULL, digest VARCHAR NOT NULL, id BIGINT NOT NULL, sequence BIGINT NOT NULL)',
    'ALTER TABLE imports ADD COLUMN sequence BIGINT DEFAULT 0',
  ],
  [
    'CREATE TABLE folded AS SELECT id, usage, spent FROM ledger WHERE spent > 0',
    "CREATE TABLE folded_reservations AS SELECT id FROM reservations WHERE state = 'committed'",
    'DROP TABLE ledger',
    `CREATE VIEW ledger AS SELECT id, usage, sum(reserved)::BIGINT AS reserved, sum(spent)::BIGINT AS spent FROM (
         SELECT id, usage, 0 AS reserved, spent FROM folded
         UNION ALL SELECT s.id, r.usage, CASE r.state WHEN 'reserved' THEN r.ask ELSE 0 END, CASE r.state WHEN 'committed' THEN r.used ELSE 0 END
           FROM reservation_subjects s JOIN reservations r ON r.id = s.reservation
           WHERE NOT EXISTS (SELECT 1 FROM former_reservations f WHERE f.id = r.id)
             AND NOT EXISTS (SELECT 1 FROM folded_reservations f WHERE f.id = r.id))
       GROUP BY id, usage`,
  ],
  // Some files have these tables from before they were listed here.
  [
    'CREATE TABLE IF NOT EXISTS dividend_tasks (task VARCHAR PRIMARY KEY, epoch BIGINT NOT NULL, share BIGINT NOT NULL)',
    'CREATE TABLE IF NOT EXISTS dividend_roots (epoch BIGINT PRIMARY KEY, root VARCHAR NOT NULL, bits BIGINT NOT NULL, number BIGINT)',
    'CREATE TABLE IF NOT EXISTS dividend_leaves (epoch BIGINT NOT NULL, index BIGINT NOT NULL, account VARCHAR NOT NULL, amount BIGINT NOT NULL)',
  ],
];
export const SCHEMA_VERSION = migrations.length;

export const recordsTable = (domain: string): string => named(`records/${domain}`);
/** Names of records that came with one (`mapping.key`), hashed under the Vault's key. */
export const keysTable = (domain: string): string => named(`keys/${domain}`);
const SQL_TYPES = { string: 'VARCHAR', integer: 'BIGINT', date: 'DATE' } as const;

export interface Column {
  readonly name: string;
  readonly type: keyof typeof SQL_TYPES;
}
export interface LocalColumn extends Column {
  /** Column of the files. */
  readonly local: string;
}
export const sqlType = ({ type }: Column): (typeof SQL_TYPES)[keyof typeof SQL_TYPES] => SQL_TYPES[type];
/** Columns of a domain's records: canonical attributes, its own and those of the domains above it, that were ever in force, by name (S4). */
export const columnsOf = (catalogue: Catalogue, domain: string): readonly Column[] =>
  catalogue.canonicalAttributes
    .filter((a) => lineageOf(catalogue, domain).includes(a.domain) && a.state !== 'proposed' && a.state !== 'registered')
    .map(({ name, type }) => ({ name, type }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Columns of a domain's local attributes that the manifest keeps (S3), each once, by name. */
export const localColumnsOf = (
  kept: readonly Pick<OwnAttribute, 'domain' | 'local' | 'type'>[],
  domain: string,
): readonly LocalColumn[] => {
  const columns = kept.flatMap((a) => (a.domain === domain ? [{ name: localColumn(a), type: a.type, local: a.local }] : []));
  return [...new Map(columns.map((column) => [column.name, column])).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

const schemaVersion = async (sql: Sql): Promise<number> => {
  await sql.run('CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL, applied BIGINT NOT NULL)');
  const [row] = await sql.rows('SELECT coalesce(max(version), 0) AS version FROM migrations');
  return Number(row!['version']);
};

/** Brings the file to this program's schema, and each offered domain's table to its columns. Throws on a newer file. */
export const migrate = async (
  database: Database,
  domains: readonly { readonly name: string; readonly columns: readonly Column[] }[],
  now: number,
): Promise<void> => {
  const from = await database.write(schemaVersion);
  if (from > SCHEMA_VERSION) throw new Error(`the file has schema ${from}, this program knows ${SCHEMA_VERSION}: run a newer one`);
  for (const [i, statements] of migrations.entries())
    if (i >= from)
      await database.write(async (sql) => {
        for (const statement of statements) await sql.run(statement);
        await sql.run('INSERT INTO migrations VALUES ($version, $now)', { version: i + 1, now });
      });
  for (const { name, columns } of domains) await database.write(async (sql) => void (await addDomain(sql, name, columns)));
};

/** True when the domain's table had columns added. */
export const addDomain = async (sql: Sql, domain: string, columns: readonly Column[]): Promise<boolean> => {
  const table = recordsTable(domain);
  await sql.run(`CREATE TABLE IF NOT EXISTS ${table} (subject BIGINT NOT NULL, producer BIGINT NOT NULL)`);
  await sql.run(`CREATE TABLE IF NOT EXISTS ${keysTable(domain)} (subject BIGINT NOT NULL, key VARCHAR NOT NULL)`);
  const existing = new Set((await sql.rows(`SELECT column_name AS name FROM (DESCRIBE ${table})`)).map((row) => row['name']));
  const added = columns.filter(({ name }) => !existing.has(name));
  for (const column of added) await sql.run(`ALTER TABLE ${table} ADD COLUMN ${named(column.name)} ${sqlType(column)}`);
  return added.length > 0;
};
