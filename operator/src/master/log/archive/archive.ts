/**
 * The archive of one master (rule X1; docs/adr/0025-archive.md): old blocks leave the live file for files that are named by their content.
 * A file is whole and synced before the index names it, and the index names it in the transaction that drops the live rows: a crash leaves
 * a file too many at most, which the next start drops. What is damaged or was never here comes from a peer, by its certificates.
 */
import { certificateFault, type Committee } from '@scs/protocol';
import type { Disk, StoredBlock } from '../disk.ts';
import type { SqliteFile } from '../sqlite-file.ts';
import type { DeferredWrites } from '../waiting-writes.ts';
import { ArchiveError, type ArchivedRange, endsFile, packFile, unpackFile } from './archive-file.ts';
import { type ArchiveFigures, ArchiveIndex, type Heights } from './archive-index.ts';
import type { ArchiveStore } from './archive-store.ts';

/** Live blocks read at a time. */
const PAGE = 50;

export interface ArchiveOptions {
  readonly file: SqliteFile;
  readonly disk: Disk & DeferredWrites;
  readonly store: ArchiveStore;
  /** Hex digest of the genesis. */
  readonly genesis: string;
  readonly committee: Committee;
}

export class Archive {
  readonly #o: ArchiveOptions;
  readonly #index: ArchiveIndex;
  /** The file that was read last: readers go from block to block. */
  #last: { readonly name: string; readonly blocks: readonly StoredBlock[] } | undefined;

  constructor(options: ArchiveOptions) {
    this.#o = options;
    this.#index = new ArchiveIndex(options.file, options.disk);
  }

  figures(): ArchiveFigures {
    return this.#index.figures();
  }
  /** Lowest height of which the block is in the live file. */
  live(): bigint | undefined {
    return this.#index.live();
  }
  ranges(): readonly ArchivedRange[] {
    return this.#index.ranges();
  }
  /** Heights up to this one that are nowhere here, in order. */
  holes(upTo: bigint): readonly Heights[] {
    this.#o.disk.flush();
    return this.#index.holes(upTo);
  }

  /** The first heights from this one on that are nowhere here, though later ones are. */
  hole(from: bigint): Heights | undefined {
    return this.holes(this.#o.disk.last()?.height ?? 0n).find(({ last }) => last >= from);
  }

  /**
   * Moves one file's worth of the oldest live blocks, none above `upTo`; false when there is not that much. Rejects with DiskError, or with
   * ArchiveError when what is stored is not what was certified: then it stays where it is.
   */
  async move(upTo: bigint): Promise<boolean> {
    const blocks = this.#oldest(upTo);
    if (blocks.length === 0) return false;
    await this.#enter(blocks);
    return true;
  }
  /** Whole files only, unless the log breaks off below. */
  #oldest(upTo: bigint): readonly StoredBlock[] {
    const { disk } = this.#o;
    disk.flush();
    const blocks: StoredBlock[] = [];
    let bytes = 0;
    for (let height = this.#index.live() ?? upTo + 1n; height <= upTo; height += 1n) {
      const block = disk.block(height);
      if (!block) return blocks;
      blocks.push(block);
      bytes += block.bytes.length;
      if (endsFile(height, bytes)) return blocks;
    }
    return [];
  }
  async #enter(blocks: readonly StoredBlock[]): Promise<void> {
    const { genesis, store } = this.#o;
    const { range, content } = await packFile(genesis, blocks);
    await store.put(range.name, content);
    const back = await store.get(range.name); // what is dropped from the live file must be readable here
    if (!back || Buffer.compare(back, content) !== 0)
      throw new ArchiveError('ArchiveDamaged', `${range.name} is another right after it was written`);
    this.#index.enter(range);
  }

  /** Blocks of the range. Rejects with ArchiveError: its heights are then missing until `fill`. */
  async read(range: ArchivedRange): Promise<readonly StoredBlock[]> {
    const { name } = range;
    if (this.#last?.name === name) return this.#last.blocks;
    try {
      const blocks = await this.#unpacked(name);
      this.#last = { name, blocks };
      return blocks;
    } catch (error) {
      if (error instanceof ArchiveError) this.#index.forget(range);
      throw error;
    }
  }
  async #unpacked(name: string): Promise<readonly StoredBlock[]> {
    const { genesis, store } = this.#o;
    const content = await store.get(name);
    if (!content) throw new ArchiveError('ArchiveMissing', `${name} is missing`);
    return (await unpackFile(genesis, name, content)).blocks;
  }
  /** Reads the file of a range anew: its fault, if it has one. */
  async check(range: ArchivedRange): Promise<ArchiveError | undefined> {
    this.#last = undefined;
    try {
      await this.read(range);
      return undefined;
    } catch (error) {
      if (error instanceof ArchiveError) return error;
      throw error;
    }
  }

  /**
   * All blocks from a height on, from the archive and from the live file, as far as there is no hole. Rejects with ArchiveError at a file that
   * is not what it was.
   */
  async *blocks(from: bigint): AsyncGenerator<StoredBlock, void> {
    const { disk } = this.#o;
    for (let next = from; ;) {
      const range = this.#index.at(next);
      const page = range ? (await this.read(range)).filter(({ height }) => height >= next) : this.#live(next);
      for (const block of page) {
        yield block;
        next = block.height + 1n;
      }
      if (page.length === 0 && !this.#index.at(next)) return;
      disk.flush(); // what waits may be durable elsewhere only; nobody is shown it before (G4)
    }
  }
  #live(from: bigint): readonly StoredBlock[] {
    const { disk } = this.#o;
    disk.flush();
    const page = disk.blocks(from, PAGE);
    return page.filter(({ height }, i) => height === from + BigInt(i));
  }

  /** The block at a height, wherever it is; undefined when it is nowhere here. Rejects with ArchiveError. */
  async block(height: bigint): Promise<StoredBlock | undefined> {
    const range = this.#index.at(height);
    return range ? (await this.read(range)).find((block) => block.height === height) : this.#o.disk.block(height);
  }

  /**
   * Files that the index does not name, of a crash or beside a log's file that began anew: what is lacked of them is taken, what is here
   * already goes, what can't be read stays for people to look at. Files that are gone are missing from now on.
   */
  async reconcile(): Promise<{
    readonly adopted: readonly string[];
    readonly dropped: readonly string[];
    readonly missing: readonly string[];
  }> {
    const { store } = this.#o;
    const names = new Set(await store.names());
    const missing = this.ranges().filter(({ name }) => !names.has(name));
    for (const range of missing) this.#index.forget(range);
    const known = new Set(this.ranges().map(({ name }) => name));
    const adopted: string[] = [];
    const dropped: string[] = [];
    for (const name of names) {
      if (known.has(name)) continue;
      const fate = await this.#takeIn(name);
      if (fate === 'adopted') adopted.push(name);
      if (fate !== 'useless') continue;
      await store.drop(name);
      dropped.push(name);
    }
    return { adopted, dropped, missing: missing.map(({ name }) => name) };
  }
  async #takeIn(name: string): Promise<'adopted' | 'useless' | 'unreadable'> {
    const { store, disk, genesis } = this.#o;
    const content = await store.get(name);
    const file = content && (await unpackFile(genesis, name, content).catch(asUnreadable));
    if (!file || this.#fault(file.blocks)) return 'unreadable';
    const { first, last } = file.range;
    const lacked = this.holes(disk.last()?.height ?? 0n).some((hole) => hole.first <= first && last <= hole.last);
    if (lacked) this.#index.enter(file.range);
    return lacked ? 'adopted' : 'useless';
  }

  /**
   * Takes a file's worth of a hole, from its first height on, from somebody who is not believed: certificates prove the blocks. Gives why it
   * could not, if so. Rejects with DiskError, and with what `blocks` does.
   */
  async fill(hole: Heights, blocks: AsyncIterable<StoredBlock>): Promise<string | undefined> {
    const taken: StoredBlock[] = [];
    let bytes = 0;
    for await (const block of blocks) {
      const height = hole.first + BigInt(taken.length);
      if (block.height !== height) return `block ${block.height} came where ${height} was asked for`;
      const fault = this.#fault([block]); // one by one: what is no certificate may be of any size
      if (fault) return fault;
      taken.push(block);
      bytes += block.bytes.length;
      if (endsFile(height, bytes) || height === hole.last) break;
    }
    const end = taken.at(-1)?.height;
    if (end === undefined) return 'nothing came';
    if (end !== hole.last && !endsFile(end, bytes)) return `it ended after ${taken.length} blocks`; // no file for every block, whoever sends
    try {
      await this.#enter(taken);
      return undefined;
    } catch (error) {
      if (error instanceof ArchiveError) return error.message;
      throw error;
    }
  }
  #fault(blocks: readonly StoredBlock[]): string | undefined {
    const { genesis, committee } = this.#o;
    for (const { height, certificate } of blocks) {
      const fault = certificateFault(certificate, genesis, committee);
      if (fault) return `the certificate of block ${height} does not hold: ${fault.code}`;
    }
    return undefined;
  }
}

const asUnreadable = (error: unknown): undefined => {
  if (!(error instanceof ArchiveError)) throw error;
  return undefined;
};
