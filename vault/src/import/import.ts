/**
 * Imports (rules C4, K4's producers): one file, one transaction, once. A crash leaves a file wholly in or wholly out. The same file again
 * brings what belongs to subjects who were erased and have come back, and nothing else.
 */
import { usages, type Mapping } from '@scs/protocol';
import { addConsents, addedConsents } from '../store/consents.ts';
import { named, type Sql } from '../store/database.ts';
import {
  hasReturned,
  keepReturned,
  leaveOutErased,
  leaveOutOldConsents,
  noteReturned,
  type LeftOut,
  type SeenFile,
} from '../store/erasures.ts';
import { appendJournal } from '../store/journal.ts';
import { columnsOf, keysTable, recordsTable } from '../store/schema.ts';
import { dropStaged, stagedRows, unstage } from '../store/staged.ts';
import {
  enrol,
  NO_ACCOUNTS,
  partsOf,
  piecesOf,
  raiseVersion,
  recordsVersion,
  type AccountRange,
  type NewAccounts,
} from '../store/subjects.ts';
import type { VaultStore } from '../store/vault-store.ts';
import {
  attributeColumn,
  localAttributeColumn,
  choiceColumn,
  constantColumn,
  keyColumn,
  producerColumn,
  subjectColumn,
  timeColumn,
} from './columns.ts';
import { ImportError } from './import-error.ts';
import { noteLocal } from './local-attributes.ts';
import { recordReport } from './report.ts';
import { contentOf, reading, stage, type ImportFile, type StagingRules, type UnmatchedCount } from './staging.ts';

export type Progress = (line: string) => void;
export interface Imported {
  /** False when this very content was imported before, and nobody of it has come back since: nothing changed. */
  readonly fresh: boolean;
  /** Stored. */
  readonly rows: bigint;
  /** Left out: their name came before. */
  readonly duplicates: bigint;
  readonly unmatched: readonly UnmatchedCount[];
}
const NOTHING: Imported = { fresh: false, rows: 0n, duplicates: 0n, unmatched: [] };
interface What {
  readonly kind: 'records' | 'consents';
  readonly domain: string;
  readonly file: ImportFile;
  /** For reports: what people call the file. */
  readonly name: string;
  readonly rules: StagingRules;
}
interface Loaded {
  /** Of the journal's entries, in order: at least one. */
  readonly journaled: readonly object[] | AsyncIterable<object>;
  readonly duplicates: bigint;
  /** C4: of subjects who were erased since they said it, or before they consented again. */
  readonly erased: UnmatchedCount | undefined;
}
const erasedCount = (column: string, out: LeftOut | undefined): UnmatchedCount | undefined =>
  out && { column, reason: 'Erased', rows: String(out.rows), firstRow: String(out.firstRow) };
/** Each but the last says that more follow: who replays a part of them has not the file. */
const withMore = async function* (parts: Loaded['journaled']): AsyncGenerator<object, void> {
  let before: object | undefined;
  for await (const part of parts) {
    if (before) yield { ...before, more: true };
    before = part;
  }
  if (before) yield before;
};

const importOnce = async (
  store: VaultStore,
  { kind, domain, file, name, rules }: What,
  progress: Progress,
  load: (sql: Sql, seen: SeenFile, subjects: number) => Promise<Loaded>,
): Promise<Imported> => {
  progress('reading the file');
  const { digest, ensureSame } = await contentOf(file.path);
  const seen = { domain, digest };
  const done = await store.write(`import ${kind}`, async (sql): Promise<Imported> => {
    const known = await sql.rows('SELECT 1 FROM imports WHERE kind = $kind AND domain = $domain AND digest = $digest', { kind, ...seen });
    const again = known.length > 0;
    if (again && !(kind === 'records' && (await hasReturned(sql, seen)))) return NOTHING;
    progress('checking columns and values');
    const staged = await stage(sql, file, rules);
    if (again) await reading(file, () => keepReturned(sql, seen));
    progress(`storing ${await stagedRows(sql, staged.rows)} rows`);
    const { journaled, duplicates, erased } = await reading(file, () => load(sql, seen, staged.subjects));
    await ensureSame();
    let sequence = 0n;
    for await (const part of withMore(journaled)) ({ sequence } = await appendJournal(sql, kind, { domain, digest, ...part }));
    const rows = await stagedRows(sql, staged.rows);
    await unstage(sql);
    if (!again) await noteLocal(sql, domain, staged.local);
    if (again) await noteReturned(sql, seen, sequence);
    else await sql.run('INSERT INTO imports VALUES ($kind, $domain, $digest, $sequence::BIGINT)', { kind, ...seen, sequence });
    const unmatched = [...(again ? [] : staged.unmatched), ...(erased ? [erased] : [])];
    const read = staged.unmatched.reduce((sum, of) => sum + BigInt(of.rows), staged.rows);
    const counts = { rows: String(read), stored: String(rows), duplicates: String(duplicates) };
    await recordReport(sql, Date.now(), { kind, domain, file: name, ...counts, unmatched });
    return { fresh: true, rows, duplicates, unmatched };
  });
  if (!done.fresh) progress('done: this file was imported before, nothing changed');
  for (const { column, reason, rows, firstRow } of done.unmatched)
    progress(`left out: ${rows} rows, first row ${firstRow}: column ${column}: ${reason}`);
  if (done.duplicates > 0n) progress(`left out: ${done.duplicates} rows that came before`);
  if (done.fresh) progress(`done: ${done.rows} rows`);
  return done;
};

/** What the mapping asks of the file. Throws ImportError MappingInvalid when it names what the domain has not. */
export const rulesOf = (store: VaultStore, domain: string, mapping: Mapping | undefined): StagingRules => {
  if (!store.domains.includes(domain))
    throw new ImportError(
      'DomainNotOffered',
      `this Vault offers ${store.domains.join(', ')}, not ${domain}; add it to the Vault's spec.domains`,
    );
  const columns = columnsOf(store.catalogue, domain);
  const mapped = mapping?.attributes ?? [];
  for (const [i, { attribute }] of mapped.entries()) {
    const unfit = !columns.some(({ name }) => name === attribute) || mapped.findIndex((m) => m.attribute === attribute) !== i;
    if (unfit) throw new ImportError('MappingInvalid', `the mapping's attribute ${attribute} is not of ${domain}, or there twice`);
  }
  const attributes = columns.map((column) =>
    attributeColumn(
      column,
      mapped.find(({ attribute }) => attribute === column.name),
    ),
  );
  const producer = mapping?.producer === undefined ? producerColumn(mapping?.producerColumn) : constantColumn('producer', mapping.producer);
  const key = mapping?.key === undefined ? [] : [keyColumn(mapping.key)];
  return {
    expected: [...attributes, ...store.localColumns(domain).map(localAttributeColumn), subjectColumn(mapping?.subject), producer, ...key],
    others: mapping ? 'ignore' : 'refuse',
    unmatched: mapping?.unmatched ?? 'refuse',
    local: mapping?.others === 'report',
  };
};

/** Drops from `staged` the records whose name came before, in this file or another, and keeps the others' names. */
const dropDuplicates = async (sql: Sql, domain: string, subjectKey: string): Promise<bigint> => {
  const hash = `sha256($subjectKey || sha256($subjectKey || $domain || '/' || key))`;
  await sql.run(
    `CREATE OR REPLACE TEMP TABLE kept AS SELECT arg_min(subject, number) AS subject, min(number) AS number, key
       FROM (SELECT number, subject, ${hash} AS key FROM staged) ANTI JOIN ${keysTable(domain)} k USING (key) GROUP BY key`,
    { subjectKey, domain },
  );
  const [all] = await sql.rows('SELECT (SELECT count(*) FROM staged) - (SELECT count(*) FROM kept) AS duplicates');
  const duplicates = all!['duplicates'] as bigint;
  if (duplicates > 0n) await dropStaged(sql, 'number NOT IN (SELECT number FROM kept)');
  return duplicates;
};
const keepNames = async (sql: Sql, domain: string): Promise<void> => {
  await sql.run(`INSERT INTO ${keysTable(domain)} SELECT s.id, k.key FROM kept k JOIN subjects s USING (subject)`);
  await sql.run('DROP TABLE kept');
};

/** At least one part. */
const newAccounts = async function* (sql: Sql, range: AccountRange): AsyncGenerator<{ readonly accounts: NewAccounts }, void> {
  if (range.last < range.first) yield { accounts: NO_ACCOUNTS };
  for await (const accounts of piecesOf(sql, range)) yield { accounts };
};

/** Records of a domain: columns are its canonical attributes, `subject` and `producer`, or what the mapping says. Throws ImportError. */
export const importRecords = (
  store: VaultStore,
  domain: string,
  file: ImportFile,
  progress: Progress,
  { mapping, name = '' }: { readonly mapping?: Mapping | undefined; readonly name?: string } = {},
): Promise<Imported> => {
  const rules = rulesOf(store, domain, mapping);
  const names = store.columnsOf(domain).map((column) => named(column.name));
  return importOnce(store, { kind: 'records', domain, file, name, rules }, progress, async (sql, seen, subjects) => {
    const { subjectKey } = store.keys;
    const erased = erasedCount(mapping?.subject ?? 'subject', await leaveOutErased(sql, seen, subjectKey));
    const keyed = mapping?.key !== undefined;
    const duplicates = keyed ? await dropDuplicates(sql, domain, subjectKey) : 0n;
    const accounts = await enrol(sql, 'staged', subjectKey, subjects);
    await sql.run(
      `INSERT INTO producers SELECT (SELECT coalesce(max(id), 0) FROM producers) + row_number() OVER (ORDER BY address), address
         FROM (SELECT DISTINCT producer AS address FROM staged) s ANTI JOIN producers USING (address)`,
    );
    for (const which of partsOf(subjects))
      await sql.run(
        `INSERT INTO ${recordsTable(domain)} (${['subject', 'producer', ...names].join(', ')})
           SELECT ${['s.id', 'p.id', ...names.map((n) => `r.${n}`)].join(', ')} FROM (FROM staged ${which}) r
           JOIN (FROM subjects ${which}) s ON s.subject = r.subject JOIN producers p ON p.address = r.producer`,
      );
    if (keyed) await keepNames(sql, domain);
    await raiseVersion(sql, recordsVersion(domain));
    return { journaled: newAccounts(sql, accounts), duplicates, erased };
  });
};

/** Consents: columns subject, usage, state, time. An entry of the future would silence what comes before it: refused; one of before an erasure is left out. */
export const importConsents = (store: VaultStore, file: ImportFile, now: number, progress: Progress): Promise<Imported> => {
  const expected = [subjectColumn(), choiceColumn('usage', usages), choiceColumn('state', ['granted', 'revoked']), timeColumn('time', now)];
  const rules: StagingRules = { expected, others: 'refuse', unmatched: 'refuse' };
  return importOnce(store, { kind: 'consents', domain: '', file, name: '', rules }, progress, async (sql, _, subjects) => {
    const { subjectKey } = store.keys;
    const erased = erasedCount('time', await leaveOutOldConsents(sql, subjectKey));
    await sql.run(
      "CREATE OR REPLACE TEMP TABLE entries AS SELECT subject, usage, state = 'granted' AS granted, epoch_ms(time) AS time FROM staged",
    );
    const accounts = await addConsents(sql, 'entries', subjectKey, subjects);
    return { journaled: addedConsents(sql, 'entries', accounts), duplicates: 0n, erased };
  });
};
