/**
 * A journal's copy in a bucket (rule B8): one object an append, named by the first sequence in it, put only where nothing is yet. So
 * two Vaults on one bucket can't both write the same sequence: the second is refused, and catches up.
 */
import { concat } from '@scs/protocol';
import { CloudError } from '../cloud/aws.ts';
import type { S3Bucket } from '../cloud/s3.ts';
import { EMPTY, type JournalEntry, type JournalHead } from '../store/journal.ts';
import { JournalError, type EntrySeal, type JournalCopy } from './copy.ts';
import { firstOf, nameOf, recordOf, recordsOf, type RawRecord } from './records.ts';

const FOLDER = 'journal/';
const MAX_OBJECT_BYTES = 1024 ** 3;

interface Place {
  readonly head: JournalHead;
  /** First sequence of the last object. */
  readonly first: bigint;
}

export class S3Copy implements JournalCopy {
  readonly #bucket: S3Bucket;
  readonly #seal: EntrySeal;
  #place: Place | undefined;
  constructor(bucket: S3Bucket, seal: EntrySeal) {
    this.#bucket = bucket;
    this.#seal = seal;
  }

  async head(): Promise<JournalHead> {
    return this.#try(async () => {
      const known = this.#place;
      // The last one known is listed again: were it gone, the copy would be another.
      const listed = await this.#objects(known && known.first - 1n);
      const last = listed.at(-1);
      if (known && listed[0] !== known.first) throw new JournalError('JournalUnavailable', "the journal's copy has vanished");
      if (last === undefined) return EMPTY;
      if (last !== known?.first) {
        const { sequence, head } = (await this.#records(last)).at(-1)!;
        this.#place = { head: { sequence, head }, first: last };
      }
      return this.#place!.head;
    });
  }

  async append(after: JournalHead, entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const now = await this.head();
    if (now.sequence !== after.sequence || now.head !== after.head) throw moved(now, after);
    const [first, last] = [entries[0]!.sequence, entries.at(-1)!];
    // Until it is known to be there, the next look asks the bucket.
    this.#place = undefined;
    await this.#try(async () => {
      const body = Uint8Array.from(concat(...entries.map((entry) => recordOf(entry, this.#seal))));
      await this.#bucket.putNew(FOLDER + nameOf(first), body).catch((error: unknown) => {
        throw error instanceof CloudError && error.code === 'CloudConflict' ? moved(now, after) : error;
      });
    });
    this.#place = { head: { sequence: last.sequence, head: last.head }, first };
  }

  async *read(sequence: bigint): AsyncGenerator<JournalEntry, void> {
    const objects = await this.#try(() => this.#objects());
    for (const [i, first] of objects.entries()) {
      const next = objects[i + 1];
      if (next !== undefined && next <= sequence + 1n) continue;
      const records = await this.#try(() => this.#records(first));
      for (const { sealed, ...at } of records) if (at.sequence > sequence) yield this.#seal.open(at, sealed);
    }
  }

  /** First sequences of the objects, from behind one. */
  async #objects(after?: bigint): Promise<readonly bigint[]> {
    const found: bigint[] = [];
    const from = after === undefined ? '' : FOLDER + nameOf(after);
    for await (const { name } of this.#bucket.list(FOLDER, from)) {
      const first = firstOf(name.slice(FOLDER.length));
      if (first !== undefined) found.push(first);
    }
    return found;
  }
  /** At least one. */
  async #records(first: bigint): Promise<readonly RawRecord[]> {
    const bytes = Buffer.from(await this.#bucket.get(FOLDER + nameOf(first), MAX_OBJECT_BYTES));
    const { records, whole } = recordsOf(bytes);
    if (records[0]?.sequence !== first || whole !== bytes.length)
      throw new JournalError('JournalDamaged', `object ${nameOf(first)} of the journal's copy is not what was stored`);
    return records;
  }
  async #try<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof JournalError) throw error;
      throw new JournalError('JournalUnavailable', "the journal's bucket can't be read or written; nothing takes effect without it", error);
    }
  }
}

const moved = (there: JournalHead, here: JournalHead): JournalError =>
  new JournalError('JournalMoved', `the journal's copy stands at ${there.sequence} or further, the Vault at ${here.sequence}`);
