/**
 * The journal (rule B8): every change of ledger, consents, records and outputs is an entry in the same transaction, chained by
 * hash. The head hides: each entry carries a random nonce. An entry says all that `journal/replay.ts` needs to do it again, but for
 * the records themselves. `journal/copy.ts` is its copy outside the volume.
 */
import { randomBytes } from 'node:crypto';
import { encodeCanonical, fromHex, hex, taggedHash } from '@scs/protocol';
import type { Cell } from './columns.ts';
import type { Sql } from './database.ts';

export interface JournalHead {
  readonly sequence: bigint;
  /** Hex digest. */
  readonly head: string;
}
export interface JournalEntry extends JournalHead {
  /** Makes the head hiding. */
  readonly nonce: Uint8Array;
  /** Canonical bytes. */
  readonly entry: Uint8Array;
}
export type JournalKind =
  | 'lost'
  | 'records'
  | 'consents'
  | 'consent'
  | 'subject-key'
  | 'erase'
  | 'reserve'
  | 'refresh'
  | 'output'
  | 'commit'
  | 'release'
  | 'replenish'
  | 'activate'
  | 'dividends';

export const EMPTY: JournalHead = { sequence: 0n, head: '0'.repeat(64) };

export const journalHead = async (sql: Sql): Promise<JournalHead> => {
  const [row] = await sql.rows('SELECT sequence, head FROM journal ORDER BY sequence DESC LIMIT 1');
  return row ? { sequence: row['sequence'] as bigint, head: String(row['head']) } : EMPTY;
};
export const nextHead = (before: string, nonce: Uint8Array, entry: Uint8Array): string =>
  hex(taggedHash('SCS::journal', fromHex(before), nonce, entry));

/** The entry behind a head. */
export const entryAfter = (before: JournalHead, kind: JournalKind, content: object): JournalEntry => {
  const nonce = Uint8Array.from(randomBytes(32));
  const entry = encodeCanonical({ kind, ...content });
  return { sequence: before.sequence + 1n, head: nextHead(before.head, nonce, entry), nonce, entry };
};
/** Row of the table `journal`. */
export const journalRow = ({ sequence, entry, nonce, head }: JournalEntry, kind: JournalKind): readonly Cell[] => [
  sequence,
  kind,
  entry,
  nonce,
  head,
];
export const appendJournal = async (sql: Sql, kind: JournalKind, content: object): Promise<JournalHead> => {
  const next = entryAfter(await journalHead(sql), kind, content);
  await sql.append('journal', [journalRow(next, kind)]);
  return { sequence: next.sequence, head: next.head };
};

/** Entries behind `sequence`, in order. */
export const journalAfter = async (sql: Sql, sequence: bigint): Promise<readonly JournalEntry[]> => {
  const rows = await sql.rows('SELECT sequence, head, nonce, entry FROM journal WHERE sequence > $sequence::BIGINT ORDER BY sequence', {
    sequence,
  });
  return rows.map((row) => ({
    sequence: row['sequence'] as bigint,
    head: String(row['head']),
    nonce: Uint8Array.from(row['nonce'] as Uint8Array),
    entry: Uint8Array.from(row['entry'] as Uint8Array),
  }));
};

/** First sequence whose chain is broken; undefined when it holds from the first entry to the last. */
export const journalFault = async (sql: Sql): Promise<bigint | undefined> => {
  let before = EMPTY;
  for (const row of await sql.rows('SELECT sequence, entry, nonce, head FROM journal ORDER BY sequence')) {
    const sequence = row['sequence'] as bigint;
    const head = nextHead(before.head, row['nonce'] as Uint8Array, row['entry'] as Uint8Array);
    if (sequence !== before.sequence + 1n || head !== row['head']) return sequence;
    before = { sequence, head };
  }
  return undefined;
};
