/**
 * A journal's copy in a folder, on a volume of its own (rule B8). Segment files of records are named by their first sequence. Each
 * append is flushed to the disk before it returns. A record that a crash cut short was never acknowledged and is cut off.
 */
import { open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { concat } from '@scs/protocol';
import { EMPTY, type JournalEntry, type JournalHead } from '../store/journal.ts';
import { JournalError, type EntrySeal, type JournalCopy } from './copy.ts';
import { firstOf, nameOf, recordOf, recordsOf } from './records.ts';

const SEGMENT_BYTES = 8 * 1024 * 1024;

interface Segment {
  readonly name: string;
  readonly first: bigint;
}
interface Place {
  readonly head: JournalHead;
  /** Undefined while the copy is empty. */
  readonly segment: string | undefined;
  readonly bytes: number;
}
const flush = async (path: string, bytes?: Uint8Array): Promise<void> => {
  const file = await open(path, bytes ? 'a' : 'r', 0o600);
  try {
    if (bytes) await file.appendFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
};

export class FolderCopy implements JournalCopy {
  readonly #folder: string;
  readonly #seal: EntrySeal;
  #place: Place | undefined;
  constructor(folder: string, seal: EntrySeal) {
    this.#folder = folder;
    this.#seal = seal;
  }

  async head(): Promise<JournalHead> {
    return (await this.#now()).head;
  }

  async append(after: JournalHead, entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const place = await this.#now();
    if (place.head.sequence !== after.sequence || place.head.head !== after.head)
      throw new JournalError('JournalMoved', `the journal's copy stands at ${place.head.sequence}, the Vault at ${after.sequence}`);
    const fresh = place.segment === undefined || place.bytes >= SEGMENT_BYTES;
    const segment = fresh ? nameOf(entries[0]!.sequence) : place.segment;
    const bytes = concat(...entries.map((entry) => recordOf(entry, this.#seal)));
    // Until it is known to be there whole, the next look reads the disk.
    this.#place = undefined;
    await this.#try(async () => {
      await flush(join(this.#folder, segment), bytes);
      if (fresh) await flush(this.#folder);
    });
    const { sequence, head } = entries.at(-1)!;
    this.#place = { head: { sequence, head }, segment, bytes: (fresh ? 0 : place.bytes) + bytes.length };
  }

  async *read(sequence: bigint): AsyncGenerator<JournalEntry, void> {
    const segments = await this.#try(() => this.#segments());
    for (const [i, { name }] of segments.entries()) {
      const next = segments[i + 1];
      if (next && next.first <= sequence + 1n) continue;
      const { records, whole } = recordsOf(await this.#try(() => readFile(join(this.#folder, name))));
      if (next && records.at(-1)?.sequence !== next.first - 1n)
        throw new JournalError('JournalDamaged', `segment ${name} of the journal's copy ends too early, after ${whole} bytes`);
      for (const { sealed, ...at } of records) if (at.sequence > sequence) yield this.#seal.open(at, sealed);
    }
  }

  /** What is remembered, if the disk still looks like it; another writer moves it. */
  async #now(): Promise<Place> {
    return this.#try(async () => {
      const last = (await this.#segments()).at(-1);
      if (!last) {
        if (this.#place?.segment !== undefined) throw new JournalError('JournalUnavailable', "the journal's copy has vanished");
        return (this.#place = { head: EMPTY, segment: undefined, bytes: 0 });
      }
      const path = join(this.#folder, last.name);
      const { size } = await stat(path);
      if (this.#place?.segment === last.name && this.#place.bytes === size) return this.#place;
      const { records, whole } = recordsOf(await readFile(path));
      if (whole < size) await truncate(path, whole);
      // Another process may have died before its flush.
      await flush(path);
      const end = records.at(-1);
      const head = end ? { sequence: end.sequence, head: end.head } : await this.#headBefore(last);
      return (this.#place = { head, segment: last.name, bytes: whole });
    });
  }
  async #headBefore({ first }: Segment): Promise<JournalHead> {
    let head: JournalHead = EMPTY;
    for (const { name, first: begins } of await this.#segments())
      if (begins < first) {
        const end = recordsOf(await readFile(join(this.#folder, name))).records.at(-1);
        if (end) head = { sequence: end.sequence, head: end.head };
      }
    return head;
  }
  async #segments(): Promise<readonly Segment[]> {
    return (await readdir(this.#folder)).toSorted().flatMap((name) => {
      const first = firstOf(name);
      return first === undefined ? [] : [{ name, first }];
    });
  }
  async #try<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof JournalError) throw error;
      throw new JournalError('JournalUnavailable', "the journal's copy can't be read or written; nothing takes effect without it", error);
    }
  }
}
