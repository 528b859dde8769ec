/**
 * What the agreement must not forget (rules G4, N9): messages, votes and certificates in a journal of their own, which is synced; what
 * is certified comes from there into the log's file, many blocks at a time. How counters were formed is in that file. The two name each
 * other. Whatever does not read back as it was written is DiskCorrupt: reported, never guessed at.
 */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { decodeCanonicalAs, encodeCanonical, FIRST_GENERATION, type Entry, type Head } from '@scs/protocol';
import { DiskError, type Disk } from '../../log/disk.ts';
import { bytesOf, type SqliteFile, textOf } from '../../log/sqlite-file.ts';
import type { DeferredWrites } from '../../log/waiting-writes.ts';
import type { Confirmation, Signed } from '../formation.ts';
import type { Opened } from '../formation-step.ts';
import type { Kept } from '../messages.ts';
import type { Roster } from '../roster.ts';
import type { Intent, Stored } from '../state.ts';
import type { JournalIo } from './journal/io.ts';
import { type Journal, memoryJournal, openJournal } from './journal/journal.ts';
import { Mirror, restore, type Unwritten } from './journal/mirror.ts';
import { decodeRecord, encodeMessageRecord, encodeRecord } from './journal/record.ts';
import { openedFormation, ownConfirmation } from './wire-codec.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS agreement (name TEXT PRIMARY KEY, value BLOB NOT NULL, bytes BLOB) STRICT;
  CREATE TABLE IF NOT EXISTS agreement_parts (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  DROP TABLE IF EXISTS agreement_messages;
  DROP TABLE IF EXISTS agreement_anchors;
`;
const NOTHING = new Uint8Array();
export interface JournalBounds {
  /** Bytes: larger than this, and than twice what is still needed of it, the journal begins anew. */
  readonly large: number;
  /** Bytes that it may need while nothing is certified: more, and nothing is promised any more (`JournalFull`). */
  readonly most: number;
}
const MIB = 1024 * 1024;
const BOUNDS: JournalBounds = { large: 32 * MIB, most: 1024 * MIB };

export interface AgreementStore {
  /** Adds records of the state machine, in order; of the blocks of `certified` and `snapshot` the Disk was told before. Place of the last. Throws DiskError. */
  add(records: readonly Stored[], promise: boolean): number;
  setRoster(roster: Roster): void;
  /** Records up to this place are durable. */
  durable(): number;
  /** Told whenever `durable` has moved, or why it never will; the last listener counts. */
  listen(listener: (fault?: DiskError) => void): void;
  /** Brings what waits into the log's file, and begins the journal anew when it is large. Throws DiskError. */
  flush(): void;
  /** All that was added is durable when this returns. Throws DiskError. */
  syncNow(): void;
  /** Certified blocks that were not in the log's file at the start. */
  unwritten(): readonly Unwritten[];
  messages(): readonly Kept[];
  /** Entries of a snapshot that is being fetched. */
  parts(): readonly Entry[];
  anchors(): ReadonlyMap<string, number>;
  intent(): { readonly key: string; readonly intent: Intent } | undefined;
  roster(): Roster | undefined;
  opened(): Opened | undefined;
  /** Opens a formation: what was said in the one before is dropped, it is of no use to anybody. `admitted`: as `setAdmitted`. */
  open(opened: Opened, roster: Roster, admitted: boolean): void;
  confirmation(): Signed<Confirmation> | undefined;
  setConfirmation(confirmation: Signed<Confirmation>): void;
  /** No counter that began after this disk did was ever admitted: what was promised before is not known, whatever was fetched (N9). */
  blank(): boolean;
  setAdmitted(): void;
  /** What was said in an earlier generation of masters is dropped: nothing of it counts in this one (N9). */
  beginGeneration(generation: bigint): void;
}

/** Values by name in the log's file: durable at once. */
class Values {
  readonly #file: SqliteFile;
  constructor(file: SqliteFile) {
    this.#file = file;
    file.schema(SCHEMA);
  }
  get<T>(name: string, parse: (value: unknown) => T): T | undefined {
    const row = this.#file.get('SELECT value FROM agreement WHERE name = ?', name);
    return row && reading(`${this.#file.path}: ${name}`, () => decodeCanonicalAs(parse, bytesOf(row, 'value')));
  }
  put(name: string, content: unknown): void {
    this.#file.run('INSERT OR REPLACE INTO agreement (name, value, bytes) VALUES (?, ?, NULL)', name, encodeCanonical(content));
  }
  drop(name: string): void {
    this.#file.run('DELETE FROM agreement WHERE name = ?', name);
  }
  together(work: () => void): void {
    this.#file.transaction(true, work);
  }

  /** Durable with the next durable write: they can be fetched again. */
  addParts(entries: readonly Entry[]): void {
    this.#file.transaction(false, () => {
      for (const [key, value] of entries) this.#file.run('INSERT OR REPLACE INTO agreement_parts (key, value) VALUES (?, ?)', key, value);
    });
  }
  dropParts(): void {
    this.#file.run('DELETE FROM agreement_parts');
  }
  parts(): readonly Entry[] {
    return this.#file.all('SELECT key, value FROM agreement_parts').map((row) => [textOf(row, 'key'), bytesOf(row, 'value')] as const);
  }
}
const reading = <T>(what: string, work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof DiskError ? cause : new DiskError('DiskCorrupt', `${what} does not read back`, { cause });
  }
};
const text = (value: unknown): string => String(value);
const tagOf = (opened: Opened | undefined): string => (opened ? createHash('sha256').update(encodeCanonical(opened)).digest('hex') : '');

const journalBeside = (
  disk: Disk,
  file: SqliteFile,
  values: Values,
  io?: JournalIo,
): { journal: Journal; records: readonly Uint8Array[] } => {
  if (file.path === ':memory:') return { journal: memoryJournal(), records: [] };
  const folder = join(dirname(file.path), `${basename(file.path)}.agreement`);
  const expected = values.get('journal', text);
  if (expected === undefined && disk.last())
    throw new DiskError('DiskForeign', `${file.path} holds blocks, and this kind of log never wrote there: another kind of master left it`);
  const { journal, id, records } = openJournal(folder, expected, io);
  if (expected === undefined) values.put('journal', id);
  return { journal, records };
};

class Store implements AgreementStore {
  readonly #disk: Disk & DeferredWrites;
  readonly #values: Values;
  readonly #journal: Journal;
  readonly #mirror: Mirror;
  readonly #unwritten: readonly Unwritten[];
  /** Bytes of the journal right after it began anew. */
  #needed = 0;
  readonly #bounds: JournalBounds;

  constructor(file: SqliteFile, disk: Disk & DeferredWrites, io: JournalIo | undefined, bounds: JournalBounds) {
    this.#disk = disk;
    this.#bounds = bounds;
    this.#values = new Values(file);
    const { journal, records } = journalBeside(disk, file, this.#values, io);
    this.#journal = journal;
    const { mirror, votes, blocks } = reading(`${file.path}.agreement`, () => restore(records.map(decodeRecord)));
    this.#mirror = mirror;
    const height = disk.last()?.height ?? 0n;
    this.#unwritten = blocks.filter(({ certificate }) => certificate.head.height > height);
    disk.defer(() => journal.close());
    for (const head of votes) if (head.height > disk.votesBelow()) this.#vote(head);
    const tag = tagOf(this.opened());
    if (mirror.tag !== tag) this.#enter(tag);
  }

  #vote({ generation, height, stateRoot, block }: Head): void {
    this.#disk.storeVote({ generation, height, stateRoot, block, bytes: NOTHING });
  }
  #enter(tag: string): void {
    this.#mirror.enter(tag);
    this.#journal.add([encodeRecord({ kind: 'formation', tag })], true);
  }

  add(records: readonly Stored[], promise: boolean): number {
    if (records.some(({ kind }) => kind === 'truncate')) this.#disk.flush(); // the messages held the blocks of certificates
    this.#makeRoom();
    return this.#journal.add(
      records.flatMap((record) => this.#take(record)),
      promise,
    );
  }
  /** Into the mirror, and as bytes; a snapshot and its parts go into the log's file. */
  #take(record: Stored): Uint8Array | readonly [] {
    const mirror = this.#mirror;
    switch (record.kind) {
      case 'part':
        this.#values.addParts(record.entries);
        return [];
      case 'snapshot':
        this.#disk.flush();
        this.#values.dropParts();
        return [];
      case 'intent': {
        const { key, intent } = record;
        mirror.intent = { key, intent };
        return encodeRecord({ kind: 'intent', key, body: intent.body }, intent.bytes);
      }
      case 'message': {
        const { message } = record;
        mirror.message(message);
        const intended = mirror.intent?.key === message.ui.key && mirror.intent.intent.body === message.body;
        if (!intended) return encodeMessageRecord(message);
        const { ui, reading } = message;
        return encodeRecord({ kind: 'said', ui, ...(reading ? { reading } : {}) });
      }
      case 'truncate':
        mirror.truncate(record.key, record.counter);
        return encodeRecord({ kind: 'truncate', key: record.key, counter: record.counter });
      case 'vote':
        this.#vote(record.head);
        return encodeRecord({ kind: 'vote', head: record.head });
      case 'certified':
        return encodeRecord(
          { kind: 'certified', certificate: record.certificate },
          mirror.holdsBlock(record.certificate.head.block) ? undefined : record.tip.bytes,
        );
    }
  }
  setRoster(roster: Roster): void {
    this.#mirror.roster = roster;
    this.#journal.add([encodeRecord({ kind: 'roster', roster: [...roster] })], false);
  }
  durable(): number {
    return this.#journal.durable();
  }
  listen(listener: (fault?: DiskError) => void): void {
    this.#journal.listen(listener);
  }
  syncNow(): void {
    this.#journal.syncNow();
  }

  flush(): void {
    this.#disk.flush();
    if (this.#journal.size() > Math.max(this.#bounds.large, 2 * this.#needed)) this.#restart();
  }
  /** Nothing may be certified for long, and messages come nevertheless: what is promised has room, or is not promised. */
  #makeRoom(): void {
    if (this.#journal.size() > 4 * Math.max(this.#bounds.large, this.#needed)) this.flush();
    if (this.#journal.size() <= this.#bounds.most) return;
    this.flush();
    this.#restart();
    const size = this.#journal.size();
    if (size > this.#bounds.most) throw new DiskError('JournalFull', `the agreement's journal needs ${size} bytes`);
  }
  /** With what is still needed: votes and blocks are in the log's file by now. */
  #restart(): void {
    const { tag, intent, roster, anchors } = this.#mirror;
    const records = [encodeRecord({ kind: 'formation', tag })];
    if (roster) records.push(encodeRecord({ kind: 'roster', roster: [...roster] }));
    for (const [key, counter] of anchors) records.push(encodeRecord({ kind: 'truncate', key, counter }));
    for (const message of this.#mirror.messages()) records.push(encodeMessageRecord(message));
    if (intent) records.push(encodeRecord({ kind: 'intent', key: intent.key, body: intent.intent.body }, intent.intent.bytes));
    this.#journal.restart(records);
    this.#needed = this.#journal.size();
  }

  unwritten(): readonly Unwritten[] {
    return this.#unwritten;
  }
  messages(): readonly Kept[] {
    return this.#mirror.messages();
  }
  parts(): readonly Entry[] {
    return this.#values.parts();
  }
  anchors(): ReadonlyMap<string, number> {
    return this.#mirror.anchors;
  }
  intent(): { readonly key: string; readonly intent: Intent } | undefined {
    return this.#mirror.intent;
  }
  roster(): Roster | undefined {
    return this.#mirror.roster ?? this.#values.get('roster', (v) => v as Roster);
  }
  opened(): Opened | undefined {
    return this.#values.get('opened', (v) => openedFormation.parse(v));
  }
  open(opened: Opened, roster: Roster, admitted: boolean): void {
    this.#values.together(() => {
      if (admitted) this.setAdmitted();
      this.#values.put('opened', opened);
      this.#values.put('roster', roster);
    });
    this.#enter(tagOf(opened)); // a crash before this is seen by the tag
  }
  confirmation(): Signed<Confirmation> | undefined {
    return this.#values.get('confirmation', (v) => ownConfirmation.parse(v));
  }
  setConfirmation(confirmation: Signed<Confirmation>): void {
    this.syncNow(); // it says that all streams were read to their ends
    this.#values.put('confirmation', confirmation);
  }
  blank(): boolean {
    return this.#values.get('admitted', (v) => v) === undefined;
  }
  setAdmitted(): void {
    this.#values.put('admitted', true);
  }
  beginGeneration(generation: bigint): void {
    if ((this.#values.get('generation', (v) => v as bigint) ?? FIRST_GENERATION) === generation) return;
    this.#values.together(() => {
      for (const name of ['opened', 'roster', 'confirmation', 'admitted']) this.#values.drop(name);
      this.#values.put('generation', generation);
    });
    this.#enter(tagOf(undefined)); // a crash before this is seen by the tag
  }
}

/** Opens what is there or makes it. Throws DiskError. */
export const agreementStore = (
  file: SqliteFile,
  disk: Disk & DeferredWrites,
  io?: JournalIo,
  bounds: JournalBounds = BOUNDS,
): AgreementStore => new Store(file, disk, io, bounds);
