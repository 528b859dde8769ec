/** Sources with a mapping, on the volume and in a bucket: what maps is stored, what doesn't is counted, and nothing comes in twice. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Catalogue, Mapping, S3Place, Source } from '@scs/protocol';
import { S3Bucket } from '../cloud/s3.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, CATALOGUE, DOMAIN, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import { credentials, Moto, REGION } from '../testing/moto.ts';
import { importRecords } from './import.ts';
import { importReports } from './report.ts';
import { importSources } from './sources.ts';

const catalogue: Catalogue = {
  ...CATALOGUE,
  canonicalAttributes: [
    ...CATALOGUE.canonicalAttributes,
    { name: 'purchase.units', domain: DOMAIN, type: 'integer', state: 'active', directlyQueryable: false, description: 'units' },
  ],
};
let moto: Moto;
let store: VaultStore;
let folder: string;
let remove: () => Promise<void>;
let buckets = 0;
beforeAll(async () => {
  moto = await Moto.start();
}, 300_000);
afterAll(() => moto.stop());
beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  await mkdir(join(folder, 'import', 'days'), { recursive: true });
  await moto.bucket(`sources-${++buckets}`);
  store = await openStore(folder, { catalogue, importFolder: join(folder, 'import') });
});
afterEach(async () => {
  await store.close();
  await remove();
});
const quiet = (): void => undefined;
const s3 = (): S3Place => ({ bucket: `sources-${buckets}`, prefix: 'shop/', region: REGION, endpoint: moto.endpoint });
const bucketAt = (place: S3Place): S3Bucket => new S3Bucket(place, credentials);
const load = (sources: readonly Source[], progress = quiet as (line: string) => void): Promise<void> =>
  importSources(store, sources, { folder: join(folder, 'import'), bucket: bucketAt }, progress);
const records = (): Promise<readonly Record<string, unknown>[]> =>
  store.database.read((sql) =>
    sql.rows(
      `SELECT subject, "purchase.day"::VARCHAR AS day, "purchase.commodity" AS what, "purchase.units" AS units FROM "records/${DOMAIN}" r
       JOIN (SELECT id, subject FROM subjects) s ON s.id = r.subject ORDER BY ALL`.replace('SELECT subject,', 'SELECT s.subject,'),
    ),
  );
const mapping = (more: Partial<Mapping> = {}): Mapping => ({
  subject: 'household',
  producerColumn: 'producer',
  producer: PRODUCER,
  key: 'receipt',
  attributes: [
    { attribute: 'purchase.day', column: 'when', dateFormat: '%d.%m.%Y', values: [] },
    {
      attribute: 'purchase.commodity',
      column: 'group "of\' goods',
      values: [
        { from: '1', to: 'coffee' },
        { from: "it's", to: 'te"a' },
      ],
    },
    { attribute: 'purchase.units', column: 'units', values: [] },
    { attribute: 'household.age', column: 'age', values: [] },
  ],
  unmatched: 'skip',
  ...more,
});
const HEADER = `receipt,household,when,"group ""of' goods",units,age,extra\n`;
const CSV =
  HEADER +
  'r1,ann,01.03.2017,1,2,25-34,x\n' +
  "r2,bob,02.03.2017,it's,3,,x\n" +
  'r3,,02.03.2017,1,1,,x\n' +
  'r4,cem,32.03.2017,1,1,,x\n' +
  'r5,cem,02.03.2017,9,1,,x\n' +
  'r6,cem,02.03.2017,1,1.5,,x\n' +
  'r7,cem,02.03.2017,1,99999999999999999999,,x\n' +
  'r8,cem,02.03.2017,1,-4,,x\n' +
  'r1,cem,03.03.2017,1,7,,x\n';

test('a mapping renames, parses, translates; what does not map is counted by column and reason, for the operator alone', async () => {
  await writeFile(join(folder, 'import', 'a.csv'), CSV);
  const lines: string[] = [];
  await load([{ domain: DOMAIN, format: 'csv', path: 'a.csv', mapping: mapping() }], (line) => lines.push(line));
  expect(await records()).toEqual([
    { subject: 'ann', day: '2017-03-01', what: 'coffee', units: 2n },
    { subject: 'bob', day: '2017-03-02', what: 'te"a', units: 3n },
    { subject: 'cem', day: '2017-03-02', what: 'coffee', units: -4n },
  ]);
  expect(lines.slice(-7)).toEqual([
    'a.csv: left out: 1 rows, first row 3: column household: Missing',
    'a.csv: left out: 1 rows, first row 4: column when: OutOfRange',
    `a.csv: left out: 1 rows, first row 5: column group "of' goods: ValueUnknown`,
    'a.csv: left out: 1 rows, first row 6: column units: TypeInvalid',
    'a.csv: left out: 1 rows, first row 7: column units: OutOfRange',
    'a.csv: left out: 1 rows that came before',
    'a.csv: done: 3 rows',
  ]);
  const [report] = await importReports(store);
  expect(report).toMatchObject({ file: 'a.csv', rows: '9', stored: '3', duplicates: '1' });
  expect(report!.unmatched).toContainEqual({ column: 'household', reason: 'Missing', rows: '1', firstRow: '3' });
});

test('a record that came before, in whatever file, is left out; erased, it may come again', async () => {
  await writeFile(join(folder, 'import', 'days', '1.csv'), `${HEADER}r1,ann,01.03.2017,1,2,,x\n`);
  const source: Source = { domain: DOMAIN, format: 'csv', path: 'days/', mapping: mapping({ unmatched: 'refuse' }) };
  await load([source]);
  await writeFile(join(folder, 'import', 'days', '2.csv'), `${HEADER}r1,ann,01.03.2017,1,2,,x\nr2,ann,02.03.2017,1,2,,x\n`);
  await load([source]);
  await load([source]);
  expect(await records()).toHaveLength(2);
  await store.erase('ann');
  await writeFile(join(folder, 'import', 'days', '3.csv'), `${HEADER}r1,ann,05.03.2017,1,2,,x\n`);
  await load([source]);
  expect(await records()).toEqual([{ subject: 'ann', day: '2017-03-05', what: 'coffee', units: 2n }]);
});

test('of many files the whole ones stay; the bad one is named with column and row, and the load goes on when it is mended', async () => {
  const row = (name: string): string => `${HEADER}${name},ann,01.03.2017,1,2,,x\n`;
  await writeFile(join(folder, 'import', 'days', '1.csv'), row('r1'));
  await writeFile(join(folder, 'import', 'days', '2.csv'), `${row('r2')}r3,ann,02.03.2017,1,two,,x\n`);
  await writeFile(join(folder, 'import', 'days', '3.csv'), row('r4'));
  const source: Source = { domain: DOMAIN, format: 'csv', path: 'days/', mapping: mapping({ unmatched: 'refuse' }) };
  await expect(load([source])).rejects.toMatchObject({
    code: 'ValueInvalid',
    message: 'days/2.csv: column units, row 2: expected a whole number',
  });
  expect(await records()).toHaveLength(1);
  await writeFile(join(folder, 'import', 'days', '2.csv'), row('r2'));
  await load([source]);
  expect(await records()).toHaveLength(3);
});

test.each`
  wrong                          | mapping                                                                                       | says
  ${'an attribute of no domain'} | ${{ attributes: [{ attribute: 'none', column: 'a', values: [] }] }}                           | ${'none is not of retail.purchase'}
  ${'an attribute twice'}        | ${{ attributes: [1, 2].map(() => ({ attribute: 'purchase.day', column: 'a', values: [] })) }} | ${'there twice'}
`(
  'a mapping with $wrong is refused before anything is read',
  async ({ mapping: more, says }: { mapping: Partial<Mapping>; says: string }) => {
    const source: Source = { domain: DOMAIN, format: 'csv', path: 'none.csv', mapping: mapping(more) };
    await expect(load([source])).rejects.toMatchObject({ code: 'MappingInvalid', message: expect.stringContaining(says) as unknown });
  },
);

const parquet = (units: string, day = `DATE '2017-03-01'`, commodity = `'coffee'`, subject = `'ann'`): string =>
  `SELECT ${subject} AS subject, ${day} AS "purchase.day", ${commodity} AS "purchase.commodity", ${units} AS "purchase.units",
     NULL::VARCHAR AS "household.age", '${PRODUCER}' AS producer`;
const GOOD = parquet('1::DOUBLE');
test.each`
  wrong                         | select                                                                    | code              | says
  ${'NaN'}                      | ${parquet("'NaN'::DOUBLE")}                                               | ${'ValueInvalid'} | ${'purchase.units, row 2'}
  ${'infinity'}                 | ${parquet("'inf'::DOUBLE")}                                               | ${'ValueInvalid'} | ${'purchase.units, row 2'}
  ${'a fraction'}               | ${parquet('1.5::DOUBLE')}                                                 | ${'ValueInvalid'} | ${'purchase.units, row 2'}
  ${'a number too large'}       | ${parquet('1e300::DOUBLE')}                                               | ${'ValueInvalid'} | ${'purchase.units, row 2'}
  ${'a date beyond all'}        | ${parquet('1::DOUBLE', "DATE 'infinity'")}                                | ${'ValueInvalid'} | ${'purchase.day, row 2'}
  ${'a date before all'}        | ${parquet('1::DOUBLE', "DATE '0044-03-15 (BC)'")}                         | ${'ValueInvalid'} | ${'purchase.day, row 2'}
  ${'a text beyond measure'}    | ${parquet('1::DOUBLE', "DATE '2017-03-01'", "repeat('x', 5000)")}         | ${'ValueInvalid'} | ${'purchase.commodity, row 2'}
  ${'a subject beyond measure'} | ${parquet('1::DOUBLE', "DATE '2017-03-01'", "'tea'", "repeat('x', 300)")} | ${'ValueInvalid'} | ${'subject, row 2'}
`('Parquet: $wrong is refused: $says', async ({ select, code, says }: Record<string, string>) => {
  const path = await parquetOf(store, `${GOOD} UNION ALL ${select}`);
  await expect(importRecords(store, DOMAIN, { path, format: 'parquet' }, quiet)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(says!) as unknown,
  });
  expect(await records()).toEqual([]);
});

test.each`
  type                 | select                                                 | column
  ${'a list'}          | ${parquet('[1]')}                                      | ${'purchase.units'}
  ${'bytes as text'}   | ${parquet('1', "DATE '2017-03-01'", "'coffee'::BLOB")} | ${'purchase.commodity'}
  ${'a float as text'} | ${parquet('1', "DATE '2017-03-01'", '1.5::DOUBLE')}    | ${'purchase.commodity'}
  ${'a number as day'} | ${parquet('1', '17000')}                               | ${'purchase.day'}
`('Parquet: $type is no column $column', async ({ select, column }: Record<string, string>) => {
  const path = await parquetOf(store, select!);
  await expect(importRecords(store, DOMAIN, { path, format: 'parquet' }, quiet)).rejects.toMatchObject({
    code: 'ColumnTypeInvalid',
    message: expect.stringContaining(column!) as unknown,
  });
});

test.each`
  wrong                  | text
  ${'a field too many'}  | ${`${HEADER}r1,ann,01.03.2017,1,2,,x,y\n`}
  ${'a field too few'}   | ${`${HEADER}r1,ann,01.03.2017,1,2\n`}
  ${'an open quote'}     | ${`${HEADER}r1,"ann,01.03.2017,1,2,,x\n`}
  ${'bytes of no UTF-8'} | ${Buffer.concat([Buffer.from(HEADER), Buffer.from([0x72, 0xff, 0xfe]), Buffer.from(',ann,01.03.2017,1,2,,x\n')])}
`('CSV: $wrong is refused whole', async ({ text }: { text: string }) => {
  await writeFile(join(folder, 'import', 'b.csv'), text);
  await expect(load([{ domain: DOMAIN, format: 'csv', path: 'b.csv', mapping: mapping() }])).rejects.toMatchObject({
    code: 'FormatInvalid',
  });
  expect(await records()).toEqual([]);
});

test('CSV: lines may end as Windows ends them, begin with a byte order mark, and hold quoted line breaks', async () => {
  const text = `\uFEFF${HEADER}r1,"a\nn""n",01.03.2017,1,2,,x\nr2,bob,02.03.2017,1,3,,"x"`;
  await writeFile(join(folder, 'import', 'd.csv'), text.replaceAll(/(?<!"a)\n/g, '\r\n'));
  await load([{ domain: DOMAIN, format: 'csv', path: 'd.csv', mapping: mapping({ unmatched: 'refuse' }) }]);
  expect((await records()).map(({ subject }) => subject)).toEqual(['a\nn"n', 'bob']);
});

test('CSV: a malformed row is named by its number', async () => {
  const good = Array.from({ length: 40 }, (_, i) => `r${i},ann,01.03.2017,1,2,,x\n`).join('');
  await writeFile(join(folder, 'import', 'c.csv'), `${HEADER}${good}r40,ann,01.03.2017,1,2,,x,y,z\n`);
  await expect(load([{ domain: DOMAIN, format: 'csv', path: 'c.csv', mapping: mapping() }])).rejects.toMatchObject({
    message: "c.csv: the file can't be read as csv, row 41",
  });
});

test('from a bucket: objects come in once, a fetch that was cut short goes on, and nothing of it stays beside the Vault', async () => {
  const bucket = bucketAt(s3());
  await bucket.put('2017/a.csv', Uint8Array.from(Buffer.from(CSV)));
  await bucket.put('2017/b.csv', Uint8Array.from(Buffer.from(`${HEADER}r9,ann,04.03.2017,1,2,,x\n`)));
  await bucket.put('2017/readme.txt', Uint8Array.from(Buffer.from('not a source')));
  const source: Source = { domain: DOMAIN, format: 'csv', path: '2017/', s3: s3(), mapping: mapping() };
  const lines: string[] = [];
  await load([source], (line) => lines.push(line));
  expect(lines).toContain('2017/a.csv: fetching, 100 %');
  expect(await records()).toHaveLength(4);
  expect(await readdir(store.folders.incoming)).toEqual([]);
  lines.length = 0;
  await load([source], (line) => lines.push(line));
  expect(lines).toEqual(['a', 'b'].map((name) => `2017/${name}.csv: done: this object was imported before, nothing changed`));
  await expect(load([{ ...source, path: '2018/none.csv' }])).rejects.toMatchObject({
    code: 'FileMissing',
    message: '2018/none.csv is not in its bucket',
  });
});
