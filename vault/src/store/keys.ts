/** Secrets of a Vault: made once, kept in the encrypted file only (rule B6). */
import { hkdfSync, randomBytes } from 'node:crypto';
import { commit, fromHex, hex, publicKeyOf } from '@scs/protocol';
import { generateSealKey } from '@scs/proto';
import type { Database, Sql } from './database.ts';

export interface VaultKeys {
  /** Ed25519 seed that signs answers and receipts; hex. */
  readonly signSeed: string;
  readonly publicKey: string;
  /** Keys all noise; hex of 32 bytes. */
  readonly noiseKey: string;
  /** What the Vault registers; hiding. */
  readonly noiseKeyCommitment: string;
  /** X25519, that slices seal releases to. */
  readonly sealKey: string;
  readonly sealPrivateKey: string;
  /** Keys the subjects' hashes (C4); hex. */
  readonly subjectKey: string;
  /** Seals the journal's copy (B8); hex. For the Vault's life: a backup from before a rotation must still read what came after. */
  readonly journalKey: string;
}

const random = (): string => randomBytes(32).toString('hex');
const names = ['signSeed', 'noiseKey', 'noiseNonce', 'sealKey', 'sealPrivateKey', 'subjectKey', 'journalKey'] as const;
type Stored = Record<(typeof names)[number], string>;

const make = async (): Promise<Stored> => {
  const seal = await generateSealKey();
  return {
    signSeed: random(),
    noiseKey: random(),
    noiseNonce: random(),
    sealKey: seal.publicKey,
    sealPrivateKey: seal.privateKey,
    subjectKey: random(),
    journalKey: random(),
  };
};
/** A file of before rotations has none: what it was derived from then. */
const journalKeyOf = (dataKey: string, subjectKey: string): string =>
  hex(new Uint8Array(hkdfSync('sha256', fromHex(dataKey), fromHex(subjectKey), 'SCS::journal-copy', 32)));
const load = async (sql: Sql): Promise<Partial<Stored>> => {
  const rows = await sql.rows("SELECT key, value FROM meta WHERE key LIKE 'key/%'");
  return Object.fromEntries(rows.map((row) => [String(row['key']).slice('key/'.length), hex(row['value'] as Uint8Array)]));
};
const isWhole = (stored: Partial<Stored>): stored is Stored => names.every((name) => stored[name] !== undefined);

const keep = (sql: Sql, name: (typeof names)[number], value: string): Promise<void> =>
  sql.run('INSERT INTO meta VALUES ($key, $value)', { key: `key/${name}`, value: fromHex(value) });

/** `dataKey` is what the file is opened with; it matters for files of before rotations only. */
export const vaultKeys = (database: Database, dataKey: string): Promise<VaultKeys> =>
  database.write(async (sql) => {
    let stored = await load(sql);
    if (Object.keys(stored).length === 0) {
      stored = await make();
      for (const name of names) await keep(sql, name, stored[name]!);
    } else if (stored.journalKey === undefined && stored.subjectKey !== undefined) {
      stored.journalKey = journalKeyOf(dataKey, stored.subjectKey);
      await keep(sql, 'journalKey', stored.journalKey);
    }
    if (!isWhole(stored)) throw new Error("the Vault's file lacks some of its keys");
    const { signSeed, noiseKey, noiseNonce, sealKey, sealPrivateKey, subjectKey, journalKey } = stored;
    return {
      signSeed,
      publicKey: publicKeyOf(signSeed),
      noiseKey,
      noiseKeyCommitment: commit('noise-key', noiseNonce, fromHex(noiseKey)),
      sealKey,
      sealPrivateKey,
      subjectKey,
      journalKey,
    };
  });
