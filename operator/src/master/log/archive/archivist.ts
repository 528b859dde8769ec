/** Keeps the archive: moves what is old, fetches what is missing, looks again at what is there (rule X1). Never hurries, never ends the master. */
import type { Clock } from '../../../kube/clock.ts';
import { errorFields, type Logger } from '../../../kube/logger.ts';
import { DiskError, type StoredBlock } from '../disk.ts';
import type { Archive } from './archive.ts';
import type { Heights } from './archive-index.ts';

/** Another master, which may have blocks that are missing here. */
export interface HistoryPeer {
  readonly index: number;
  /** Blocks from a height on, some of them; rejects when it is away or has none. */
  history(from: bigint, signal: AbortSignal): AsyncIterable<StoredBlock>;
}
export interface ArchivistOptions {
  readonly archive: Archive;
  readonly peers: readonly HistoryPeer[];
  /** Blocks up to this height may go into the archive: nobody is sent one of them any more. */
  readonly upTo: () => bigint;
  /** Height of the last decided block. */
  readonly height: () => bigint;
  readonly clock: Clock;
  readonly logger: Logger;
}

const EVERY_MS = 5_000;
/** A file is looked at again in every so many turns: a minute's time. */
const TURNS_A_CHECK = 12;
const FILES_A_TURN = 8;
const PEER_MS = 30_000;

export class Archivist {
  readonly #o: ArchivistOptions;
  #turns = 0;
  /** First height of the file that was looked at last. */
  #checked = 0n;
  #reconciled = false;
  /** Which hole is tried next, and whom it asks. */
  #tries = 0;
  #missing = 0;

  constructor(options: ArchivistOptions) {
    this.#o = options;
  }

  /** Blocks that are nowhere here, as of the last turn. */
  missing(): number {
    return this.#missing;
  }
  /** Until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#o;
    while (!signal.aborted) {
      await clock.sleep(EVERY_MS, signal);
      if (signal.aborted) return;
      try {
        await this.turn(signal);
      } catch (error) {
        const code = error instanceof DiskError || (error instanceof Error && 'code' in error) ? { code: error.code } : {};
        logger.error({ ...code, ...errorFields(error) }, 'the archive could not be kept; the log stays as it is');
      }
    }
  }

  /** One look at everything. Rejects with DiskError or ArchiveError. */
  async turn(signal: AbortSignal): Promise<void> {
    const { archive, height } = this.#o;
    if (!this.#reconciled) await this.#reconcile();
    for (let files = 0; files < FILES_A_TURN && !signal.aborted; files += 1) if (!(await archive.move(this.#o.upTo()))) break;
    this.#turns += 1;
    if (this.#turns % TURNS_A_CHECK === 0) await this.#lookAgain();
    let holes = archive.holes(height());
    for (let files = 0; files < FILES_A_TURN && !signal.aborted && (await this.#fetch(holes, signal)); files += 1)
      holes = archive.holes(height());
    this.#missing = holes.reduce((sum, { first, last }) => sum + Number(last - first) + 1, 0);
  }

  async #reconcile(): Promise<void> {
    const found = await this.#o.archive.reconcile();
    this.#reconciled = true;
    for (const name of found.missing) this.#tell('ArchiveMissing', name);
    if (found.adopted.length + found.dropped.length > 0) this.#o.logger.info(found, 'files of the archive that the log did not name');
  }
  #tell(code: string, detail: string): void {
    this.#o.logger.warn({ code }, `the archive lacks a file, and asks the other masters for it: ${detail}`);
  }

  /** One file after the other, round and round. */
  async #lookAgain(): Promise<void> {
    const ranges = this.#o.archive.ranges();
    const next = ranges.find(({ first }) => first > this.#checked) ?? ranges[0];
    if (!next) return;
    this.#checked = next.first;
    const fault = await this.#o.archive.check(next);
    if (fault) this.#tell(fault.code, fault.message);
  }

  /** One file's worth of one hole from one peer; true when it came. */
  async #fetch(holes: readonly Heights[], signal: AbortSignal): Promise<boolean> {
    const { peers, logger } = this.#o;
    const peer = peers[this.#tries % Math.max(1, peers.length)];
    const hole = holes[Math.floor(this.#tries / Math.max(1, peers.length)) % Math.max(1, holes.length)];
    if (!peer || !hole) return false;
    const why = await this.#ask(peer, hole, signal).catch((error: unknown) => {
      if (error instanceof DiskError) throw error;
      return error instanceof Error ? error.message : String(error);
    });
    if (why === undefined) return true;
    this.#tries += 1;
    logger.info({ from: peer.index, height: Number(hole.first), why }, 'blocks that are missing here did not come from that master');
    return false;
  }
  #ask(peer: HistoryPeer, hole: Heights, signal: AbortSignal): Promise<string | undefined> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PEER_MS)]);
    return this.#o.archive.fill(hole, peer.history(hole.first, limit));
  }
}
