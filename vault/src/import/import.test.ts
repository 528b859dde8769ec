import { renameSync } from 'node:fs';
import { appendFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aFolder, DOMAIN, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import type { Source } from '@scs/protocol';
import type { VaultStore } from '../store/vault-store.ts';
import { importConsents, importRecords } from './import.ts';
import { importSources } from './sources.ts';

let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  await mkdir(join(folder, 'import'));
  store = await openStore(folder, { importFolder: join(folder, 'import') });
});
afterEach(async () => {
  await store.close();
  await remove();
});

const GOOD = `SELECT 'ann' AS subject, DATE '2017-03-01' AS "purchase.day", 'coffee' AS "purchase.commodity", '25-34' AS "household.age", '${PRODUCER}' AS producer`;
const places = () => ({
  folder: join(folder, 'import'),
  bucket: (): never => {
    throw new Error('no bucket is named');
  },
});
const quiet = (): void => undefined;
const importOf = async (select: string) => importRecords(store, DOMAIN, { path: await parquetOf(store, select), format: 'parquet' }, quiet);
const count = async (table: string): Promise<unknown> =>
  store.database.read(async (sql) => (await sql.rows(`SELECT count(*) AS n FROM "${table}"`))[0]!['n']);

test('records come in once, whatever the file is called; progress says what happens', async () => {
  const lines: string[] = [];
  const path = await parquetOf(store, `${GOOD} UNION ALL ${GOOD.replace("'ann'", "'bob'").replace("'25-34'", 'NULL')}`);
  expect(await importRecords(store, DOMAIN, { path, format: 'parquet' }, (line) => lines.push(line))).toMatchObject({
    fresh: true,
    rows: 2n,
  });
  expect(await importRecords(store, DOMAIN, { path, format: 'parquet' }, quiet)).toMatchObject({ fresh: false, rows: 0n });
  expect(await count(`records/${DOMAIN}`)).toBe(2n);
  expect(lines).toEqual(['reading the file', 'checking columns and values', 'storing 2 rows', 'done: 2 rows']);
});

test.each`
  wrong                      | select                                                                             | code               | says
  ${'a missing column'}      | ${GOOD.replace(', \'25-34\' AS "household.age"', '')}                              | ${'ColumnMissing'} | ${'household.age is missing'}
  ${'an unknown column'}     | ${`${GOOD}, 1 AS income`}                                                          | ${'ColumnUnknown'} | ${'income is not known'}
  ${'a value of no date'}    | ${`${GOOD} UNION ALL ${GOOD}`.replaceAll("DATE '2017-03-01'", "'first of March'")} | ${'ValueInvalid'}  | ${'purchase.day, row 1: expected a date'}
  ${'no subject in row 2'}   | ${`${GOOD} UNION ALL ${GOOD.replace("'ann'", 'NULL')}`}                            | ${'ValueInvalid'}  | ${'subject, row 2'}
  ${'an empty subject'}      | ${GOOD.replace("'ann'", "''")}                                                     | ${'ValueInvalid'}  | ${'subject, row 1'}
  ${'a producer of no kind'} | ${GOOD.replace(PRODUCER, '0x12')}                                                  | ${'ValueInvalid'}  | ${'producer, row 1'}
`(
  '$wrong is refused with $code, says where, quotes no value, and changes nothing',
  async ({ select, code, says }: Record<string, string>) => {
    const error: unknown = await importOf(select!).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says!) as unknown });
    expect(String(error)).not.toMatch(/March|0x12/);
    expect(await count(`records/${DOMAIN}`)).toBe(0n);
    expect(await count('subjects')).toBe(0n);
  },
);

test('what is no Parquet, no file, or for no domain of ours is refused', async () => {
  const path = join(store.folders.incoming, 'x');
  await writeFile(path, 'PAR1 and then nonsense');
  await expect(importRecords(store, DOMAIN, { path, format: 'parquet' }, quiet)).rejects.toMatchObject({ code: 'FormatInvalid' });
  await expect(importRecords(store, DOMAIN, { path: `${path}y`, format: 'parquet' }, quiet)).rejects.toMatchObject({ code: 'FileMissing' });
  expect(() => importRecords(store, 'health.visit', { path, format: 'parquet' }, quiet)).toThrow(
    /offers retail.purchase, not health.visit/,
  );
});

test('C4: consents: a usage nobody knows, a state of no kind and a time to come are refused', async () => {
  const row = (usage: string, state: string, time: string): string =>
    `SELECT 'ann' AS subject, '${usage}' AS usage, '${state}' AS state, TIMESTAMPTZ '${time}' AS time`;
  const of = async (select: string) =>
    importConsents(store, { path: await parquetOf(store, select), format: 'parquet' }, Date.now(), quiet);
  await expect(of(row('selling', 'granted', '2024-01-01 00:00:00Z'))).rejects.toMatchObject({ code: 'ValueInvalid' });
  await expect(of(row('marketing', 'maybe', '2024-01-01 00:00:00Z'))).rejects.toMatchObject({ code: 'ValueInvalid' });
  await expect(of(row('marketing', 'granted', '2999-01-01 00:00:00Z'))).rejects.toMatchObject({ code: 'ValueInvalid' });
  expect(await of(row('marketing', 'granted', '2024-01-01 00:00:00Z'))).toMatchObject({ fresh: true, rows: 1n });
});

test('sources of the manifest: CSV from the import volume, not from beside it', async () => {
  const csv = `subject,purchase.day,purchase.commodity,household.age,producer\nann,2017-03-01,coffee,25-34,${PRODUCER}\n`;
  await writeFile(join(folder, 'import', 'a.csv'), csv);
  await writeFile(join(folder, 'outside.csv'), csv);
  await symlink(join(folder, 'outside.csv'), join(folder, 'import', 'link.csv'));
  const source = (path: string): Source[] => [{ domain: DOMAIN, format: 'csv', path }];
  await importSources(store, source('a.csv'), places(), quiet);
  await importSources(store, source('a.csv'), places(), quiet);
  expect(await count(`records/${DOMAIN}`)).toBe(1n);
  for (const path of ['../outside.csv', 'link.csv', 'none.csv'])
    await expect(importSources(store, source(path), places(), quiet)).rejects.toMatchObject({ code: 'FileMissing' });
  await appendFile(join(folder, 'import', 'a.csv'), `bob,2017-03-32,coffee,25-34,${PRODUCER}\n`);
  await expect(importSources(store, source('a.csv'), places(), quiet)).rejects.toThrow('a.csv: column purchase.day, row 2');
});

test('Parquet, keyed: a name that came before in the file, and a row that does not map, are left out; the rest comes in', async () => {
  const row = (key: string, subject: string, producer = PRODUCER): string =>
    `${GOOD.replace("'ann'", `'${subject}'`).replace(PRODUCER, producer)}, '${key}' AS receipt`;
  const select = [row('r1', 'ann'), row('r2', 'bob'), row('r1', 'cem'), row('r3', 'dee', '0x12')].join(' UNION ALL ');
  const file = { path: await parquetOf(store, select), format: 'parquet' as const };
  const mapping = { subject: 'subject', producerColumn: 'producer', key: 'receipt', attributes: [], unmatched: 'skip' as const };
  expect(await importRecords(store, DOMAIN, file, quiet, { mapping })).toMatchObject({
    rows: 2n,
    duplicates: 1n,
    unmatched: [{ column: 'producer', reason: 'TypeInvalid', rows: '1', firstRow: '4' }],
  });
  expect([await count(`records/${DOMAIN}`), await count('subjects')]).toEqual([2n, 2n]);
});

test('B8: a file that changes while it is read is refused whole: what is stored is what was hashed', async () => {
  const file = { path: await parquetOf(store, GOOD), format: 'parquet' as const };
  const other = await parquetOf(store, GOOD.replace("'ann'", "'eve'"));
  const change = (line: string): void => {
    if (line.startsWith('storing')) renameSync(other, file.path);
  };
  await expect(importRecords(store, DOMAIN, file, change)).rejects.toMatchObject({ code: 'FileChanged' });
  expect([await count(`records/${DOMAIN}`), await count('subjects'), await count('imports')]).toEqual([0n, 0n, 0n]);
});
