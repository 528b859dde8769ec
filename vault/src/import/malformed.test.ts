/** Files that are no files: cut, altered and made up ones are refused by a code, or read; what came in before stays whole. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dice } from '@scs/protocol/testing/budget-walk.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, bought, DOMAIN, fill, openStore, parquetOf, PRODUCER } from '../testing/a-store.ts';
import { ImportError } from './import-error.ts';
import { importRecords } from './import.ts';
import type { Format } from './staging.ts';

let store: VaultStore;
let remove: () => Promise<void>;
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder);
  await fill(store, [bought('before')], []);
});
afterEach(async () => {
  await store.close();
  await remove();
});
const quiet = (): void => undefined;
const held = (): Promise<readonly unknown[]> =>
  store.database.read(async (sql) =>
    (await sql.rows(`SELECT s.subject FROM "records/${DOMAIN}" r JOIN subjects s ON s.id = r.subject ORDER BY 1`)).map(
      (row) => row['subject'],
    ),
  );
let files = 0;
/** Code of the refusal; undefined when the file was read. Anything but an ImportError fails the test. */
const refusalOf = async (bytes: Uint8Array, format: Format): Promise<string | undefined> => {
  const path = join(store.folders.incoming, `malformed-${++files}`);
  await writeFile(path, bytes);
  try {
    await importRecords(store, DOMAIN, { path, format }, quiet);
    return undefined;
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    expect(error.message).not.toMatch(/coffee|somebody|0x7777/);
    return error.code;
  }
};
const someRows = async (): Promise<Buffer> =>
  readFile(
    await parquetOf(
      store,
      `SELECT 'somebody ' || i AS subject, DATE '2017-03-01' AS "purchase.day", 'coffee' AS "purchase.commodity", '25-34' AS "household.age",
         '${PRODUCER}' AS producer FROM range(40) t(i)`,
    ),
  );

test('Parquet, cut anywhere, is refused whole', async () => {
  const whole = await someRows();
  for (const part of [0, 1, 4, 8, 0.25, 0.5, 0.75, 0.99]) {
    const bytes = part < 1 && part > 0 ? Math.floor(whole.length * part) : part;
    expect(await refusalOf(whole.subarray(0, bytes), 'parquet'), `${bytes} bytes`).toBe('FormatInvalid');
  }
  expect(await refusalOf(Buffer.concat([whole, Buffer.from('PAR1')]), 'parquet')).toBe('FormatInvalid');
  expect(await held()).toEqual(['before']);
});

test('Parquet with bytes altered is refused by a code or read, and never half', async () => {
  const whole = await someRows();
  const roll = dice(5);
  for (let i = 0; i < 30; i++) {
    const altered = Buffer.from(whole);
    for (let flips = 1 + roll(4); flips > 0; flips--) altered[roll(altered.length)] = roll(256);
    const before = (await held()).length;
    const code = await refusalOf(altered, 'parquet');
    expect((await held()).length - before, `alteration ${i}: ${code ?? 'read'}`).toBe(code === undefined ? 40 : 0);
  }
  // The store goes on.
  await fill(store, [bought('after')], []);
  expect(await held()).toEqual(expect.arrayContaining(['after', 'before']));
});

test('what says that it is Parquet or CSV and is neither', async () => {
  const magic = Buffer.from('PAR1');
  const far = Buffer.from([0xff, 0xff, 0xff, 0x7f]);
  for (const bytes of [
    Buffer.concat([magic, magic]),
    Buffer.concat([magic, far, magic]),
    Buffer.concat([magic, Buffer.alloc(64), far, magic]),
  ])
    expect(await refusalOf(bytes, 'parquet')).toBe('FormatInvalid');
  for (const bytes of [Buffer.alloc(0), Buffer.from('\n'), Buffer.alloc(4096), await someRows()])
    expect(await refusalOf(bytes, 'csv')).toMatch(/^(FormatInvalid|ColumnMissing|ColumnTwice|ColumnUnknown)$/);
  expect(await held()).toEqual(['before']);
});
