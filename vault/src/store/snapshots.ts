/**
 * Snapshots (rule A2): an immutable Parquet file of a domain and usage with only the records of subjects who consent, cut when
 * either has changed, shared by tasks. It is written in memory-backed scratch and kept sealed (AES-256-GCM, a key of its own
 * in the encrypted file); its commitment hides (A3).
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { commit, MAX_SLICE_BYTES, SLICE_CHUNK_BYTES } from '@scs/protocol';

import { CONSENTING } from './consents.ts';
import { quoted, type Sql } from './database.ts';
import { rowsRead, versionsRead } from './reading.ts';
import { consentVersion, versionsOf } from './subjects.ts';

export interface Snapshot {
  readonly id: bigint;
  /** Hex of 32 bytes: opens the commitment. */
  readonly nonce: string;
  readonly commitment: string;
  readonly bytes: number;
  /** Key of the sealed file. */
  readonly key: Uint8Array;
}
export interface SnapshotFolders {
  /** Memory-backed: plaintext is here for a moment. */
  readonly scratch: string;
  /** On the volume: sealed files. */
  readonly sealed: string;
}
export class SnapshotTooLarge extends Error {
  readonly code = 'SnapshotTooLarge';
  constructor() {
    super(`the domain's consenting records exceed ${MAX_SLICE_BYTES} bytes as Parquet; split the Vault`);
    this.name = 'SnapshotTooLarge';
  }
}

/** One key, one file: a fixed nonce is never used twice under a key. */
const IV = new Uint8Array(12);
const TAG_BYTES = 16;
const sealedFile = (folder: string, id: bigint): string => join(folder, `${id}.sealed`);

const snapshotOf = (row: Record<string, unknown>): Snapshot => ({
  id: row['id'] as bigint,
  nonce: String(row['nonce']),
  commitment: String(row['commitment']),
  bytes: Number(row['bytes']),
  key: Uint8Array.from(row['key'] as Uint8Array),
});
export const snapshotById = async (sql: Sql, id: bigint): Promise<Snapshot> => {
  const [row] = await sql.rows('SELECT * FROM snapshots WHERE id = $id::BIGINT', { id });
  if (!row) throw new Error('a reservation names a snapshot that is not there');
  return snapshotOf(row);
};

export interface CurrentSnapshot {
  readonly snapshot: Snapshot;
  /** Of the consents that it was cut by. */
  readonly consentVersion: bigint;
}
/** The snapshot of the present state: an existing one if nothing has changed since, else a fresh one. */
export const currentSnapshot = async (
  sql: Sql,
  { domain, usage, columns }: { readonly domain: string; readonly usage: string; readonly columns: readonly string[] },
  folders: SnapshotFolders,
): Promise<CurrentSnapshot> => {
  const [consent = 0n, ...read] = await versionsOf(sql, [consentVersion(usage), ...versionsRead(domain)]);
  // Each only rises: their sum is the same where each is.
  const records = read.reduce((sum, version) => sum + version, 0n);
  const of = { domain, usage, records, consent };
  const [known] = await sql.rows(
    `SELECT * FROM snapshots WHERE domain = $domain AND usage = $usage
       AND records_version = $records::BIGINT AND consent_version = $consent::BIGINT`,
    of,
  );
  if (known) return { snapshot: snapshotOf(known), consentVersion: consent };
  const [number] = await sql.rows("SELECT nextval('numbers') AS id");
  const id = number!['id'] as bigint;
  const plain = join(folders.scratch, `${id}.parquet`);
  try {
    await sql.run(
      `COPY (SELECT r.* FROM (${rowsRead(domain, columns)}) r SEMI JOIN ${CONSENTING} c ON c.id = r.subject) TO ${quoted(plain)} (FORMAT parquet, COMPRESSION zstd)`,
      { usage },
    );
    const { size } = await stat(plain);
    if (size > MAX_SLICE_BYTES / 2) throw new SnapshotTooLarge();
    const { key, digest } = await sealFile(plain, sealedFile(folders.sealed, id));
    const nonce = randomBytes(32).toString('hex');
    const snapshot: Snapshot = { id, nonce, commitment: commit('snapshot', nonce, digest), bytes: size, key };
    await sql.run(
      `INSERT INTO snapshots VALUES
         ($id::BIGINT, $domain, $usage, $records::BIGINT, $consent::BIGINT, $key, $nonce, $commitment, $bytes::BIGINT)`,
      { ...snapshot, ...of },
    );
    return { snapshot, consentVersion: consent };
  } finally {
    await rm(plain, { force: true });
  }
};

/** Reads once: hashes the plaintext and writes it sealed, durably, under its final name. */
const sealFile = async (plain: string, sealed: string): Promise<{ key: Uint8Array; digest: Uint8Array }> => {
  const key = randomBytes(32);
  const cipher = createCipheriv('aes-256-gcm', key, IV);
  const digest = createHash('sha3-256');
  const partial = `${sealed}.partial`;
  await pipeline(
    createReadStream(plain),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        digest.update(chunk);
        yield cipher.update(chunk);
      }
      yield cipher.final();
      yield cipher.getAuthTag();
    },
    createWriteStream(partial, { mode: 0o600 }),
  );
  await sync(partial);
  await rename(partial, sealed);
  await sync(dirname(sealed));
  return { key: Uint8Array.from(key), digest: Uint8Array.from(digest.digest()) };
};

const sync = async (path: string): Promise<void> => {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

/** The Parquet bytes, chunk by chunk. Throws, at the latest at the end, when the file is not what was sealed. */
export const openSnapshot = async function* (snapshot: Snapshot, folder: string): AsyncGenerator<Uint8Array, void> {
  const path = sealedFile(folder, snapshot.id);
  const decipher = createDecipheriv('aes-256-gcm', snapshot.key, IV);
  const file = await open(path, 'r');
  try {
    const tag = Buffer.alloc(TAG_BYTES);
    await file.read(tag, 0, TAG_BYTES, snapshot.bytes);
    decipher.setAuthTag(tag);
    for await (const chunk of file.createReadStream({
      start: 0,
      end: snapshot.bytes - 1,
      autoClose: false,
      highWaterMark: SLICE_CHUNK_BYTES,
    }))
      yield decipher.update(chunk as Buffer);
    decipher.final();
  } finally {
    await file.close();
  }
};

/** Forgets snapshots that no unfinished task needs, but for the newest of each domain and usage; those across domains (S4) are seldom asked again. Says which. */
export const forgetSnapshots = async (sql: Sql): Promise<readonly bigint[]> => {
  const gone = await sql.rows(
    `DELETE FROM snapshots s WHERE NOT EXISTS (SELECT 1 FROM reservations r WHERE r.snapshot = s.id AND NOT r.ended)
       AND (contains(domain, '+') OR id <> (SELECT max(id) FROM snapshots n WHERE n.domain = s.domain AND n.usage = s.usage)) RETURNING id`,
  );
  return gone.map((row) => row['id'] as bigint);
};
/**
 * Removes sealed files that no committed entry names, and entries whose file is gone: whoever needs one gets a fresh one (C2). Runs as
 * the writer, so that no transaction is making one. True when entries are gone.
 */
export const removeOrphans = async (sql: Sql, folder: string): Promise<boolean> => {
  const known = (await sql.rows('SELECT id FROM snapshots')).map((row) => row['id'] as bigint);
  const wanted = new Set(known.map((id) => `${id}.sealed`));
  const files = new Set(await readdir(folder));
  for (const name of files) if (!wanted.has(name)) await rm(join(folder, name), { force: true });
  const lost = known.filter((id) => !files.has(`${id}.sealed`));
  for (const id of lost) {
    await sql.run('DELETE FROM snapshots WHERE id = $id::BIGINT', { id });
    await sql.run('UPDATE reservations SET snapshot = 0 WHERE snapshot = $id::BIGINT', { id });
  }
  return lost.length > 0;
};
