/**
 * What the Vault does durably, each step one transaction and idempotent by task (rules B2, B3, B5, C2, C4). Nothing here asks
 * anyone else: what the masters decided is told to it.
 *
 *   reserve -> reserved -> storeOutput -> commit      before a release is decided: release; after it: commit, never back
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { consentCommitment, equalBytes, hex, type Catalogue, type Quota, type Usage } from '@scs/protocol';
import type { ConsentEntry } from '@scs/protocol/rules/consent.ts';
import type { JournalCopy } from '../journal/copy.ts';
import { adopt, catchUp, refuseAlone } from '../journal/keep-up.ts';
import { packNumbers } from '../journal/numbers.ts';
import { isLost } from '../journal/replay.ts';
import { forgetAccesses, noteAccess, type AccessKind } from './access-log.ts';
import { forgetAudiences, keepAudience, selectedNumbers, type AudienceToKeep } from './audiences.ts';
import { eraseSubject, recordConsent } from './consents.ts';
import { Database, storeFolder, StoreError, quoted, type DatabaseOptions, type Sql } from './database.ts';
import { appendJournal, journalAfter, journalHead, type JournalHead } from './journal.ts';
import { vaultKeys, type VaultKeys } from './keys.ts';
import { commitCharge, dropRevoked, odometer, releaseCharge, reservedSubjects, reserveEligible } from './ledger.ts';
import {
  consentReceipt,
  insertReservation,
  nonceUsedElsewhere,
  outputOfTask,
  reservationOfTask,
  settleReservation,
  unfinishedReservations,
  updateAttempt,
  type Reservation,
  type StoredOutput,
} from './reservations.ts';
import { noteUse, quotaFault } from './quotas.ts';
import { hasRevoked, Revocations } from './revocations.ts';
import { full, isFull, roomOf, type Room } from './room.ts';
import { FIRST_FILE, nextFile, removeOtherFiles } from './files.ts';
import { Mutex } from './mutex.ts';
import { addDomain, columnsOf, keysTable, migrate, recordsTable } from './schema.ts';
import {
  currentSnapshot,
  forgetSnapshots,
  openSnapshot,
  removeOrphans,
  snapshotById,
  type Snapshot,
  type SnapshotFolders,
} from './snapshots.ts';
import { addKey, removeKey, type KeyChange, type KeyChanged } from './subject-keys.ts';
import { consentVersion, raiseVersion, recordsVersion, subjectId, versionOf } from './subjects.ts';

export interface StoreOptions extends Pick<DatabaseOptions, 'key' | 'file' | 'httpfs' | 'memoryLimitBytes' | 'threads'> {
  /** `namespace/name`. */
  readonly vault: string;
  /** On the volume. */
  readonly folder: string;
  /** Memory-backed: plaintext of a snapshot is here while it is cut or sent. */
  readonly scratch: string;
  /** Folder that files to import are read from, besides `incoming` on the volume. */
  readonly importFolder?: string;
  readonly catalogue: Catalogue;
  readonly domains: readonly string[];
  /** B8: the journal's copy outside the volume, once the Vault's keys are known. Without it the chain is local. */
  readonly journalCopy?: (keys: VaultKeys) => JournalCopy;
  /** B8: the operator declares the copy lost. */
  readonly journalLost?: boolean;
  /** Civil time in milliseconds. */
  readonly now?: () => number;
  /** Room on the volume; tests say how much. */
  readonly room?: () => Promise<Room>;
  /** Told of each step's name and duration. */
  readonly onDuration?: (step: string, ms: number) => void;
  /** The file can't be written any more until it is opened anew. */
  readonly onBroken?: () => void;
  /** Told of each durable step's begin and end; crash tests kill the process there. */
  readonly onStep?: (step: string) => void;
}
export interface ReserveRequest {
  readonly task: string;
  readonly submitter: string;
  readonly nonce: string;
  readonly domain: string;
  readonly usage: Usage;
  readonly ask: bigint;
  /** `subjectLimit` of policy and manifest; micro-rho. */
  readonly limit: bigint;
  /** Of the task's admission, by the masters' log, for quotas; milliseconds. */
  readonly time?: number;
  readonly quotas?: readonly Quota[];
}
export type Reserved =
  | { readonly ok: true; readonly reservation: Reservation }
  | { readonly ok: false; readonly code: 'BudgetExhausted'; readonly left: bigint }
  /** C5: beyond what the manifest lets the actor ask. */
  | { readonly ok: false; readonly code: 'QuotaExceeded'; readonly message: string }
  | { readonly ok: false; readonly code: 'NonceReused' };
export interface OutputToStore {
  readonly task: string;
  readonly envelope: string;
  readonly snapshotCommitment: string;
  readonly consentCommitment: string;
  /** Canonical SliceOutput and SignedSliceEvidence. */
  readonly output: Uint8Array;
  readonly evidence: Uint8Array;
  /** T1: where the plan keeps one. */
  readonly audience?: AudienceToKeep;
}
export type Stored =
  | { readonly ok: true; readonly stored: StoredOutput; readonly reservation: Reservation }
  /** ConsentChanged: run again on a fresh snapshot. AlreadyStored: B6, the first output stands. NotReserved: ended or never begun.
   *  AudienceUnfit: not of the subjects that are charged. */
  | { readonly ok: false; readonly code: 'ConsentChanged' | 'AlreadyStored' | 'NotReserved' | 'AudienceUnfit' };

export const commitmentsOf = (reservation: Reservation, snapshot: Snapshot): { snapshot: string; consent: string } => ({
  snapshot: snapshot.commitment,
  consent: consentCommitment(reservation.consentNonce, hex(reservation.receipt)),
});

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
  /** Copies of the whole file, one at a time. */
  readonly #copying = new Mutex(4);
  #catalogue: Catalogue;
  #file: string;

  private constructor(options: StoreOptions, database: Database, keys: VaultKeys, folders: VaultStore['folders']) {
    this.#options = options;
    this.#catalogue = options.catalogue;
    this.#file = options.file ?? FIRST_FILE;
    this.database = database;
    this.keys = keys;
    this.folders = folders;
    this.#copy = options.journalCopy?.(keys);
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
    await migrate(database, options.catalogue, options.domains, (options.now ?? Date.now)());
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
  /** A catalogue that governance made since: its canonical attributes become columns, and the next snapshots have them (S1). */
  async learn(catalogue: Catalogue): Promise<void> {
    for (const domain of this.domains) {
      const columns = columnsOf(catalogue, domain);
      if (columns.length <= columnsOf(this.#catalogue, domain).length) continue;
      await this.database.write(async (sql) => {
        if (await addDomain(sql, domain, columns)) await raiseVersion(sql, recordsVersion(domain));
      });
    }
    const inForce = (of: Catalogue) => this.domains.reduce((sum, domain) => sum + columnsOf(of, domain).length, 0);
    if (inForce(catalogue) > inForce(this.#catalogue)) this.#catalogue = catalogue;
  }

  close(): Promise<void> {
    return this.database.close();
  }

  journal(): Promise<JournalHead> {
    return this.database.read(journalHead);
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
  reserve(request: ReserveRequest): Promise<Reserved> {
    return this.write('reserve', async (sql): Promise<Reserved> => {
      const known = await reservationOfTask(sql, request.task);
      if (known) return { ok: true, reservation: known.snapshot === 0n ? await this.#refreshed(sql, known) : known };
      if (await nonceUsedElsewhere(sql, request)) return { ok: false, code: 'NonceReused' };
      if (await isLost(sql)) return { ok: false, code: 'BudgetExhausted', left: 0n };
      const use = { ...request, time: request.time ?? 0 };
      const beyond = await quotaFault(sql, request.quotas ?? [], use);
      if (beyond !== undefined) return { ok: false, code: 'QuotaExceeded', message: beyond };
      const left = request.limit - (await odometer(sql, request.usage, request.domain));
      if (request.ask > left) return { ok: false, code: 'BudgetExhausted', left: left > 0n ? left : 0n };
      const [number] = await sql.rows("SELECT nextval('numbers') AS id");
      const id = number!['id'] as bigint;
      await reserveEligible(sql, { id, usage: request.usage, ask: request.ask }, request.domain, request.limit);
      const { attempt, eligible } = await this.#attempt(sql, { ...request, id, attempt: 1n });
      const { domain, usage, submitter, nonce, ask, task } = request;
      const reservation: Reservation = {
        id,
        task,
        domain,
        usage,
        submitter,
        nonce,
        ask,
        used: 0n,
        state: 'reserved',
        ended: false,
        ...attempt,
      };
      await insertReservation(sql, reservation);
      await noteUse(sql, use);
      await this.#note(sql, 'reserved', reservation);
      await appendJournal(sql, 'reserve', {
        task,
        id,
        domain,
        usage,
        submitter,
        nonce,
        ask,
        firstSnapshot: attempt.firstSnapshot,
        firstConsent: attempt.firstConsent,
        time: BigInt(use.time),
        subjects: packNumbers(eligible),
      });
      return { ok: true, reservation };
    });
  }

  /** C2, before output leaves: if a subject of it has revoked since, a fresh snapshot without them. undefined: no open reservation. */
  refresh(task: string): Promise<Reservation | undefined> {
    return this.write('refresh', async (sql) => {
      const known = await reservationOfTask(sql, task);
      if (known?.state !== 'reserved') return undefined;
      await this.#note(sql, 'opened', known);
      return (await outputOfTask(sql, task)) ? known : this.#refreshed(sql, known);
    });
  }

  /** B3: output and evidence, stored under the Vault's own key, in the transaction that checks consent a last time (C2). */
  storeOutput(given: OutputToStore): Promise<Stored> {
    return this.write('output', async (sql): Promise<Stored> => {
      const known = await reservationOfTask(sql, given.task);
      if (!known || known.state === 'released') return { ok: false, code: 'NotReserved' };
      const before = await outputOfTask(sql, given.task);
      if (before)
        return equalBytes(before.evidence, given.evidence)
          ? { ok: true, stored: before, reservation: known }
          : { ok: false, code: 'AlreadyStored' };
      const current = await this.#refreshed(sql, known);
      const expected = commitmentsOf(current, await snapshotById(sql, current.snapshot));
      if (given.snapshotCommitment !== expected.snapshot || given.consentCommitment !== expected.consent)
        return { ok: false, code: 'ConsentChanged' };
      const { task, envelope, output, evidence } = given;
      const audience = given.audience && (await this.#kept(sql, current, given.audience));
      if (given.audience && !audience) return { ok: false, code: 'AudienceUnfit' };
      await sql.run('INSERT INTO outputs VALUES ($task, $envelope, $output, $evidence, NULL)', { task, envelope, output, evidence });
      await appendJournal(sql, 'output', { task, envelope, output: hex(output), evidence: hex(evidence), ...(audience && { audience }) });
      return { ok: true, stored: { task, envelope, output, evidence, height: undefined }, reservation: current };
    });
  }

  /** Keeps an audience with the output it came with (T1); what the journal says of it. */
  async #kept(sql: Sql, { task, id }: Reservation, { bitmap, expiresSeconds }: AudienceToKeep): Promise<object | undefined> {
    const numbers = await selectedNumbers(sql, id, bitmap);
    if (numbers === undefined) return undefined;
    const expires = BigInt((this.#options.now ?? Date.now)() + 1000 * expiresSeconds);
    await keepAudience(sql, task, expires, numbers);
    return { expires, members: packNumbers(numbers) };
  }

  /** B2: the masters decided the release at `height`: `used` of the reservation is spent. Repeats change nothing. */
  commit(task: string, used: bigint, height: bigint): Promise<void> {
    return this.write('commit', async (sql) => {
      const known = await reservationOfTask(sql, task);
      if (known?.state !== 'reserved') return;
      if (used > known.ask) throw new Error('more is to be committed than was reserved');
      await commitCharge(sql, known, used);
      await settleReservation(sql, task, 'committed', used);
      await this.#note(sql, 'released', known);
      await sql.run('UPDATE outputs SET height = $height::BIGINT WHERE task = $task', { task, height });
      await appendJournal(sql, 'commit', { task, used, height });
    });
  }

  /** B2: the task ended before any release was decided. Repeats, and releases after a commit, change nothing. */
  release(task: string): Promise<void> {
    return this.write('release', async (sql) => {
      const known = await reservationOfTask(sql, task);
      if (known?.state !== 'reserved') return;
      await releaseCharge(sql, known);
      await settleReservation(sql, task, 'released', 0n);
      await this.#note(sql, 'given back', known);
      await appendJournal(sql, 'release', { task });
    });
  }

  /** The task is terminal: its snapshot and output are needed no more. The charge stands. */
  end(task: string): Promise<void> {
    return this.write('end', async (sql) => {
      await sql.run("UPDATE reservations SET ended = true WHERE task = $task AND state <> 'reserved'", { task });
      await sql.run(
        'DELETE FROM outputs o WHERE task = $task AND EXISTS (SELECT 1 FROM reservations r WHERE r.task = o.task AND r.ended)',
        { task },
      );
      await forgetSnapshots(sql);
    });
  }

  /** Removes what a crash or ended tasks left behind on the volume. */
  async tidy(): Promise<void> {
    await this.database.write(forgetSnapshots);
    await this.database.write((sql) => forgetAudiences(sql, (this.#options.now ?? Date.now)()));
    await this.database.write((sql) => forgetAccesses(sql, this.#now()));
    await this.database.write((sql) => removeOrphans(sql, this.folders.sealed));
  }

  consent(entry: ConsentEntry): Promise<void> {
    return this.write('consent', (sql) => recordConsent(sql, entry, this.keys.subjectKey));
  }
  erase(subject: string): Promise<boolean> {
    return this.write('erase', (sql) => eraseSubject(sql, subject, this.#recordTables()));
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

  /** One durable step: behind the journal's copy, it catches up first; its entries are in the copy before it commits (B8). */
  async write<T>(step: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    if (step === 'reserve' || step.startsWith('import')) await this.#ensureRoom();
    const { onStep, onDuration, onBroken } = this.#options;
    const begun = performance.now();
    onStep?.(`${step}:before`);
    try {
      const result = await this.database.write(async (sql) => {
        const copy = this.#copy;
        const before = copy && (await catchUp(sql, copy, this.#recordTables()));
        const value = await work(sql);
        if (copy && before) await copy.append(before, await journalAfter(sql, before.sequence));
        onStep?.(`${step}:uncommitted`);
        return value;
      });
      onStep?.(`${step}:after`);
      if (REVOKING.has(step)) this.revocations.announce();
      return result;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'StoreBroken') onBroken?.();
      throw error;
    } finally {
      onDuration?.(step, performance.now() - begun);
    }
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
  #note(sql: Sql, what: AccessKind, { task, submitter }: Reservation): Promise<void> {
    return noteAccess(sql, { time: this.#now(), what, task, by: submitter });
  }

  /** Drops who revoked; if anybody did, or the journal's replay left no snapshot, the next attempt on a fresh one. */
  async #refreshed(sql: Sql, known: Reservation): Promise<Reservation> {
    const replayed = known.snapshot === 0n && known.state === 'reserved';
    if (!replayed && known.consentVersion === (await versionOf(sql, consentVersion(known.usage)))) return known;
    const dropped = await dropRevoked(sql, known);
    if (dropped === undefined && !replayed) {
      const same = { ...known, consentVersion: await versionOf(sql, consentVersion(known.usage)) };
      await updateAttempt(sql, same);
      return same;
    }
    const { task } = known;
    const next = {
      ...known,
      ...(await this.#attempt(sql, { ...known, attempt: known.attempt + 1n })).attempt,
      firstSnapshot: known.firstSnapshot,
      firstConsent: known.firstConsent,
    };
    await updateAttempt(sql, next);
    await appendJournal(sql, 'refresh', { task, attempt: next.attempt, dropped: packNumbers(dropped ?? '') });
    return next;
  }

  async #attempt(sql: Sql, of: { id: bigint; task: string; domain: string; usage: Usage; attempt: bigint }) {
    const columns = columnsOf(this.#catalogue, of.domain).map(({ name }) => name);
    const { snapshot, consentVersion: version } = await currentSnapshot(sql, { domain: of.domain, usage: of.usage, columns }, this.folders);
    this.#options.onStep?.('snapshot:sealed');
    const eligible = await reservedSubjects(sql, of.id);
    const about = { vault: this.#options.vault, task: of.task, reservation: of.id, attempt: of.attempt };
    const receipt = consentReceipt(about, snapshot, eligible);
    const attempt = {
      attempt: of.attempt,
      snapshot: snapshot.id,
      consentVersion: version,
      consentNonce: receipt.nonce,
      receipt: receipt.receipt,
      firstSnapshot: snapshot.commitment,
      firstConsent: receipt.commitment,
    };
    return { attempt, eligible };
  }
}
