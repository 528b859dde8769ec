/** Imports (rules C4, K4's producers): one file, one transaction, once. A crash leaves a file wholly in or wholly out. */
import { usages, type CanonicalAttribute } from '@scs/protocol';
import { addConsents } from '../store/consents.ts';
import { named, type Sql } from '../store/database.ts';
import { appendJournal } from '../store/journal.ts';
import { columnsOf, recordsTable, sqlType } from '../store/schema.ts';
import { enrol, MAX_SUBJECT_LENGTH, raiseVersion, recordsVersion } from '../store/subjects.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { ImportError } from './import-error.ts';
import { contentDigest, stage, unstage, type Expected, type ImportFile } from './staging.ts';

export type Progress = (line: string) => void;
export interface Imported {
  /** False when this very content was imported before: nothing changed. */
  readonly fresh: boolean;
  readonly rows: bigint;
}

const SUBJECT: Expected = {
  name: 'subject',
  type: 'VARCHAR',
  optional: false,
  condition: `length(value) BETWEEN 1 AND ${MAX_SUBJECT_LENGTH}`,
  says: `text of 1 to ${MAX_SUBJECT_LENGTH} characters`,
};
const PRODUCER: Expected = {
  name: 'producer',
  type: 'VARCHAR',
  optional: false,
  condition: "regexp_full_match(value, '0x[0-9a-f]{64}')",
  says: "the producer's address, 0x and 64 hex digits",
};
const SAYS: Record<CanonicalAttribute['type'], string> = { string: 'text', integer: 'a whole number', date: 'a date, YYYY-MM-DD' };

const importOnce = async (
  store: VaultStore,
  what: {
    readonly kind: 'records' | 'consents';
    readonly domain: string;
    readonly file: ImportFile;
    readonly expected: readonly Expected[];
  },
  progress: Progress,
  load: (sql: Sql) => Promise<object>,
): Promise<Imported> => {
  const { kind, domain, file, expected } = what;
  progress('reading the file');
  const digest = await contentDigest(file.path);
  const done = await store.write(`import ${kind}`, async (sql): Promise<Imported> => {
    const known = await sql.rows('SELECT 1 FROM imports WHERE kind = $kind AND domain = $domain AND digest = $digest', {
      kind,
      domain,
      digest,
    });
    if (known.length > 0) return { fresh: false, rows: 0n };
    progress('checking columns and values');
    const rows = await stage(sql, file, expected);
    progress(`storing ${rows} rows`);
    const journaled = await load(sql);
    // When anything throws, the rollback takes the temporary tables with it.
    await unstage(sql);
    await sql.run('INSERT INTO imports VALUES ($kind, $domain, $digest)', { kind, domain, digest });
    await appendJournal(sql, kind, { domain, digest, ...journaled });
    return { fresh: true, rows };
  });
  progress(done.fresh ? `done: ${done.rows} rows` : 'done: this file was imported before, nothing changed');
  return done;
};

/** Records of a domain: columns are its canonical attributes, `subject` and `producer`. Throws ImportError. */
export const importRecords = (store: VaultStore, domain: string, file: ImportFile, progress: Progress): Promise<Imported> => {
  if (!store.domains.includes(domain))
    throw new ImportError(
      'DomainNotOffered',
      `this Vault offers ${store.domains.join(', ')}, not ${domain}; add it to the Vault's spec.domains`,
    );
  const columns = columnsOf(store.catalogue, domain);
  const attributes = columns.map((column): Expected => ({
    name: column.name,
    type: sqlType(column) as Expected['type'],
    optional: true,
    says: SAYS[column.type],
  }));
  return importOnce(store, { kind: 'records', domain, file, expected: [...attributes, SUBJECT, PRODUCER] }, progress, async (sql) => {
    const accounts = await enrol(sql, 'staged', store.keys.subjectKey);
    await sql.run(
      `INSERT INTO producers SELECT (SELECT coalesce(max(id), 0) FROM producers) + row_number() OVER (ORDER BY address), address
         FROM (SELECT DISTINCT producer AS address FROM staged) s ANTI JOIN producers USING (address)`,
    );
    const names = columns.map(({ name }) => named(name));
    await sql.run(
      `INSERT INTO ${recordsTable(domain)} (${['subject', 'producer', ...names].join(', ')})
         SELECT ${['s.id', 'p.id', ...names.map((n) => `r.${n}`)].join(', ')} FROM staged r
         JOIN subjects s ON s.subject = r.subject JOIN producers p ON p.address = r.producer`,
    );
    await raiseVersion(sql, recordsVersion(domain));
    return { accounts };
  });
};

/** Consents: columns subject, usage, state, time. An entry of the future would silence what comes before it: refused. */
export const importConsents = (store: VaultStore, file: ImportFile, now: number, progress: Progress): Promise<Imported> => {
  const list = usages.map((u) => `'${u}'`).join(', ');
  const expected: readonly Expected[] = [
    SUBJECT,
    { name: 'usage', type: 'VARCHAR', optional: false, condition: `value IN (${list})`, says: usages.join(', ') },
    { name: 'state', type: 'VARCHAR', optional: false, condition: "value IN ('granted', 'revoked')", says: 'granted or revoked' },
    {
      name: 'time',
      type: 'TIMESTAMPTZ',
      optional: false,
      condition: `epoch_ms(value) BETWEEN 0 AND ${now}`,
      says: 'a time between 1970 and now',
    },
  ];
  return importOnce(store, { kind: 'consents', domain: '', file, expected }, progress, async (sql) => {
    await sql.run(
      "CREATE OR REPLACE TEMP TABLE entries AS SELECT subject, usage, state = 'granted' AS granted, epoch_ms(time) AS time FROM staged",
    );
    const added = await addConsents(sql, 'entries', store.keys.subjectKey);
    await sql.run('DROP TABLE entries');
    return added;
  });
};
