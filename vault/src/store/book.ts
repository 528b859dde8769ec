/**
 * What the one writer remembers of the database, so that a task's step needs no statement to look around: reservations that have not
 * ended, what is left to each subject, versions, the journal's head. The database is the authority: a book is read from it, follows
 * within the transaction what the step writes, and is thrown away when a transaction fails. Amounts are micro-rho.
 *
 * It does not grow with the tasks there ever were: of what ended it knows that there may have been such a one, and then looks it up.
 */
import { isLost } from '../journal/replay.ts';
import type { Sql } from './database.ts';
import { journalHead, type JournalHead } from './journal.ts';
import { chargedNumbers, entitled } from './ledger.ts';
import { MaybeSet } from './maybe-set.ts';
import type { Use } from './quotas.ts';
import { QuotaUses } from './quota-uses.ts';
import { domainsOf, readingOf, versionsRead } from './reading.ts';
import { reservationOf, reservationOfTask, type Reservation } from './reservations.ts';
import { snapshotById, type CurrentSnapshot, type Snapshot } from './snapshots.ts';
import { consentVersion, versions } from './subjects.ts';

/** Numbers of subjects in the sets that are kept; 4 bytes each. */
const MOST_KEPT = 16_000_000;
/** Numbers taken from the database's sequence at a time. */
const NUMBERS = 64;
/** Snapshots that are kept in mind. */
const MOST_SNAPSHOTS = 256;
/** Rows in one reading of what ended. */
const PAGE = 10_000;

/** The transaction, once all that was added in it can be seen by statements. */
export type Look = () => Promise<Sql>;
type Ended = Pick<Reservation, 'task' | 'submitter' | 'nonce'>;
const nonceOf = ({ submitter, nonce }: Pick<Ended, 'submitter' | 'nonce'>): string => `${submitter} ${nonce}`;
const taskKey = (task: string): string => `task ${task}`;
const nonceKey = (nonce: string): string => `nonce ${nonce}`;

interface AtVersions<T> {
  readonly records: bigint;
  readonly consent: bigint;
  readonly value: T;
}

export class Book {
  #head: JournalHead;
  #versions: ReadonlyMap<string, bigint>;
  readonly lost: boolean;
  readonly #uses: QuotaUses;
  /** Not ended. */
  readonly #reservations = new Map<string, Reservation>();
  /** Theirs, by submitter (N5). */
  readonly #nonces = new Set<string>();
  /** Tasks and nonces of what ended. */
  readonly #past = new MaybeSet();
  readonly #odometers = new Map<string, bigint>();
  readonly #outputs = new Set<string>();
  /** By usage: what each subject has reserved or spent, by number. */
  readonly #charges = new Map<string, BigInt64Array>();
  readonly #entitled = new Map<string, AtVersions<Uint32Array>>();
  readonly #current = new Map<string, AtVersions<CurrentSnapshot>>();
  readonly #snapshots = new Map<bigint, Snapshot>();
  /** Who is charged, by reservation; the latest ones. */
  readonly #sets = new Map<bigint, Uint32Array>();
  #kept = 0;
  #numbers: bigint[] = [];

  private constructor(head: JournalHead, versions: ReadonlyMap<string, bigint>, lost: boolean, uses: QuotaUses) {
    this.#head = head;
    this.#versions = versions;
    this.lost = lost;
    this.#uses = uses;
  }

  static async read(sql: Sql): Promise<Book> {
    const book = new Book(await journalHead(sql), await versions(sql), await isLost(sql), await QuotaUses.read(sql));
    const sums = await sql.rows(
      `SELECT usage, domain, sum(CASE state WHEN 'reserved' THEN ask ELSE used END)::BIGINT AS sum FROM reservations r
         WHERE state <> 'released' AND NOT EXISTS (SELECT 1 FROM former_reservations f WHERE f.id = r.id) GROUP BY usage, domain`,
    );
    for (const row of sums) book.#turn({ usage: String(row['usage']), domain: String(row['domain']) }, row['sum'] as bigint);
    for (const row of await sql.rows('SELECT * FROM reservations WHERE NOT ended ORDER BY id')) book.#add(reservationOf(row));
    for (const row of await sql.rows('SELECT task FROM outputs')) book.#outputs.add(String(row['task']));
    await book.#readPast(sql);
    return book;
  }
  async #readPast(sql: Sql): Promise<void> {
    for (let after = -1n; ;) {
      const rows = await sql.rows(
        `SELECT id, task, submitter, nonce FROM reservations WHERE ended AND id > $after::BIGINT ORDER BY id LIMIT ${PAGE}`,
        { after },
      );
      for (const row of rows)
        this.#notePast({ task: String(row['task']), submitter: String(row['submitter']), nonce: String(row['nonce']) });
      if (rows.length < PAGE) return;
      after = rows.at(-1)!['id'] as bigint;
    }
  }

  /** After steps that changed neither reservations nor charges: consents, records, keys. */
  async catchUp(sql: Sql): Promise<void> {
    this.#head = await journalHead(sql);
    this.#versions = await versions(sql);
  }

  get head(): JournalHead {
    return this.#head;
  }
  set head(head: JournalHead) {
    this.#head = head;
  }
  /** Of a task that has not ended. */
  reservation(task: string): Reservation | undefined {
    return this.#reservations.get(task);
  }
  /** Of any task. */
  async reservationEver(look: Look, task: string): Promise<Reservation | undefined> {
    const known = this.#reservations.get(task);
    return known || !this.#past.maybe(taskKey(task)) ? known : reservationOfTask(await look(), task);
  }
  /** N5: does another task of the submitter have the nonce? */
  async isTaken(look: Look, submitter: string, nonce: string): Promise<boolean> {
    const of = nonceOf({ submitter, nonce });
    if (this.#nonces.has(of)) return true;
    if (!this.#past.maybe(nonceKey(of))) return false;
    const sql = await look();
    return (await sql.rows('SELECT 1 FROM reservations WHERE submitter = $submitter AND nonce = $nonce', { submitter, nonce })).length > 0;
  }
  /** C5: of the submitter, for who asks at `time`. */
  uses(look: Look, submitter: string, time: number): Promise<readonly Use[]> {
    return this.#uses.before(look, submitter, time);
  }
  /**
   * B4: the public odometer of this Vault for a usage and domain: what its tasks reserved or used since the last replenishment, whoever was
   * eligible. At least what any subject lost there, and known to everyone from the tasks themselves.
   */
  odometer(usage: string, domain: string): bigint {
    return domainsOf(domain)
      .map((name) => this.#odometers.get(`${usage} ${name}`) ?? 0n)
      .reduce((most, next) => (next > most ? next : most));
  }
  hasOutput(task: string): boolean {
    return this.#outputs.has(task);
  }
  noteOutput(task: string): void {
    this.#outputs.add(task);
  }
  version(name: string): bigint {
    return this.#versions.get(name) ?? 0n;
  }

  async nextNumber(sql: Sql): Promise<bigint> {
    if (this.#numbers.length === 0) {
      const rows = await sql.rows(`SELECT nextval('numbers') AS id FROM range(${NUMBERS})`);
      this.#numbers = rows.map((row) => row['id'] as bigint).toSorted((a, b) => Number(b - a));
    }
    return this.#numbers.pop()!;
  }

  /** B4: whoever consents, has records in the domain, and has room for `ask`; ascending. The others are left out silently. */
  async eligible(sql: Sql, { domain, usage, ask }: Pick<Reservation, 'domain' | 'usage' | 'ask'>, limit: bigint): Promise<Uint32Array> {
    const { home } = readingOf(domain);
    const all = await this.#atVersions(this.#entitled, home, usage, () => entitled(sql, home, usage));
    const charges = await this.#chargesOf(sql, usage, all);
    const most = limit - ask;
    const fitting = new Uint32Array(all.length);
    let count = 0;
    for (const number of all) if (charges[number]! <= most) fitting[count++] = number;
    return count === all.length ? all : fitting.slice(0, count);
  }
  /** The snapshot of the present versions; `cut` finds or makes it. */
  async snapshot(domain: string, usage: string, cut: () => Promise<CurrentSnapshot>): Promise<CurrentSnapshot> {
    const current = await this.#atVersions(this.#current, domain, usage, cut);
    this.#snapshots.set(current.snapshot.id, current.snapshot);
    if (this.#snapshots.size > MOST_SNAPSHOTS) this.#snapshots.delete(this.#snapshots.keys().next().value!);
    return current;
  }
  /** They are there no more. */
  forgetSnapshots(ids: readonly bigint[]): void {
    for (const id of ids) this.#snapshots.delete(id);
    for (const [reading, { value }] of this.#current) if (ids.includes(value.snapshot.id)) this.#current.delete(reading);
  }
  async snapshotById(sql: Sql, id: bigint): Promise<Snapshot> {
    return this.#snapshots.get(id) ?? snapshotById(sql, id);
  }

  /** A new one, which charges `set`. */
  async reserve(sql: Sql, reservation: Reservation, set: Uint32Array, time: number): Promise<void> {
    this.#add(reservation);
    this.#uses.add({ ...reservation, time });
    this.#turn(reservation, reservation.ask);
    await this.#charge(sql, reservation.usage, set, reservation.ask);
    this.#keep(reservation.id, set);
  }
  /** Who is charged by an open reservation, ascending. */
  async setOf(sql: Sql, id: bigint): Promise<Uint32Array> {
    return this.#sets.get(id) ?? this.#keep(id, await chargedNumbers(sql, id));
  }
  /** Another attempt, snapshot or receipt. */
  replace(reservation: Reservation): void {
    this.#reservations.set(reservation.task, reservation);
  }
  /** C2: `dropped` are charged no more, `left` still are. */
  async drop(sql: Sql, { id, usage, ask }: Reservation, dropped: Uint32Array, left: Uint32Array): Promise<void> {
    await this.#charge(sql, usage, dropped, -ask);
    this.#keep(id, left);
  }
  /** B2: the reservation becomes `used` spent; nothing when it is released. */
  async settle(sql: Sql, known: Reservation, state: 'committed' | 'released', used: bigint): Promise<void> {
    await this.#charge(sql, known.usage, await this.setOf(sql, known.id), used - known.ask);
    this.#turn(known, used - known.ask);
    this.#uses.settle(known.submitter, known.task, state);
    this.replace({ ...known, state, used });
    this.#forgetSet(known.id);
  }
  end(task: string): void {
    const known = this.#reservations.get(task);
    if (!known || known.state === 'reserved') return;
    this.#reservations.delete(task);
    this.#nonces.delete(nonceOf(known));
    this.#notePast(known);
    this.#outputs.delete(task);
  }
  /** For tests: how much of tasks is in mind. */
  get size(): number {
    return this.#reservations.size + this.#nonces.size + this.#outputs.size + this.#sets.size + this.#snapshots.size + this.#uses.size;
  }
  /** For tests: what subjects lost to a usage, by number. */
  async charges(sql: Sql, usage: string): Promise<ReadonlyMap<number, bigint>> {
    const charges = await this.#chargesOf(sql, usage, new Uint32Array());
    return new Map([...charges.entries()].filter(([, charge]) => charge !== 0n));
  }

  #add(reservation: Reservation): void {
    this.#reservations.set(reservation.task, reservation);
    this.#nonces.add(nonceOf(reservation));
  }
  #notePast(ended: Ended): void {
    this.#past.add(taskKey(ended.task));
    this.#past.add(nonceKey(nonceOf(ended)));
  }
  #turn({ usage, domain }: Pick<Reservation, 'domain'> & { readonly usage: string }, by: bigint): void {
    for (const name of domainsOf(domain)) this.#odometers.set(`${usage} ${name}`, this.odometer(usage, name) + by);
  }
  async #charge(sql: Sql, usage: string, set: Uint32Array, by: bigint): Promise<void> {
    if (by === 0n || !this.#charges.has(usage)) return;
    const charges = await this.#chargesOf(sql, usage, set);
    for (const number of set) charges[number] = BigInt.asIntN(64, charges[number]! + by);
  }
  /** With a place for each of `set`. */
  async #chargesOf(sql: Sql, usage: string, set: Uint32Array): Promise<BigInt64Array> {
    let charges = this.#charges.get(usage) ?? (await chargesOf(sql, usage));
    const wanted = (set.at(-1) ?? 0) + 1;
    if (charges.length < wanted) {
      const wider = new BigInt64Array(wanted);
      wider.set(charges);
      charges = wider;
    }
    this.#charges.set(usage, charges);
    return charges;
  }
  async #atVersions<T>(of: Map<string, AtVersions<T>>, domain: string, usage: string, make: () => Promise<T>): Promise<T> {
    // Versions only rise: their sum is the same where each is.
    const records = versionsRead(domain).reduce((sum, name) => sum + this.version(name), 0n);
    const consent = this.version(consentVersion(usage));
    const known = of.get(`${domain} ${usage}`);
    if (known?.records === records && known.consent === consent) return known.value;
    const value = await make();
    of.set(`${domain} ${usage}`, { records, consent, value });
    return value;
  }
  #keep(id: bigint, set: Uint32Array): Uint32Array {
    this.#forgetSet(id);
    this.#sets.set(id, set);
    this.#kept += set.length;
    for (const [oldest] of this.#sets) {
      if (this.#kept <= MOST_KEPT) break;
      this.#forgetSet(oldest);
    }
    return set;
  }
  #forgetSet(id: bigint): void {
    this.#kept -= this.#sets.get(id)?.length ?? 0;
    this.#sets.delete(id);
  }
}

const chargesOf = async (sql: Sql, usage: string): Promise<BigInt64Array> => {
  const [row] = await sql.rows('SELECT coalesce(max(id), 0)::BIGINT AS last FROM accounts');
  const charges = new BigInt64Array(Number(row!['last'] as bigint) + 1);
  await sql.sums('SELECT id::UINTEGER, (reserved + spent)::BIGINT FROM ledger WHERE usage = $usage', { usage }, (number, sum) => {
    charges[number] = sum;
  });
  return charges;
};
