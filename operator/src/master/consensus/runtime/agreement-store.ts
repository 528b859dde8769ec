/**
 * What the agreement must not forget (rules G4, N9), in tables beside the log's in one SQLite file, so that one write-ahead log orders
 * blocks, votes and messages: after a power cut there is a prefix of what was written, never a message without what it rests on.
 * A file that does not read back as it was written is DiskCorrupt: reported, never guessed at.
 */
import { decodeCanonical, decodeCanonicalAs, encodeCanonical, type Entry, type Head } from '@scs/protocol';
import { DiskError, type Disk } from '../../log/disk.ts';
import { bytesOf, integerOf, type SqliteFile, textOf, type Row } from '../../log/sqlite-file.ts';
import type { Confirmation, Signed } from '../formation.ts';
import type { Opened } from '../formation-step.ts';
import type { Kept } from '../messages.ts';
import type { Roster } from '../roster.ts';
import type { Intent, Stored } from '../state.ts';
import { intentBody, keptMessage, openedFormation, ownConfirmation } from './wire-codec.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS agreement_messages (key TEXT NOT NULL, counter INTEGER NOT NULL, message BLOB NOT NULL, bytes BLOB,
    PRIMARY KEY (key, counter)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS agreement_anchors (key TEXT PRIMARY KEY, counter INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS agreement_parts (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS agreement (name TEXT PRIMARY KEY, value BLOB NOT NULL, bytes BLOB) STRICT;
`;
const NOTHING = new Uint8Array();

const optionalBytes = (row: Row): { readonly bytes?: Uint8Array } => (row['bytes'] === null ? {} : { bytes: bytesOf(row, 'bytes') });

export interface AgreementStore {
  /** One record of the state machine; the blocks of `certified` and `snapshot` are the log's to write. A vote once for each generation and height (G4), else DiskError VoteExists. */
  write(record: Exclude<Stored, { kind: 'certified' }>): void;
  messages(): readonly Kept[];
  /** Entries of a snapshot that is being fetched. */
  parts(): readonly Entry[];
  anchors(): ReadonlyMap<string, number>;
  intent(): { readonly key: string; readonly intent: Intent } | undefined;
  roster(): Roster | undefined;
  setRoster(roster: Roster): void;
  opened(): Opened | undefined;
  /** Opens a formation: what was said in the one before is dropped, it is of no use to anybody. `admitted`: as `setAdmitted`. */
  open(opened: Opened, roster: Roster, admitted: boolean): void;
  confirmation(): Signed<Confirmation> | undefined;
  setConfirmation(confirmation: Signed<Confirmation>): void;
  /** No counter that began after this file did was ever admitted: what was promised before is not known, whatever was fetched (N9). */
  blank(): boolean;
  setAdmitted(): void;
}

/** Makes the tables that are missing. Throws DiskError. */
export const agreementStore = (file: SqliteFile, disk: Disk): AgreementStore => {
  file.schema(SCHEMA);
  const corrupt = (what: string, cause: unknown): DiskError =>
    new DiskError('DiskCorrupt', `${file.path}: ${what} does not read back`, { cause });
  const read = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw cause instanceof DiskError ? cause : corrupt(what, cause);
    }
  };
  const value = <T>(name: string, parse: (value: unknown) => T): T | undefined => {
    const row = file.get('SELECT value FROM agreement WHERE name = ?', name);
    return row && read(name, () => decodeCanonicalAs(parse, bytesOf(row, 'value')));
  };
  const put = (name: string, content: unknown, bytes?: Uint8Array): void =>
    file.run('INSERT OR REPLACE INTO agreement (name, value, bytes) VALUES (?, ?, ?)', name, encodeCanonical(content), bytes ?? null);
  const drop = (name: string): void => file.run('DELETE FROM agreement WHERE name = ?', name);

  const vote = ({ generation, height, stateRoot, block }: Head): void =>
    disk.storeVote({ generation, height, stateRoot, block, bytes: NOTHING });
  const truncate = (key: string, counter: number): void => {
    file.run('INSERT OR REPLACE INTO agreement_anchors (key, counter) VALUES (?, ?)', key, counter);
    file.run('DELETE FROM agreement_messages WHERE key = ? AND counter < ?', key, counter);
  };

  return {
    write: (record) => {
      switch (record.kind) {
        case 'intent': {
          const { key, intent } = record;
          return put('intent', { key, body: intent.body }, intent.bytes);
        }
        case 'message': {
          const { bytes, ...said } = record.message;
          const message = encodeCanonical(said);
          return file.run(
            'INSERT OR REPLACE INTO agreement_messages (key, counter, message, bytes) VALUES (?, ?, ?, ?)',
            said.ui.key,
            said.ui.counter,
            message,
            bytes ?? null,
          );
        }
        case 'truncate':
          return truncate(record.key, record.counter);
        case 'vote':
          return vote(record.head);
        case 'part':
          for (const [key, value] of record.entries)
            file.run('INSERT OR REPLACE INTO agreement_parts (key, value) VALUES (?, ?)', key, value);
          return;
        case 'snapshot':
          return file.run('DELETE FROM agreement_parts');
      }
    },
    parts: () => file.all('SELECT key, value FROM agreement_parts').map((row) => [textOf(row, 'key'), bytesOf(row, 'value')] as const),
    messages: () =>
      file.all('SELECT message, bytes FROM agreement_messages ORDER BY key, counter').map((row) =>
        read('a message', () => ({
          ...decodeCanonicalAs((v) => keptMessage.parse(v), bytesOf(row, 'message')),
          ...optionalBytes(row),
        })),
      ),
    anchors: () =>
      new Map(file.all('SELECT key, counter FROM agreement_anchors').map((row) => [textOf(row, 'key'), Number(integerOf(row, 'counter'))])),
    intent: () => {
      const row = file.get("SELECT value, bytes FROM agreement WHERE name = 'intent'");
      if (!row) return undefined;
      return read('the intent', () => {
        const { key, body } = decodeCanonical(bytesOf(row, 'value')) as { key: string; body: unknown };
        return { key, intent: { body: intentBody.parse(body), ...optionalBytes(row) } };
      });
    },
    roster: () => value('roster', (v) => v as Roster),
    setRoster: (roster) => put('roster', roster),
    opened: () => value('opened', (v) => openedFormation.parse(v)),
    open: (opened, roster, admitted) =>
      file.transaction(true, () => {
        put('opened', opened);
        put('roster', roster);
        if (admitted) put('admitted', true);
        drop('intent');
        file.run('DELETE FROM agreement_messages');
        file.run('DELETE FROM agreement_anchors');
      }),
    confirmation: () => value('confirmation', (v) => ownConfirmation.parse(v)),
    setConfirmation: (confirmation) => put('confirmation', confirmation),
    blank: () => file.get("SELECT 1 AS one FROM agreement WHERE name = 'admitted'") === undefined,
    setAdmitted: () => put('admitted', true),
  };
};
