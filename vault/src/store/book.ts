/**
 * What the one writer remembers of the database, so that a task's step needs no statement to look around: reservations, what is left to
 * each subject, versions, the journal's head. The database is the authority: a book is read from it, follows within the transaction
 * what the step writes, and is thrown away when a transaction fails. Amounts are micro-rho.
 */
import { isLost } from '../journal/replay.ts';
import type { Sql } from './database.ts';
import { journalHead, type JournalHead } from './journal.ts';
import { chargedNumbers, entitled } from './ledger.ts';
import type { Use } from './quotas.ts';
import { domainsOf, readingOf, versionsRead } from './reading.ts';
import { reservationOf, type Reservation } from './reservations.ts';
import { snapshotById, type CurrentSnapshot, type Snapshot } from './snapshots.ts';
import { consentVersion, versions } from './subjects.ts';

/** Numbers of subjects in the sets that are kept; 4 bytes each. */
const MOST_KEPT = 16_000_000;
/** Numbers taken from the database's sequence at a time. */
const NUMBERS = 64;

interface AtVersions<T> {
  readonly records: bigint;
  readonly consent: bigint;
  readonly value: T;
}

export class Book {
  #head: JournalHead;
  #versions: ReadonlyMap<string, bigint>;
  readonly lost: boolean;
  readonly #reservations = new Map<string, Reservation>();
  /** Task by submitter and nonce (N5). */
  readonly #nonces = new Map<string, string>();
  /** Of reservations that were asked for with a time: by task, and tasks by submitter. */
  readonly #times = new Map<string, number>();
  readonly #tasksOf = new Map<string, string[]>();
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

  private constructor(head: JournalHead, versions: ReadonlyMap<string, bigint>, lost: boolean) {
    this.#head = head;
    this.#versions = versions;
    this.lost = lost;
  }

  static async read(sql: Sql): Promise<Book> {
    const book = new Book(await journalHead(sql), await versions(sql), await isLost(sql));
    // What ended is known for its nonce and its charge: its receipt stays in the database.
    const rows = await sql.rows(
      `SELECT r.* REPLACE (CASE WHEN r.ended THEN ''::BLOB ELSE r.receipt END AS receipt), q.time AS asked_at, f.id IS NOT NULL AS former, o.task IS NOT NULL AS stored
         FROM reservations r LEFT JOIN quota_uses q ON q.task = r.task LEFT JOIN (SELECT DISTINCT id FROM former_reservations) f ON f.id = r.id
           LEFT JOIN (SELECT task FROM outputs) o ON o.task = r.task ORDER BY r.id`,
    );
    for (const row of rows) {
      const time = row['asked_at'] as bigint | null;
      book.#add(reservationOf(row), time === null ? undefined : Number(time), row['former'] === true);
      if (row['stored'] === true) book.#outputs.add(String(row['task']));
    }
    return book;
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
  reservation(task: string): Reservation | undefined {
    return this.#reservations.get(task);
  }
  /** N5: does another task of the submitter have the nonce? */
  isTaken(submitter: string, nonce: string): boolean {
    return this.#nonces.has(`${submitter} ${nonce}`);
  }
  uses(submitter: string): readonly Use[] {
    return (this.#tasksOf.get(submitter) ?? []).map((task) => ({ ...this.#reservations.get(task)!, time: this.#times.get(task)! }));
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
    return current;
  }
  async snapshotById(sql: Sql, id: bigint): Promise<Snapshot> {
    return this.#snapshots.get(id) ?? snapshotById(sql, id);
  }

  /** A new one, which charges `set`. */
  async reserve(sql: Sql, reservation: Reservation, set: Uint32Array, time: number): Promise<void> {
    this.#add(reservation, time, false);
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
    this.replace({ ...known, state, used });
    this.#forgetSet(known.id);
  }
  end(task: string): void {
    const known = this.#reservations.get(task);
    if (!known || known.state === 'reserved') return;
    this.replace({ ...known, ended: true, receipt: new Uint8Array() });
    this.#outputs.delete(task);
    this.#snapshots.delete(known.snapshot);
  }
  /** For tests: what subjects lost to a usage, by number. */
  async charges(sql: Sql, usage: string): Promise<ReadonlyMap<number, bigint>> {
    const charges = await this.#chargesOf(sql, usage, new Uint32Array());
    return new Map([...charges.entries()].filter(([, charge]) => charge !== 0n));
  }

  #add(reservation: Reservation, time: number | undefined, former: boolean): void {
    const { task, submitter, nonce, state, ask, used } = reservation;
    this.#reservations.set(task, reservation);
    this.#nonces.set(`${submitter} ${nonce}`, task);
    if (time !== undefined) {
      this.#times.set(task, time);
      const tasks = this.#tasksOf.get(submitter) ?? [];
      tasks.push(task);
      this.#tasksOf.set(submitter, tasks);
    }
    if (former || state === 'released') return;
    this.#turn(reservation, state === 'reserved' ? ask : used);
  }
  #turn({ usage, domain }: Reservation, by: bigint): void {
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
