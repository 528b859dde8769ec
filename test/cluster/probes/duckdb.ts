import { DuckDBInstance } from '@duckdb/node-api';

/** Runs in a pod of the smoke test: DuckDB's add-on loads from an image of ours and writes to a volume. */
const instance = await DuckDBInstance.create(process.argv[2] ?? ':memory:');
const connection = await instance.connect();
await connection.run('create table t as select range as n from range(1000)');
const rows = (await connection.runAndReadAll('select sum(n)::integer as total from t')).getRows();
process.stdout.write(`${String(rows[0]?.[0])}\n`);
