/** The Disk in one SQLite file: write-ahead log, `synchronous=FULL`, so a vote that was stored survives a power cut. */
import { decodeCanonical, encodeCanonical, type Certificate } from '@scs/protocol';
import { DiskError, type Disk, type StateChange, type StoredBlob, type StoredBlock, type StoredVote } from './disk.ts';
import { type DeferredWrites, type Waiting, WaitingWrites } from './waiting-writes.ts';
import { bytesOf, integerOf, type Row, SqliteFile, textOf } from './sqlite-file.ts';

export interface DiskOptions {
  /** Path, or `:memory:`. */
  readonly file: string;
  readonly genesis: string;
  readonly master: number;
}

const FORMAT = 1;
/** Heights below a decided one whose votes lose their blocks with it; votes are never further ahead than the pipeline. */
const VOTES_CLEARED = 16n;
/** Proofs kept against one master: one is enough to expel it, and a liar could make one at every height. */
const OFFENCES_MOST = 64;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS blocks (height INTEGER PRIMARY KEY, bytes BLOB NOT NULL, certificate BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS votes (generation INTEGER NOT NULL, height INTEGER NOT NULL, state_root TEXT NOT NULL, block TEXT NOT NULL,
    bytes BLOB, PRIMARY KEY (generation, height)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS blobs (task TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (task, name)) STRICT;
  CREATE TABLE IF NOT EXISTS offences (id INTEGER PRIMARY KEY, master INTEGER NOT NULL, height INTEGER NOT NULL, proof BLOB NOT NULL,
    UNIQUE (master, height)) STRICT;
`;

const blockOf = (row: Row): StoredBlock => ({
  height: integerOf(row, 'height'),
  bytes: bytesOf(row, 'bytes'),
  certificate: decodeCanonical(bytesOf(row, 'certificate')) as Certificate,
});

class SqliteDisk implements Disk, DeferredWrites {
  readonly #file: SqliteFile;
  readonly #waiting = new WaitingWrites();
  #defers = false;
  #votesBelow: bigint | undefined;
  #beforeClose: () => void = () => {};
  constructor(file: SqliteFile) {
    this.#file = file;
  }

  transaction(durable: boolean, work: () => void): void {
    this.#file.transaction(durable, work);
  }

  defer(beforeClose: () => void): void {
    this.#defers = true;
    this.#beforeClose = beforeClose;
  }
  waiting(): Waiting {
    return this.#waiting.size();
  }
  flush(): void {
    if (this.#waiting.isEmpty()) return;
    this.transaction(true, () => {
      for (const vote of this.#waiting.votes()) this.#storeVote(vote);
      for (const block of this.#waiting.blocks()) this.#storeBlock(block);
      for (const [key, value] of this.#waiting.changes()) this.#change(key, value);
    });
    this.#waiting.clear();
  }

  last(): StoredBlock | undefined {
    const waiting = this.#waiting.last();
    if (waiting) return waiting;
    const row = this.#file.get('SELECT * FROM blocks ORDER BY height DESC LIMIT 1');
    return row && blockOf(row);
  }
  block(height: bigint): StoredBlock | undefined {
    const waiting = this.#waiting.blockAt(height);
    if (waiting) return waiting;
    const row = this.#file.get('SELECT * FROM blocks WHERE height = ?', height);
    return row && blockOf(row);
  }
  blocks(from: bigint, limit: number): readonly StoredBlock[] {
    if (this.#waiting.blockAt(from)) return this.#waiting.blocksFrom(from, limit); // a peer a little behind: nothing else is asked for often
    this.flush();
    return this.#file.all('SELECT * FROM blocks WHERE height >= ? ORDER BY height LIMIT ?', from, limit).map(blockOf);
  }
  *entries(): Iterable<readonly [string, Uint8Array]> {
    this.flush();
    for (const row of this.#file.all('SELECT key, value FROM entries')) yield [textOf(row, 'key'), bytesOf(row, 'value')];
  }

  append(block: StoredBlock, changes: Iterable<StateChange>): void {
    if (this.#defers) return this.#waiting.add(block, changes);
    this.transaction(false, () => {
      this.#storeBlock(block);
      for (const [key, value] of changes) this.#change(key, value);
    });
  }
  #storeBlock({ height, bytes, certificate }: StoredBlock): void {
    this.#file.run('INSERT INTO blocks (height, bytes, certificate) VALUES (?, ?, ?)', height, bytes, encodeCanonical(certificate));
    const { generation } = certificate.head;
    const below = height - VOTES_CLEARED; // by the primary key: the table has a row for every block ever
    this.#file.run('UPDATE votes SET bytes = NULL WHERE generation = ? AND height > ? AND height <= ?', generation, below, height);
  }
  #change(key: string, value: Uint8Array | undefined): void {
    if (value)
      this.#file.run('INSERT INTO entries (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value);
    else this.#file.run('DELETE FROM entries WHERE key = ?', key);
  }
  truncate(first: bigint, last: bigint): void {
    this.flush();
    this.transaction(true, () => {
      this.#file.run('DELETE FROM blocks WHERE height >= ? AND height <= ?', first, last);
      this.#file.run('DELETE FROM votes WHERE height >= ? AND height <= ?', first, last);
      if (last > this.votesBelow()) this.#setAbout('votes-below', last);
    });
    this.#votesBelow = undefined;
  }
  votesBelow(): bigint {
    const row = this.#file.get("SELECT value FROM about WHERE key = 'votes-below'");
    return (this.#votesBelow ??= row ? BigInt(textOf(row, 'value')) : 0n);
  }
  wholeFrom(): bigint {
    this.flush();
    const row = this.#file.get(
      'SELECT max(height) AS height FROM blocks AS b WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE height = b.height - 1)',
    );
    return typeof row?.['height'] === 'bigint' ? row['height'] : 0n;
  }
  #setAbout(key: string, value: bigint): void {
    this.#file.run(
      'INSERT INTO about (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      key,
      value.toString(),
    );
  }
  replaceEntries(entries: Iterable<readonly [string, Uint8Array]>): void {
    this.flush();
    this.transaction(true, () => {
      this.#file.run('DELETE FROM entries');
      for (const [key, value] of entries) this.#change(key, value);
    });
  }

  vote(generation: bigint, height: bigint): StoredVote | undefined {
    const waiting = this.#waiting.voteAt(generation, height);
    if (waiting) return waiting;
    const row = this.#file.get('SELECT * FROM votes WHERE generation = ? AND height = ? AND bytes IS NOT NULL', generation, height);
    return row && { generation, height, stateRoot: textOf(row, 'state_root'), block: textOf(row, 'block'), bytes: bytesOf(row, 'bytes') };
  }
  storeVote(vote: StoredVote): void {
    if (this.#isStored(vote)) return;
    if (this.#defers) this.#waiting.vote(vote);
    else this.#storeVote(vote);
  }
  #isStored({ generation, height, stateRoot, block }: StoredVote): boolean {
    if (height <= this.votesBelow())
      throw new DiskError(
        'VoteExists',
        `votes up to height ${this.votesBelow()} are given and their blocks in the archive; not one more at ${height}`,
      );
    const known = this.#file.get('SELECT state_root, block FROM votes WHERE generation = ? AND height = ?', generation, height);
    if (known && (known['state_root'] !== stateRoot || known['block'] !== block))
      throw new DiskError('VoteExists', `a vote for another block is stored at generation ${generation}, height ${height}`);
    return known !== undefined;
  }
  #storeVote({ generation, height, stateRoot, block, bytes }: StoredVote): void {
    this.#file.run(
      'INSERT INTO votes (generation, height, state_root, block, bytes) VALUES (?, ?, ?, ?, ?)',
      generation,
      height,
      stateRoot,
      block,
      bytes,
    );
  }

  storeOffence({ master, height, proof }: { master: number; height: bigint; proof: Uint8Array }): void {
    this.#file.run(
      `INSERT OR IGNORE INTO offences (master, height, proof) SELECT ?1, ?2, ?3 WHERE (SELECT count(*) FROM offences WHERE master = ?1) < ${OFFENCES_MOST}`,
      master,
      height,
      proof,
    );
  }
  offences(): number {
    return Number(integerOf(this.#file.get('SELECT count(*) AS n FROM offences') ?? {}, 'n'));
  }

  offenceProofs(limit: number): readonly { readonly master: number; readonly proof: Uint8Array }[] {
    const rows = this.#file.all('SELECT master, proof FROM offences ORDER BY id LIMIT ?', limit);
    return rows.map((row) => ({ master: Number(integerOf(row, 'master')), proof: bytesOf(row, 'proof') }));
  }

  putBlob({ task, name, bytes }: StoredBlob): void {
    this.#file.run('INSERT OR REPLACE INTO blobs (task, name, bytes) VALUES (?, ?, ?)', task, name, bytes);
  }
  blob(task: string, name: string): Uint8Array | undefined {
    const row = this.#file.get('SELECT bytes FROM blobs WHERE task = ? AND name = ?', task, name);
    return row && bytesOf(row, 'bytes');
  }
  blobSizes(task: string): readonly { name: string; size: number }[] {
    const rows = this.#file.all('SELECT name, length(bytes) AS size FROM blobs WHERE task = ?', task);
    return rows.map((row) => ({ name: textOf(row, 'name'), size: Number(integerOf(row, 'size')) }));
  }
  blobTasks(): readonly string[] {
    return this.#file.all('SELECT DISTINCT task FROM blobs').map((row) => textOf(row, 'task'));
  }
  dropBlobs(task: string, prefix = ''): void {
    this.#file.run('DELETE FROM blobs WHERE task = ? AND substr(name, 1, length(?)) = ?', task, prefix, prefix);
  }

  close(): void {
    try {
      this.#beforeClose();
    } finally {
      this.#file.close();
    }
  }

  /** Refuses a file of another group, master or newer format; marks a new one as ours. */
  claim(genesis: string, master: number): void {
    this.#file.schema(SCHEMA);
    const about = new Map(this.#file.all('SELECT key, value FROM about').map((row) => [textOf(row, 'key'), textOf(row, 'value')]));
    const format = about.get('format');
    if (format !== undefined && Number(format) > FORMAT) throw new DiskError('DiskFormat', `${this.#file.path} has format ${format}`);
    for (const [key, mine] of Object.entries({ format: String(FORMAT), genesis, master: String(master) })) {
      const stored = about.get(key);
      if (stored === undefined) this.#file.run('INSERT INTO about (key, value) VALUES (?, ?)', key, mine);
      else if (stored !== mine) throw new DiskError('DiskForeign', `${this.#file.path} has ${key} ${stored}, this master ${mine}`);
    }
  }
}

/** The file, for whoever keeps tables of its own beside the Disk's: one write-ahead log orders them all. Throws DiskError. */
export const openMasterFile = ({
  file: path,
  genesis,
  master,
}: DiskOptions): { readonly disk: Disk & DeferredWrites; readonly file: SqliteFile } => {
  const file = new SqliteFile(path);
  try {
    const disk = new SqliteDisk(file);
    disk.claim(genesis, master);
    return { disk, file };
  } catch (error) {
    file.close();
    throw error;
  }
};

/** Opens or makes the file; it stays locked for this process. Throws DiskError. */
export const openDisk = (options: DiskOptions): Disk => openMasterFile(options).disk;
