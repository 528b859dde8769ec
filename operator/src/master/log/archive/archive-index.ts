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
  /** The lowest height of which the block is in the live file. */
  live(): bigint | undefined {
    return this.#liveFrom(1n);
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

  /** Heights up to this one that are neither in the archive nor in the live file: what a master that began with a snapshot lacks. */
  holes(upTo: bigint): readonly Heights[] {
    const holes: Heights[] = [];
    let next = 1n;
    for (const { first, last } of [...this.ranges(), { first: upTo + 1n, last: upTo }]) {
      if (next < first && next <= upTo) holes.push(...this.#notLive({ first: next, last: first - 1n < upTo ? first - 1n : upTo }));
      if (last >= next) next = last + 1n;
    }
    return holes;
  }
  #notLive({ first, last }: Heights): readonly Heights[] {
    const holes: Heights[] = [];
    for (let next = first; next <= last;) {
      const live = this.#liveFrom(next) ?? last + 1n;
      if (live > next) holes.push({ first: next, last: live - 1n < last ? live - 1n : last });
      next = live > last ? live : this.#liveRun(live) + 1n;
    }
    return holes;
  }
  #liveFrom(height: bigint): bigint | undefined {
    const row = this.#file.get('SELECT min(height) AS height FROM blocks WHERE height >= ?', height);
    return typeof row?.['height'] === 'bigint' ? row['height'] : undefined;
  }
  /** The last height of the unbroken run of live blocks from this one on. */
  #liveRun(from: bigint): bigint {
    const row = this.#file.get(
      'SELECT min(height) AS height FROM blocks AS b WHERE height >= ? AND NOT EXISTS (SELECT 1 FROM blocks WHERE height = b.height + 1)',
      from,
    );
    return integerOf(row ?? {}, 'height');
  }
}
