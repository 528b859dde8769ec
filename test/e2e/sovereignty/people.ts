/**
 * Receipts of 9,000 people over three Vaults, in the words of examples/retail/catalogue.yaml, made from hashes of fixed seeds; and
 * the true answers, by plain SQL on the same files.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { enterprises, withDuckDb, type Enterprise } from '../../demo/data.ts';
import { dataFolder } from '../../demo/folders.ts';

export const RECEIPTS = 'retail.receipt';
/** One more person in each Vault, who consents to everything and bought a coffee at Luckin's in Singapore. */
export const NAMED: Readonly<Record<Enterprise, string>> = { alder: 'ann', birch: 'bea', cedar: 'cem' };
const PEOPLE = 3_000;
const LINES = 12;

type Files = Readonly<Record<Enterprise, string>>;
export interface People {
  readonly records: Files;
  readonly consents: Files;
  /** The named person's alone: to come in again after an erasure. */
  readonly named: Readonly<Record<Enterprise, { readonly records: string; readonly consents: string }>>;
}

const draw = (of: string): string => `(('0x' || substr(md5(${of}), 1, 8))::BIGINT % 100)`;
const DECISIONS = `SELECT subject, usage, named, CASE WHEN named THEN 99 ELSE ${draw("'c/' || subject || '/' || usage")} END AS draw
  FROM people, (SELECT unnest(['personal', 'marketing', 'analytics', 'training']) AS usage)`;

export const makePeople = async (): Promise<People> => {
  const folder = join(dataFolder(), 'receipts');
  mkdirSync(folder, { recursive: true });
  const at = (name: string, what: string): string => join(folder, `${name}-${what}.parquet`);
  const of = <T>(make: (name: Enterprise) => T): Readonly<Record<Enterprise, T>> => ({
    alder: make('alder'),
    birch: make('birch'),
    cedar: make('cedar'),
  });
  const data: People = {
    records: of((name) => at(name, 'records')),
    consents: of((name) => at(name, 'consents')),
    named: of((name) => ({ records: at(name, 'named-records'), consents: at(name, 'named-consents') })),
  };
  await withDuckDb(async (db) => {
    for (const name of enterprises) {
      await db.run(`CREATE OR REPLACE TABLE people AS
        SELECT '${name}-' || n AS subject, false AS named FROM range(${PEOPLE}) t(n) UNION ALL SELECT '${NAMED[name]}', true`);
      await db.run(`CREATE OR REPLACE TABLE receipts AS
        SELECT subject, named, '0x' || sha256('producer/' || subject) AS producer,
          CASE WHEN named THEN DATE '2026-10-20' ELSE DATE '2026-09-01' + (${draw("'d/' || k")} * 60 // 100)::INTEGER END AS "receipt.day",
          CASE WHEN named OR ${draw("'t/' || k")} < 50 THEN 'Singapore' WHEN ${draw("'t/' || k")} < 75 THEN 'Jakarta' ELSE 'Hanoi' END AS "receipt.city",
          CASE WHEN named OR ${draw("'m/' || k")} < 15 THEN 'Luckin Coffee' ELSE 'Corner Shop' END AS "receipt.merchant",
          CASE WHEN named OR ${draw("'i/' || k")} < 40 THEN 'latte' ELSE 'lunch' END AS "receipt.item",
          200 + ${draw("'p/' || k")} * 5 AS "receipt.cents",
          ['25-34', '45-54', NULL][1 + ${draw("'a/' || subject")} % 3] AS "household.age",
          NULL::VARCHAR AS "household.income", NULL::VARCHAR AS "household.size", NULL::VARCHAR AS "household.kids",
          NULL::VARCHAR AS "household.home", NULL::VARCHAR AS "household.marital"
        FROM (SELECT *, subject || '/' || line AS k FROM people, range(${LINES}) l(line))`);
      await db.run(`CREATE OR REPLACE TABLE consents AS
        SELECT subject, usage, 'granted' AS state, TIMESTAMP '2026-09-01' AS time, named FROM (${DECISIONS}) WHERE draw >= 12
        UNION ALL SELECT subject, usage, 'revoked', TIMESTAMP '2026-09-02', named FROM (${DECISIONS}) WHERE draw BETWEEN 12 AND 19`);
      for (const [table, all, named] of [
        ['receipts', data.records[name], data.named[name].records],
        ['consents', data.consents[name], data.named[name].consents],
      ] as const) {
        await db.run(`COPY (SELECT * EXCLUDE (named) FROM ${table} ORDER BY ALL) TO '${all}' (FORMAT parquet)`);
        await db.run(`COPY (SELECT * EXCLUDE (named) FROM ${table} WHERE named ORDER BY ALL) TO '${named}' (FORMAT parquet)`);
      }
    }
  });
  return data;
};

const consenting = (files: readonly string[], usage: string): string =>
  `SELECT subject FROM read_parquet([${files.map((file) => `'${file}'`).join(', ')}]) WHERE usage = '${usage}'
   GROUP BY subject HAVING arg_max(state, time) = 'granted'`;

export interface TrueSpending {
  readonly label: string;
  readonly count: number;
  readonly sum: number;
  readonly median: number;
}
/** What consenting people spent in Singapore in October, each clipped to `clip` cents, by age. */
export const trueSpending = ({ records, consents }: People, clip: number): Promise<readonly TrueSpending[]> =>
  withDuckDb(async (db) => {
    const reader = await db.runAndReadAll(`
      WITH totals AS (
        SELECT subject, any_value("household.age") AS age, least(sum("receipt.cents"), ${clip}) AS total
        FROM read_parquet([${Object.values(records)
          .map((file) => `'${file}'`)
          .join(', ')}])
        WHERE "receipt.city" = 'Singapore' AND "receipt.day" >= DATE '2026-10-01' AND "receipt.day" < DATE '2026-10-31'
          AND subject IN (${consenting(Object.values(consents), 'analytics')})
        GROUP BY subject)
      SELECT CASE age WHEN '25-34' THEN 'under_45' WHEN '45-54' THEN '45_and_over' ELSE 'unknown' END AS label,
        count(*)::INTEGER AS count, sum(total)::DOUBLE AS sum, median(total)::DOUBLE AS median
      FROM totals GROUP BY label`);
    const found = reader.getRowObjects() as unknown[] as TrueSpending[];
    return ['under_45', '45_and_over', 'unknown'].map((label) => found.find((row) => row.label === label)!);
  });

/** Luckin's customers of one Vault from the 17th to the 30th of October who consent to marketing. */
export const trueAudience = ({ records, consents }: People, name: Enterprise): Promise<readonly string[]> =>
  withDuckDb(async (db) => {
    const reader = await db.runAndReadAll(`
      SELECT DISTINCT subject FROM read_parquet('${records[name]}')
      WHERE "receipt.merchant" = 'Luckin Coffee' AND "receipt.day" >= DATE '2026-10-17' AND "receipt.day" < DATE '2026-10-31'
        AND subject IN (${consenting([consents[name]], 'marketing')})
      ORDER BY subject`);
    return reader.getRows().map(([subject]) => String(subject));
  });
