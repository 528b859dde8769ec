/**
 * Local attributes (rule S3): columns of a file that no canonical attribute takes up, noted by name, type and how often they have a
 * value. Their values are not kept. What leaves the Vault is name, type and one of three bands, and only where the source's mapping
 * asks for it: a band tells of the data, if little.
 */
import type { LocalAttribute } from '@scs/protocol';
import { LocalAttribute as Schema } from '@scs/protocol';
import { named, type Sql } from '../store/database.ts';
import type { VaultStore } from '../store/vault-store.ts';

export interface LocalCount {
  readonly name: string;
  readonly type: LocalAttribute['type'];
  readonly present: bigint;
  readonly records: bigint;
}

const TYPES: readonly (readonly [RegExp, LocalAttribute['type']])[] = [
  [/^(VARCHAR|UUID|ENUM.*)$/, 'string'],
  [/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/, 'integer'],
  [/^(DATE|TIMESTAMP.*)$/, 'date'],
];
const MOST = 64;

/** Columns that may be reported, by name. Names that are none of ours to print, and types that nothing derives from, are left out. */
const candidates = (types: ReadonlyMap<string, string>, read: ReadonlySet<string>) =>
  [...types]
    .flatMap(([name, fileType]) => {
      const type = TYPES.find(([pattern]) => pattern.test(fileType))?.[1];
      const fits = type !== undefined && !read.has(name) && Schema.shape.name.safeParse(name).success;
      return fits ? [{ name, type }] : [];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, MOST);

/** One look at the file. `read`: columns that become something. */
export const countLocal = async (
  sql: Sql,
  source: string,
  types: ReadonlyMap<string, string>,
  read: ReadonlySet<string>,
): Promise<readonly LocalCount[]> => {
  const columns = candidates(types, read);
  if (columns.length === 0) return [];
  const counts = columns.map(({ name }, i) => `count(${named(name)}) AS c${i}`).join(', ');
  const [row] = await sql.rows(`SELECT count(*) AS records, ${counts} FROM ${source}`);
  return columns.map((column, i) => ({ ...column, present: row![`c${i}`] as bigint, records: row!['records'] as bigint }));
};

export const noteLocal = async (sql: Sql, domain: string, counts: readonly LocalCount[]): Promise<void> => {
  for (const { name, type, present, records } of counts)
    await sql.run('INSERT INTO local_attributes VALUES ($domain, $name, $type, $present::BIGINT, $records::BIGINT)', {
      domain,
      name,
      type,
      present,
      records,
    });
};

/** Below a tenth, below nine tenths, above. */
const bandOf = (present: bigint, records: bigint): LocalAttribute['coverage'] => {
  if (present * 10n < records) return 'few';
  return present * 10n < records * 9n ? 'some' : 'most';
};

/** What the Vault reports, over all its imports: of the type that came last. Canonical by now is no longer local. */
export const localAttributes = (store: VaultStore): Promise<LocalAttribute[]> =>
  store.database.read(async (sql) => {
    const rows = await sql.rows(
      `SELECT domain, name, last(type ORDER BY rowid) AS type, sum(present)::BIGINT AS present, sum(records)::BIGINT AS records
         FROM local_attributes GROUP BY domain, name ORDER BY domain, name LIMIT ${MOST}`,
    );
    const canonical = new Set(store.catalogue.canonicalAttributes.map(({ name }) => name));
    return rows.flatMap((row) => {
      const { domain, name, type } = row;
      const coverage = bandOf(row['present'] as bigint, row['records'] as bigint);
      const found = Schema.safeParse({ domain, name, type, coverage });
      return found.success && !canonical.has(found.data.name) ? [found.data] : [];
    });
  });
