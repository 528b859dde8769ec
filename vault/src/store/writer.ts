/**
 * The durable steps of a Vault, in the order in which they are asked for. Steps of tasks that wait together are one transaction, so that
 * one flush of the disk serves them all; whatever else writes has a transaction of its own. Behind the journal's copy a transaction
 * catches up first, and its entries are in the copy before it commits (B8).
 */
import type { JournalCopy } from '../journal/copy.ts';
import { catchUp } from '../journal/keep-up.ts';
import { Book } from './book.ts';
import { StoreError, type Database, type Sql } from './database.ts';
import { entryAfter, journalAfter, journalHead, journalRow, type JournalEntry, type JournalHead, type JournalKind } from './journal.ts';
import { Busy, Mutex } from './mutex.ts';
import { Outbox } from './outbox.ts';

/** What a step of a task works with; `book` and `out` follow all that it writes. */
export interface Hand {
  readonly sql: Sql;
  readonly book: Book;
  readonly out: Outbox;
  /** Adds an entry to the journal. */
  readonly journal: (kind: JournalKind, content: object) => void;
}
export interface WriterOptions {
  readonly database: Database;
  readonly copy: JournalCopy | undefined;
  readonly recordTables: () => readonly string[];
  readonly onDuration?: ((step: string, ms: number) => void) | undefined;
  readonly onBroken?: (() => void) | undefined;
  readonly onStep?: ((step: string) => void) | undefined;
}
interface Waiting {
  readonly name: string;
  readonly run: (hand: Hand) => Promise<void>;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** Steps that leave reservations and charges as they are. */
const KEEPING: ReadonlySet<string> = new Set(['look', 'consent', 'erase', 'key', 'activate', 'import records', 'import consents']);
const MOST_TOGETHER = 256;
const MOST_WAITING = 10_000;

export class Writer {
  readonly #o: WriterOptions;
  /** Around the transaction and what the book learns of its end. */
  readonly #turns = new Mutex();
  #book: Book | undefined;
  #bookIsBehind = false;
  #head: JournalHead | undefined;
  /** Waits for its turn, and may still grow. */
  #open: Waiting[] | undefined;
  #waiting = 0;
  constructor(options: WriterOptions) {
    this.#o = options;
  }

  /** The journal's head as it was last committed; undefined when it is to be looked up. */
  get head(): JournalHead | undefined {
    return this.#head;
  }

  /** A transaction of its own. Throws StoreError, JournalError, Busy, and what `work` throws. */
  alone<T>(step: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    const { copy, recordTables, onStep } = this.#o;
    // What is asked for from now on comes after it.
    this.#open = undefined;
    return this.#timed(step, async () => {
      onStep?.(`${step}:before`);
      const result = await this.#turn(async (sql) => {
        const ours = copy && (await journalHead(sql));
        const before = copy && ours && (await catchUp(sql, copy, recordTables(), ours));
        const value = await work(sql);
        if (copy && before) await copy.append(before, await journalAfter(sql, before.sequence));
        if (before?.sequence !== ours?.sequence || !KEEPING.has(step)) this.#book = undefined;
        this.#bookIsBehind = true;
        onStep?.(`${step}:uncommitted`);
        return value;
      });
      onStep?.(`${step}:after`);
      return result;
    });
  }

  /** A task's step, with those that wait beside it. Throws as `alone` does. */
  together<T>(step: string, work: (hand: Hand) => Promise<T>): Promise<T> {
    return this.#timed(step, async () => {
      if (this.#waiting >= MOST_WAITING) throw new Busy(this.#waiting);
      this.#o.onStep?.(`${step}:before`);
      this.#waiting++;
      try {
        return await new Promise<T>((resolve, reject) => {
          let value: T;
          const run = async (hand: Hand): Promise<void> => void (value = await work(hand));
          this.#enter({ name: step, run, done: () => resolve(value), fail: reject });
        });
      } finally {
        this.#waiting--;
      }
    });
  }

  /** For tests: the book as it is between two steps. */
  look<T>(work: (book: Book, sql: Sql) => Promise<T>): Promise<T> {
    return this.together('look', ({ book, sql }) => work(book, sql));
  }

  /** A transaction of its own that the journal says nothing of. `work` says whether it changed what the book knows. Throws StoreError. */
  keeping(step: string, work: (sql: Sql) => Promise<boolean>): Promise<void> {
    this.#open = undefined;
    return this.#timed(step, () =>
      this.#turn(async (sql) => {
        if (await work(sql)) this.#book = undefined;
      }),
    );
  }

  #enter(waiting: Waiting): void {
    if (this.#open && this.#open.length < MOST_TOGETHER) return void this.#open.push(waiting);
    this.#begin([waiting]);
  }
  #begin(group: Waiting[]): void {
    this.#open = group;
    void this.#commit(group);
  }
  /** Never rejects: each of the group is told. */
  async #commit(group: readonly Waiting[]): Promise<void> {
    let faulty: Waiting | undefined;
    try {
      await this.#turn(async (sql) => {
        if (this.#open === group) this.#open = undefined;
        await this.#transact(sql, group, (waiting) => (faulty = waiting));
      });
    } catch (error) {
      if (this.#open === group) this.#open = undefined;
      if (!faulty) return group.forEach(({ fail }) => fail(error));
      faulty.fail(error);
      const others = group.filter((waiting) => waiting !== faulty);
      if (others.length > 0) await this.#commit(others);
      return;
    }
    for (const { name, done, fail } of group)
      try {
        this.#o.onStep?.(`${name}:after`);
        done();
      } catch (error) {
        fail(error);
      }
  }

  async #transact(sql: Sql, group: readonly Waiting[], blame: (waiting: Waiting | undefined) => void): Promise<void> {
    const { copy, recordTables, onStep } = this.#o;
    let book = await this.#readBook(sql);
    const before = copy && (await catchUp(sql, copy, recordTables(), book.head));
    if (before && before.sequence !== book.head.sequence) book = this.#book = await Book.read(sql);
    const entries: JournalEntry[] = [];
    const out = new Outbox(sql);
    const journal = (kind: JournalKind, content: object): void => {
      const entry = entryAfter(book.head, kind, content);
      book.head = headOf(entry);
      entries.push(entry);
      out.add('journal', journalRow(entry, kind));
    };
    for (const waiting of group) {
      blame(waiting);
      await waiting.run({ sql, book, out, journal });
    }
    blame(undefined);
    await out.flush();
    if (copy && before) await copy.append(before, entries);
    for (const { name } of group) onStep?.(`${name}:uncommitted`);
  }
  /** One transaction; the book is thrown away when it fails. */
  #turn<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      try {
        const result = await this.#o.database.write(work);
        this.#head = this.#bookIsBehind ? undefined : this.#book?.head;
        return result;
      } catch (error) {
        this.#book = this.#head = undefined;
        throw error;
      }
    });
  }
  async #readBook(sql: Sql): Promise<Book> {
    if (this.#book && this.#bookIsBehind) await this.#book.catchUp(sql);
    this.#book ??= await Book.read(sql);
    this.#bookIsBehind = false;
    return this.#book;
  }

  async #timed<T>(step: string, work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoreError && error.code === 'StoreBroken') this.#o.onBroken?.();
      throw error;
    } finally {
      this.#o.onDuration?.(step, performance.now() - begun);
    }
  }
}
const headOf = ({ sequence, head }: JournalEntry): JournalHead => ({ sequence, head });
