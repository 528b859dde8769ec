/**
 * The agreement's write-ahead log (rules N2, G4; docs/adr/0022-agreement-journal.md): records in the order they were added, in one file
 * that is appended to. What waits is written as one frame and synced once, beside the event loop; while the disk works, the next frame
 * gathers. Records that are no promise wait for one that is. After a crash there is a prefix of what was added, with all that was said to
 * be durable.
 */
import { closeSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DiskError } from '../../../log/disk.ts';
import { encodeFrame, MOST_PAYLOAD } from './frame.ts';
import { asDiskError, guardedIo, type JournalIo, realIo, writeAll } from './io.ts';
import { freshId, makeSegment, openSegment, removeSegment, syncFolder, type Segment } from './segment.ts';

export interface Journal {
  /** Place of the last of these records, 1 for the first record ever added by this process. Throws DiskError once the disk has failed. */
  add(records: readonly Uint8Array[], promise: boolean): number;
  /** All records up to this place are durable. */
  durable(): number;
  /** Told whenever `durable` has moved, or why it never will. */
  listen(listener: (fault?: DiskError) => void): void;
  /** All that was added is durable when this returns. Throws DiskError. */
  syncNow(): void;
  /** Bytes of the file. */
  size(): number;
  /** Begins a new file with these records in place of everything that was added so far. Throws DiskError. */
  restart(records: readonly Uint8Array[]): void;
  close(): void;
}
/** A record's length is before it. */
const LENGTH_BYTES = 4;

/** As few payloads as hold these records, in order. A record alone may not be larger than a frame. */
const packed = (records: readonly Uint8Array[]): Buffer[] => {
  const payloads: Buffer[] = [];
  let parts: Uint8Array[] = [];
  let size = 0;
  for (const record of records) {
    const length = LENGTH_BYTES + record.length;
    if (length > MOST_PAYLOAD) throw new RangeError(`a record of ${record.length} bytes does not fit into a frame`);
    if (size + length > MOST_PAYLOAD) {
      payloads.push(Buffer.concat(parts, size));
      parts = [];
      size = 0;
    }
    const before = Buffer.alloc(LENGTH_BYTES);
    before.writeUInt32BE(record.length);
    parts.push(before, record);
    size += length;
  }
  if (size > 0) payloads.push(Buffer.concat(parts, size));
  return payloads;
};
const unpacked = function* (payload: Buffer): Iterable<Uint8Array> {
  for (let at = 0; at < payload.length;) {
    const from = at + LENGTH_BYTES;
    at = from + payload.readUInt32BE(at);
    yield payload.subarray(from, at);
  }
};

class FileJournal implements Journal {
  readonly #io: JournalIo;
  readonly #folder: string;
  #segment: Segment;
  #waiting: Uint8Array[] = [];
  /** The last frame, until its sync has ended. */
  #unsynced: { readonly frame: Uint8Array; readonly at: number } | undefined;
  #added = 0;
  #durable = 0;
  /** Place of the last promise. */
  #promised = 0;
  /** The sync under way; never rejects. */
  #flight: Promise<void> | undefined;
  #fault: DiskError | undefined;
  #closed = false;
  #listener: (fault?: DiskError) => void = () => {};

  constructor(io: JournalIo, folder: string, segment: Segment) {
    this.#io = io;
    this.#folder = folder;
    this.#segment = segment;
  }

  add(records: readonly Uint8Array[], promise: boolean): number {
    this.#mayGoOn();
    this.#waiting.push(...records);
    this.#added += records.length;
    if (promise) this.#promised = this.#added;
    this.#writeNext();
    return this.#added;
  }
  durable(): number {
    return this.#durable;
  }
  listen(listener: (fault?: DiskError) => void): void {
    this.#listener = listener;
  }
  size(): number {
    return this.#segment.size;
  }

  /** One frame at a time: only the last may be torn. */
  #writeNext(): void {
    if (this.#flight || this.#fault || this.#closed || this.#promised <= this.#durable) return;
    const segment = this.#segment;
    let upTo: number;
    try {
      upTo = this.#write();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#flight = this.#io.sync(segment.fd).then(
      () => this.#landed(segment, () => this.#reached(upTo)),
      (error: unknown) => this.#landed(segment, () => this.#fail(error)),
    );
  }
  /** Writes what fits into a frame; the place of the last record in it. */
  #write(): number {
    const segment = this.#segment;
    let [count, size] = [0, 0];
    for (; count < this.#waiting.length; count += 1) {
      size += LENGTH_BYTES + this.#waiting[count]!.length;
      if (size > MOST_PAYLOAD && count > 0) break;
    }
    const [payload] = packed(this.#waiting.slice(0, count));
    if (!payload) return this.#durable;
    const frame = encodeFrame(segment.salt, segment.next, payload);
    this.#unsynced = { frame, at: segment.size };
    writeAll(this.#io, segment.fd, frame, segment.size);
    segment.size += frame.length;
    segment.next += 1;
    this.#waiting.splice(0, count);
    return this.#added - this.#waiting.length;
  }
  #landed(segment: Segment, effect: () => void): void {
    this.#flight = undefined;
    // another file may have it all by now; and a sync after one that failed says nothing
    if (segment === this.#segment && !this.#closed && !this.#fault) {
      this.#unsynced = undefined;
      effect();
    }
    this.#writeNext();
  }
  #reached(place: number): void {
    if (place <= this.#durable) return;
    this.#durable = place;
    this.#listener();
  }
  /** For good. */
  #fail(error: unknown): DiskError {
    const { path } = this.#segment;
    const thrown = asDiskError(path, error);
    this.#fault = thrown instanceof DiskError ? thrown : new DiskError('DiskFailed', `${path}: ${String(thrown)}`);
    this.#listener(this.#fault);
    return this.#fault;
  }
  /** After `close` the number of its file may be another file's. */
  #mayGoOn(): void {
    if (this.#fault) throw this.#fault;
    if (this.#closed) throw new RangeError('the journal is closed');
  }
  #orFail(work: () => void): void {
    this.#mayGoOn();
    try {
      work();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  syncNow(): void {
    const { fd } = this.#segment;
    this.#orFail(() => {
      // a sync that fails drops what it could not write, and is told of once: what the one under way may have dropped is written again
      if (this.#unsynced) writeAll(this.#io, fd, this.#unsynced.frame, this.#unsynced.at);
      if (this.#unsynced) this.#io.syncNow(fd);
      while (this.#waiting.length > 0) {
        this.#write();
        this.#io.syncNow(fd);
      }
      this.#unsynced = undefined;
    });
    this.#reached(this.#added);
  }
  restart(records: readonly Uint8Array[]): void {
    const before = this.#segment;
    this.#orFail(() => {
      this.#segment = makeSegment(this.#io, this.#folder, before.id, before.number + 1, packed(records));
      this.#waiting = [];
      this.#unsynced = undefined;
      removeSegment(before);
    });
    this.#closeAfterSync(before.fd);
    this.#reached(this.#added);
  }
  close(): void {
    if (this.#closed) return;
    try {
      if (!this.#fault) this.syncNow();
    } finally {
      this.#closed = true;
      this.#closeAfterSync(this.#segment.fd);
    }
  }
  #closeAfterSync(fd: number): void {
    if (this.#flight) void this.#flight.then(() => closeSync(fd));
    else closeSync(fd);
  }
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** Of this journal; the log's file holds the same, so that neither is used without the other. */
  readonly id: string;
  /** What is in it. */
  readonly records: readonly Uint8Array[];
}
/** Opens the journal in the folder or makes it; the caller sees to it that one process does. Throws DiskError. */
export const openJournal = (folder: string, expected: string | undefined, io: JournalIo = realIo): OpenedJournal => {
  const found = openSegment(folder);
  if (expected === undefined && (found?.payloads.length ?? 0) > 0)
    throw new DiskError('DiskForeign', `${folder} holds a journal that the log beside it does not know`);
  if (expected !== undefined && found?.segment.id !== expected)
    throw new DiskError('DiskCorrupt', `${folder}: the journal that belongs to the log is ${found ? 'another' : 'missing'}`);
  if (found && expected !== undefined)
    return {
      journal: new FileJournal(io, folder, found.segment),
      id: expected,
      records: found.payloads.flatMap((payload) => [...unpacked(payload)]),
    };
  if (found) closeSync(found.segment.fd);
  const id = freshId();
  guardedIo(folder, () => {
    mkdirSync(folder, { recursive: true });
    syncFolder(dirname(folder)); // without it a power cut may take the folder, and all that was synced in it
  });
  const segment = makeSegment(io, folder, id, (found?.segment.number ?? 0) + 1, []);
  if (found) removeSegment(found.segment);
  return { journal: new FileJournal(io, folder, segment), id, records: [] };
};

/** For a log in memory: durable as long as it lives. */
export const memoryJournal = (): Journal => {
  let added = 0;
  return {
    add: (records) => (added += records.length),
    durable: () => added,
    listen: () => {},
    syncNow: () => {},
    size: () => 0,
    restart: () => {},
    close: () => {},
  };
};
