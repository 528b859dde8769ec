/** Data and the bare DuckDB that the Vault is measured beside: the same engine, without encryption, keys, journal, checks or consent. */
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';

export const DOMAIN = 'retail.purchase';
const PRODUCER = `0x${'77'.repeat(32)}`;
export const MEMORY_MIB = 1024;

export class Bare {
  readonly #instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.connection = connection;
  }
  /** On disk, unencrypted. */
  static async open(file: string, threads: number): Promise<Bare> {
    const instance = await DuckDBInstance.create(file, { threads: String(threads), memory_limit: `${MEMORY_MIB}MiB` });
    return new Bare(instance, await instance.connect());
  }
  async run(...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.connection.run(statement);
  }
  close(): void {
    this.connection.closeSync();
    this.#instance.closeSync();
  }
}

/** `purchases.parquet` and `consents.parquet`: deterministic; each subject has as many records as the next, and consents to marketing. */
export const writeData = async (folder: string, records: number, subjects: number): Promise<{ records: string; consents: string }> => {
  const files = { records: join(folder, 'purchases.parquet'), consents: join(folder, 'consents.parquet') };
  const bare = await Bare.open(':memory:', 2);
  const subject = (i: string): string => `'household-' || (${i} % ${subjects})`;
  const pick = (values: readonly string[], by: string): string => `(['${values.join("', '")}'])[1 + (${by}) % ${values.length}]`;
  await bare.run(
    `COPY (SELECT ${subject('i * 7919')} AS subject, DATE '2017-07-01' + (hash(i) % 270)::INTEGER AS "purchase.day",
        ${pick(['COFFEE', 'TEAS', 'MILK', 'BREAD', 'SOAP', 'FRUIT', 'EGGS', 'RICE', 'CHEESE', 'JUICE'], '(hash(i + 1) % 1000)::INTEGER')} AS "purchase.commodity",
        ${pick(['19-24', '25-34', '35-44', '45-54', '55-64', '65+'], '(i * 7919) % 1009')} AS "household.age",
        '${PRODUCER}' AS producer FROM range(${records}) t(i)) TO '${files.records}' (FORMAT parquet, COMPRESSION zstd)`,
    `COPY (SELECT ${subject('i')} AS subject, 'marketing' AS usage, 'granted' AS state, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS time
        FROM range(${subjects}) t(i)) TO '${files.consents}' (FORMAT parquet)`,
  );
  bare.close();
  return files;
};
