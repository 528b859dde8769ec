/**
 * What the Vault does durably, each step one transaction and idempotent by task (rules B2, B3, B5, C2, C4). Nothing here asks
 * anyone else: what the masters decided is told to it.
 *
 *   reserve -> reserved -> storeOutput -> commit      before a release is decided: release; after it: commit, never back
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalogue, Usage } from '@scs/protocol';
import type { ConsentEntry } from '@scs/protocol/rules/consent.ts';
import type { JournalCopy } from '../journal/copy.ts';
import { adopt, refuseAlone } from '../journal/keep-up.ts';
import { forgetAccesses, noteAccess, type AccessKind } from './access-log.ts';
import { forgetAudiences } from './audiences.ts';
import type { Book } from './book.ts';
import { eraseSubject, recordConsent } from './consents.ts';
import { Database, storeFolder, quoted, type Sql } from './database.ts';
import { journalHead, type JournalHead } from './journal.ts';
import { foldLedger } from './ledger.ts';
import { vaultKeys, type VaultKeys } from './keys.ts';
import { outputOfTask, reservationOfTask, unfinishedReservations, type Reservation, type StoredOutput } from './reservations.ts';
import { hasRevoked, Revocations } from './revocations.ts';
import { full, isFull, roomOf, type Room } from './room.ts';
import { FIRST_FILE, nextFile, removeOtherFiles } from './files.ts';
import { Mutex } from './mutex.ts';
import { addDomain, columnsOf, keysTable, localColumnsOf, migrate, recordsTable, type Column, type LocalColumn } from './schema.ts';
import { forgetSnapshots, openSnapshot, removeOrphans, snapshotById, type Snapshot, type SnapshotFolders } from './snapshots.ts';
import type { StoreOptions } from './store-options.ts';
import { addKey, removeKey, type KeyChange, type KeyChanged } from './subject-keys.ts';
import { raiseVersion, recordsVersion, subjectId } from './subjects.ts';
import {
  commitTask,
  endTask,
  refreshTask,
  releaseTask,
  reserveTask,
  storeTaskOutput,
  type OutputToStore,
  type Reserved,
  type ReserveRequest,
  type Step,
  type Stored,
} from './task-steps.ts';
import { Writer, type Hand } from './writer.ts';

/** Tasks that end between one folding of the ledger and the next. */
const FOLDED_AFTER = 256;
/** Steps that may revoke. */
const REVOKING = new Set(['consent', 'erase', 'import consents']);

export class VaultStore {
  readonly database: Database;
  readonly keys: VaultKeys;
  readonly folders: SnapshotFolders & { readonly incoming: string };
  /** C2: announces each step after which somebody may have revoked. */
  readonly revocations = new Revocations();
  readonly #options: StoreOptions;
  readonly #copy: JournalCopy | undefined;
  readonly #writer: Writer;
  /** Copies of the whole file, one at a time. */
  readonly #copying = new Mutex(4);
  #catalogue: Catalogue;
  #file: string;
  #ended = 0;

  private constructor(options: StoreOptions, database: Database, keys: VaultKeys, folders: VaultStore['folders']) {
    this.#options = options;
    this.#catalogue = options.catalogue;
    this.#file = options.file ?? FIRST_FILE;
    this.database = database;
    this.keys = keys;
    this.folders = folders;
    this.#copy = options.journalCopy?.(keys);
    const { onStep, onDuration, onBroken } = options;
    this.#writer = new Writer({ database, copy: this.#copy, recordTables: () => this.#recordTables(), onStep, onDuration, onBroken });
  }

  /** Opens or makes the file and catches up with the journal's copy (B8); throws StoreError or JournalError when it can't. */
  static async open(options: StoreOptions): Promise<VaultStore> {
    const folders = {
      scratch: join(options.scratch, 'scs-vault'),
      sealed: join(options.folder, 'snapshots'),
      incoming: join(options.folder, 'incoming'),
    };
    await rm(folders.scratch, { recursive: true, force: true });
    for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
    const readable = [folders.scratch, folders.incoming, ...(options.importFolder === undefined ? [] : [options.importFolder])];
    const database = await Database.open({ ...options, folders: readable });
    const { catalogue, attributes = [] } = options;
    const domains = options.domains.map((name) => ({
      name,
      columns: [...columnsOf(catalogue, name), ...localColumnsOf(attributes, name)],
    }));
    await migrate(database, domains, (options.now ?? Date.now)());
    const store = new VaultStore(options, database, await vaultKeys(database, options.key), folders);
    try {
      await store.#adopt();
    } catch (error) {
      await database.close();
      throw error;
    }
    await removeOtherFiles(options.folder, store.#file);
    await store.tidy();
    return store;
  }

  async #adopt(): Promise<void> {
    const copy = this.#copy;
    if (!copy) await this.database.read(refuseAlone);
    else await this.database.write((sql) => adopt(sql, copy, this.#options.journalLost ?? false, this.#recordTables()));
  }
  #recordTables(): readonly string[] {
    return this.#options.domains.flatMap((domain) => [recordsTable(domain), keysTable(domain)]);
  }

  get vault(): string {
    return this.#options.vault;
  }
  get domains(): readonly string[] {
    return this.#options.domains;
  }
  /** Of those it knows, the one with the most canonical attributes in force: they are never taken back. */
  get catalogue(): Catalogue {
    return this.#catalogue;
  }
  /** Local attributes that the manifest keeps (S3). */
  localColumns(domain: string): readonly LocalColumn[] {
    return localColumnsOf(this.#options.attributes ?? [], domain);
  }
  /** All that a record of the domain has here. */
  columnsOf(domain: string): readonly Column[] {
    return [...columnsOf(this.#catalogue, domain), ...this.localColumns(domain)];
  }
  /** A catalogue that governance made since: its canonical attributes become columns, and the next snapshots have them (S1). */
  async learn(catalogue: Catalogue): Promise<void> {
    const grown = this.domains.filter((domain) => columnsOf(catalogue, domain).length > columnsOf(this.#catalogue, domain).length);
    // The writer's: its book has the versions.
    if (grown.length > 0)
      await this.write('learn', async (sql) => {
        for (const domain of grown)
          if (await addDomain(sql, domain, columnsOf(catalogue, domain))) await raiseVersion(sql, recordsVersion(domain));
      });
    const inForce = (of: Catalogue) => this.domains.reduce((sum, domain) => sum + columnsOf(of, domain).length, 0);
    if (inForce(catalogue) > inForce(this.#catalogue)) this.#catalogue = catalogue;
  }

  close(): Promise<void> {
    return this.database.close();
  }

  async journal(): Promise<JournalHead> {
    return this.#writer.head ?? this.database.read(journalHead);
  }
  reservation(task: string): Promise<Reservation | undefined> {
    return this.database.read((sql) => reservationOfTask(sql, task));
  }
  output(task: string): Promise<StoredOutput | undefined> {
    return this.database.read((sql) => outputOfTask(sql, task));
  }
  unfinished(): Promise<readonly Reservation[]> {
    return this.database.read(unfinishedReservations);
  }
  /** C2: has a subject of the task's open reservation revoked, before an output was stored? */
  hasRevoked(task: string): Promise<boolean> {
    return this.database.read((sql) => hasRevoked(sql, task));
  }
  snapshot(id: bigint): Promise<Snapshot> {
    return this.database.read((sql) => snapshotById(sql, id));
  }

  /**
   * Consent, eligible subjects, reservation and snapshot in one transaction (B2, B4, B5). The public odometer is asked first,
   * and nothing else can refuse: whoever is short of consent or budget is left out silently.
   */
  async reserve(request: ReserveRequest): Promise<Reserved> {
    await this.#ensureRoom();
    return this.#writer.together('reserve', (hand) => reserveTask(this.#step(hand), request));
  }

  /** C2, before output leaves: if a subject of it has revoked since, a fresh snapshot without them. undefined: no open reservation. */
  refresh(task: string): Promise<Reservation | undefined> {
    return this.#writer.together('refresh', (hand) => refreshTask(this.#step(hand), task));
  }

  /** B3: output and evidence, stored under the Vault's own key, in the transaction that checks consent a last time (C2). */
  storeOutput(given: OutputToStore): Promise<Stored> {
    return this.#writer.together('output', (hand) => storeTaskOutput(this.#step(hand), given));
  }

  /** B2: the masters decided the release at `height`: `used` of the reservation is spent. Repeats change nothing. */
  commit(task: string, used: bigint, height: bigint): Promise<void> {
    return this.#writer.together('commit', (hand) => commitTask(this.#step(hand), task, used, height));
  }

  /** B2: the task ended before any release was decided. Repeats, and releases after a commit, change nothing. */
  release(task: string): Promise<void> {
    return this.#writer.together('release', (hand) => releaseTask(this.#step(hand), task));
  }

  /** The task is terminal: its snapshot and output are needed no more. The charge stands. */
  async end(task: string): Promise<void> {
    await this.#writer.together('end', (hand) => endTask(this.#step(hand), task));
    if (++this.#ended % FOLDED_AFTER === 0) await this.#writer.keeping('fold', foldLedger);
  }

  /** Removes what a crash or ended tasks left behind on the volume; in the writer's turns, so that its book stays right and is kept. */
  async tidy(): Promise<void> {
    await this.#writer.keeping('tidy', async (sql) => {
      await foldLedger(sql);
      await forgetAudiences(sql, this.#now());
      await forgetAccesses(sql, this.#now());
      return (await forgetSnapshots(sql)).length > 0;
    });
    // What is forgotten is on disk before its file goes.
    await this.#writer.keeping('orphans', (sql) => removeOrphans(sql, this.folders.sealed));
  }

  consent(entry: ConsentEntry): Promise<void> {
    return this.write('consent', (sql) => recordConsent(sql, entry, this.keys.subjectKey));
  }
  erase(subject: string): Promise<boolean> {
    return this.write('erase', (sql) => eraseSubject(sql, subject, this.#recordTables(), this.#now()));
  }
  /** C4: a key with which the subject signs requests. */
  addKey(change: Omit<KeyChange, 'time'>): Promise<KeyChanged> {
    return this.write('key', (sql) => addKey(sql, { ...change, time: this.#now() }, this.keys.subjectKey));
  }
  removeKey(change: Omit<KeyChange, 'time'>): Promise<boolean> {
    return this.write('key', (sql) => removeKey(sql, { ...change, time: this.#now() }));
  }
  /** C4: somebody looked at what is held of the subject; nothing when the subject is unknown. */
  noteSubjectAccess(subject: string, what: AccessKind, by: 'subject' | 'operator'): Promise<void> {
    return this.database.write(async (sql) => {
      const account = await subjectId(sql, subject);
      if (account !== undefined) await noteAccess(sql, { time: this.#now(), what, account, by });
    });
  }

  /** Parquet with one column `subject`, sorted and so packed as differences: whom the reservation charges. `file` is in scratch; the caller removes it. */
  writeEligible(reservation: bigint, file: string): Promise<void> {
    return this.database.read((sql) =>
      sql.run(
        `COPY (SELECT id AS subject FROM reservation_subjects WHERE reservation = ${reservation} ORDER BY id) TO ${quoted(file)} (FORMAT parquet, PARQUET_VERSION 'V2', COMPRESSION zstd)`,
      ),
    );
  }
  readSnapshot(snapshot: Snapshot): AsyncGenerator<Uint8Array, void> {
    return openSnapshot(snapshot, this.folders.sealed);
  }

  /**
   * Encrypts everything anew under `dataKey`, in the next generation of the file. Writers wait meanwhile, readers don't. `taken` makes
   * it the one that the next start opens; whenever this dies, one of the two whole files is that one.
   */
  rekey(dataKey: string, taken: (file: string) => Promise<void>): Promise<void> {
    return this.#copying.run(async () => {
      const { folder } = this.#options;
      const next = nextFile(this.#file);
      await this.#ensureRoom(await this.#fileBytes());
      try {
        await this.database.rekey(join(folder, next), dataKey, () => taken(next));
        this.#file = next;
      } finally {
        await removeOtherFiles(folder, this.#file);
      }
    });
  }
  /** All that is committed now, encrypted under `dataKey`, as a file that `use` reads and that is gone afterwards. Work goes on. */
  copied<T>(dataKey: string, mark: (sql: Sql) => Promise<void>, use: (path: string) => Promise<T>): Promise<T> {
    return this.#copying.run(async () => {
      const path = join(storeFolder(this.#options.folder), 'backup.db');
      await this.#ensureRoom(await this.#fileBytes());
      try {
        await this.database.copyTo(path, dataKey, mark);
        return await use(path);
      } finally {
        await removeOtherFiles(this.#options.folder, this.#file);
      }
    });
  }

  /** One durable step of its own; `writer.ts` says how. */
  async write<T>(step: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    if (step.startsWith('import')) await this.#ensureRoom();
    const result = await this.#writer.alone(step, work);
    if (REVOKING.has(step)) this.revocations.announce();
    return result;
  }
  /** For tests: what subjects lost to a usage, by number, as the writer has it in mind. */
  charges(usage: Usage): Promise<ReadonlyMap<number, bigint>> {
    return this.#writer.look((book, sql) => book.charges(sql, usage));
  }
  /** For tests: the writer's book between two steps. */
  look<T>(work: (book: Book) => T): Promise<T> {
    return this.#writer.look((book) => Promise.resolve(work(book)));
  }

  /** Whether the volume has room for new work. */
  async hasRoom(): Promise<boolean> {
    return !isFull(await this.#room());
  }
  #room(): Promise<Room> {
    return this.#options.room?.() ?? roomOf(this.#options.folder);
  }
  /** For new work, and what it writes. Throws StoreError StorageFull. */
  async #ensureRoom(bytes = 0): Promise<void> {
    if (isFull(await this.#room(), bytes)) throw full();
  }
  async #fileBytes(): Promise<number> {
    return (await stat(join(this.#options.folder, this.#file))).size;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
  #step(hand: Hand): Step {
    return {
      ...hand,
      vault: this.vault,
      folders: this.folders,
      columnsOf: (domain) => this.columnsOf(domain).map(({ name }) => name),
      now: () => this.#now(),
      onStep: this.#options.onStep,
    };
  }
}
