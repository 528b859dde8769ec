/** Which heights are in the archive, in the same SQLite file as the live log, so that rows go in the transaction that says where they are (X1). */
import type { Disk } from '../disk.ts';
import type { DeferredWrites } from '../waiting-writes.ts';
import { integerOf, type Row, type SqliteFile, textOf } from '../sqlite-file.ts';
import type { ArchivedRange } from './archive-file.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS archive (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
    parent TEXT NOT NULL, head TEXT NOT NULL) STRICT;
`;
const rangeOf = (row: Row): ArchivedRange => ({
  first: integerOf(row, 'first'),
  last: integerOf(row, 'last'),
  name: textOf(row, 'name'),
  size: Number(integerOf(row, 'size')),
  parent: textOf(row, 'parent'),
  head: textOf(row, 'head'),
});

/** Heights from `first` to `last`, both included. */
export interface Heights {
  readonly first: bigint;
  readonly last: bigint;
}
export interface ArchiveFigures {
  readonly files: number;
  readonly bytes: number;
  readonly blocks: number;
  /** The highest height in it; 0 when it is empty. */
  readonly last: bigint;
}

export class ArchiveIndex {
  readonly #file: SqliteFile;
  readonly #disk: Disk & DeferredWrites;
  constructor(file: SqliteFile, disk: Disk & DeferredWrites) {
    this.#file = file;
    this.#disk = disk;
    file.schema(SCHEMA);
  }

  ranges(): readonly ArchivedRange[] {
    return this.#file.all('SELECT * FROM archive ORDER BY first').map(rangeOf);
  }
  /** The range with this height. */
  at(height: bigint): ArchivedRange | undefined {
    const row = this.#file.get('SELECT * FROM archive WHERE first <= ? ORDER BY first DESC LIMIT 1', height);
    const range = row && rangeOf(row);
    return range && range.last >= height ? range : undefined;
  }
  /** The range that begins next, from this height on. */
  from(height: bigint): ArchivedRange | undefined {
    const row = this.#file.get('SELECT * FROM archive WHERE first >= ? ORDER BY first LIMIT 1', height);
    return row && rangeOf(row);
  }
  /** The lowest height of which the block is in the live file. */
  live(): bigint | undefined {
    const row = this.#file.get('SELECT min(height) AS height FROM blocks');
    return typeof row?.['height'] === 'bigint' ? row['height'] : undefined;
  }
  liveFrom(height: bigint): bigint | undefined {
    const row = this.#file.get('SELECT min(height) AS height FROM blocks WHERE height >= ?', height);
    return typeof row?.['height'] === 'bigint' ? row['height'] : undefined;
  }
  figures(): ArchiveFigures {
    const row = this.#file.get(
      'SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes, coalesce(sum(last - first + 1), 0) AS blocks, coalesce(max(last), 0) AS last FROM archive',
    )!;
    const count = (column: string): number => Number(integerOf(row, column));
    return { files: count('files'), bytes: count('bytes'), blocks: count('blocks'), last: integerOf(row, 'last') };
  }

  /** The file is on its disk: from now on the archive answers for these heights, and the live rows are gone. Durable. Throws DiskError. */
  enter(range: ArchivedRange): void {
    const { first, last, name, size, parent, head } = range;
    this.#disk.flush();
    this.#file.transaction(true, () => {
      this.#file.run('DELETE FROM archive WHERE first >= ? AND first <= ?', first, last);
      this.#file.run(
        'INSERT INTO archive (first, last, name, size, parent, head) VALUES (?, ?, ?, ?, ?, ?)',
        first,
        last,
        name,
        size,
        parent,
        head,
      );
      this.#disk.truncate(first, last);
    });
  }
  /** The file is gone or damaged: these heights are missing until somebody gives them. Throws DiskError. */
  forget({ first }: ArchivedRange): void {
    this.#file.run('DELETE FROM archive WHERE first = ?', first);
  }

  /** Heights below `upTo` that are neither in the archive nor in the live file: what a master that began with a snapshot lacks. */
  holes(upTo: bigint): readonly Heights[] {
    const holes: Heights[] = [];
    let next = 1n;
    while (next <= upTo) {
      const range = this.at(next);
      if (range) {
        next = range.last + 1n;
        continue;
      }
      const run = this.#liveRun(next);
      if (run !== undefined) {
        next = run + 1n;
        continue;
      }
      const ends = [this.from(next)?.first, this.liveFrom(next), upTo + 1n].filter((h) => h !== undefined);
      const end = ends.reduce((a, b) => (b < a ? b : a));
      holes.push({ first: next, last: end - 1n });
      next = end;
    }
    return holes;
  }
  /** The last height of the unbroken run of live blocks from this one on; undefined when it is not live. */
  #liveRun(from: bigint): bigint | undefined {
    if (this.liveFrom(from) !== from) return undefined;
    const row = this.#file.get(
      'SELECT min(height) AS height FROM blocks AS b WHERE height >= ? AND NOT EXISTS (SELECT 1 FROM blocks WHERE height = b.height + 1)',
      from,
    );
    return row && integerOf(row, 'height');
  }
}
