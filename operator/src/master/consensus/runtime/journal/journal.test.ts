/** The journal after crashes and damage (rules N2, G4): what was durable is there, in order; anything else is noticed. */
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { encodeFrame, HEADER_BYTES, readFrames } from './frame.ts';
import { type JournalIo, realIo } from './io.ts';
import { openJournal } from './journal.ts';

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'scs-journal-'));
  folders.push(made);
  return made;
};
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});
const text = (value: string): Uint8Array => Buffer.from(value);
const read = (at: string, id: string): string[] => {
  const { journal, records } = openJournal(at, id);
  journal.close();
  return records.map((r) => Buffer.from(r).toString());
};
const FILE = '000000000001.journal';
const HEADER = 40;

/** A journal of some synced frames; its file's length after each. */
const written = (batches: readonly (readonly string[])[]) => {
  const at = folder();
  const { journal, id } = openJournal(at, undefined);
  const ends = batches.map((batch) => {
    journal.add(batch.map(text), true);
    journal.syncNow();
    return journal.size();
  });
  journal.close();
  return { at, id, ends, bytes: readFileSync(join(at, FILE)) };
};
const withFile = (bytes: Uint8Array): string => {
  const at = folder();
  writeFileSync(join(at, FILE), bytes);
  return at;
};

describe('what a crash leaves', () => {
  test('a last write cut off at any byte is dropped, and what was synced before is all there; it goes on from there', () => {
    const { bytes, id, ends } = written([['a', 'bb'], ['ccc'], ['dddd', 'e']]);
    for (let length = ends[1]!; length < bytes.length; length += 1) {
      const at = withFile(bytes.subarray(0, length));
      const { journal, records } = openJournal(at, id);
      expect(records.map((r) => Buffer.from(r).toString())).toEqual(['a', 'bb', 'ccc']);
      journal.add([text('new')], true);
      journal.close();
      expect(read(at, id)).toEqual(['a', 'bb', 'ccc', 'new']);
    }
  });
  test('a last write of which some bytes are zero is dropped', () => {
    const { bytes, id, ends } = written([['a'], ['b'.repeat(9_000)]]);
    for (let from = ends[0]!; from < bytes.length; from += 512) {
      const torn = Buffer.from(bytes);
      torn.fill(0, from, Math.min(from + 512, torn.length));
      expect(read(withFile(torn), id)).toEqual(['a']);
    }
  });
  test('a draft of a new file is not looked at, and of two files the later counts', () => {
    const { at, id } = written([['a']]);
    copyFileSync(join(at, FILE), join(at, '000000000002.journal.new'));
    expect(read(at, id)).toEqual(['a']);
    const { journal } = openJournal(at, id);
    journal.restart([text('kept')]);
    journal.add([text('b')], true);
    journal.close();
    writeFileSync(join(at, FILE), 'older');
    expect(read(at, id)).toEqual(['kept', 'b']);
  });
});

describe('damage', () => {
  test('any bit of what was synced before the last write', () => {
    const { bytes, id, ends } = written([['a', 'bb'], ['ccc'], ['dddd']]);
    fc.assert(
      fc.property(fc.nat(ends[1]! * 8 - 1), (bit) => {
        const damaged = Buffer.from(bytes);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        const at = withFile(damaged);
        expect(() => openJournal(at, id)).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
        rmSync(at, { recursive: true });
      }),
      { numRuns: 300 },
    );
  });
  test('a tail longer than any write', () => {
    const { at, id } = written([['a']]);
    appendFileSync(join(at, FILE), Buffer.alloc(16 * 1024 * 1024 + HEADER_BYTES + 1));
    expect(() => openJournal(at, id)).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
  });
  test('a header that is cut off', () => {
    const { at, id } = written([['a']]);
    truncateSync(join(at, FILE), HEADER - 1);
    expect(() => openJournal(at, id)).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
  });
  test('frames in another order, or one twice', () => {
    const one = encodeFrame(7, 1, text('a'));
    const two = encodeFrame(7, 2, text('b'));
    expect(readFrames(7, Buffer.concat([one, two]), 0, 1)).toMatchObject({ kind: 'whole', next: 3 });
    expect(readFrames(7, Buffer.concat([two, one]), 0, 1)).toMatchObject({ kind: 'damaged', at: 0 });
    expect(readFrames(7, Buffer.concat([one, one]), 0, 1)).toMatchObject({ kind: 'damaged' });
  });
  test('a frame that a peer had stored inside a block passes for none: it does not know the salt', () => {
    const block = encodeFrame(1, 9, text('a'));
    const torn = encodeFrame(7, 1, block).subarray(0, -1);
    expect(readFrames(7, Buffer.from(torn), 0, 1)).toMatchObject({ kind: 'whole', payloads: [], end: 0 });
  });
  test('a torn write full of what looks like beginnings of frames is read once, not once for each', () => {
    const length = 2 * 1024 * 1024;
    const beginning = Buffer.from('SCSF\0\u0008\0\0', 'latin1'); // of frames of half a mebibyte
    const torn = encodeFrame(7, 1, Buffer.alloc(length, beginning)).subarray(0, -1);
    expect(readFrames(7, Buffer.from(torn), 0, 1)).toMatchObject({ kind: 'whole', payloads: [], end: 0 });
  });
});

describe('syncs', () => {
  /** Syncs end when the test says so. */
  const held = () => {
    const syncs: PromiseWithResolvers<void>[] = [];
    let writes = 0;
    const io: JournalIo = {
      write: (...given): number => {
        writes += 1;
        return realIo.write(...given);
      },
      sync: () => {
        const sync = Promise.withResolvers<void>();
        syncs.push(sync);
        return sync.promise;
      },
      syncNow: (fd) => realIo.syncNow(fd),
    };
    const at = folder();
    const opened = openJournal(at, undefined, io);
    writes = 0;
    return { ...opened, syncs, at, writes: () => writes };
  };
  /** `under` is the sync under way; syncNow fails, or a write has no room, while the test says so. */
  const failing = () => {
    const refuse = (code: string): never => {
      throw Object.assign(new Error(code), { code });
    };
    const io = {
      fails: false,
      full: false,
      under: Promise.withResolvers<void>(),
      write: (...given: Parameters<JournalIo['write']>): number => (io.full ? refuse('ENOSPC') : realIo.write(...given)),
      sync: () => io.under.promise,
      syncNow: (fd: number): void => (io.fails ? refuse('EIO') : realIo.syncNow(fd)),
    };
    return { io, at: folder() };
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test('one at a time: what is added meanwhile shares the next', async () => {
    const { journal, syncs, writes } = held();
    let told = 0;
    journal.listen(() => (told += 1));
    expect(journal.add([text('a')], true)).toBe(1);
    for (const n of [2, 3, 4]) expect(journal.add([text('b')], true)).toBe(n);
    expect([journal.durable(), writes(), syncs.length]).toEqual([0, 1, 1]);
    syncs[0]?.resolve();
    await turn();
    expect([journal.durable(), writes(), syncs.length, told]).toEqual([1, 2, 2, 1]);
    syncs[1]?.resolve();
    await turn();
    expect([journal.durable(), syncs.length, told]).toEqual([4, 2, 2]);
    journal.close();
  });
  test('what is no promise waits for one', async () => {
    const { journal, syncs } = held();
    journal.add([text('a'), text('b')], false);
    expect(syncs).toHaveLength(0);
    journal.add([text('c')], true);
    syncs[0]?.resolve();
    await turn();
    expect(journal.durable()).toBe(3);
    journal.close();
  });
  test('syncNow and restart pass a sync that is under way', async () => {
    const { journal, id, syncs, at } = held();
    journal.add([text('a')], true);
    journal.add([text('b')], true);
    journal.syncNow();
    expect(journal.durable()).toBe(2);
    journal.restart([text('both')]);
    journal.add([text('c')], true);
    syncs[0]?.resolve();
    await turn();
    for (const sync of syncs) sync.resolve();
    await turn();
    expect(journal.durable()).toBe(3);
    journal.close();
    expect(read(at, id)).toEqual(['both', 'c']);
  });
  test('a sync that failed is never tried again: nothing more is durable', async () => {
    const { journal, syncs } = held();
    const told = Promise.withResolvers<unknown>();
    journal.listen((fault) => told.resolve(fault));
    journal.add([text('a')], true);
    syncs[0]?.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
    expect(await told.promise).toMatchObject({ code: 'DiskFailed' });
    expect(() => journal.add([text('b')], true)).toThrow(expect.objectContaining({ code: 'DiskFailed' }));
    expect(() => journal.syncNow()).toThrow(expect.objectContaining({ code: 'DiskFailed' }));
    expect(journal.durable()).toBe(0);
    journal.close();
  });
  test('nor is one that syncNow asked for, and a sync that was under way then says nothing any more', async () => {
    const { io, at } = failing();
    const { journal } = openJournal(at, undefined, io);
    const faults: unknown[] = [];
    journal.listen((fault) => fault && faults.push(fault.code));
    journal.add([text('a')], true);
    io.fails = true;
    expect(() => journal.syncNow()).toThrow(expect.objectContaining({ code: 'DiskFailed' }));
    io.fails = false;
    io.under.resolve();
    await turn();
    expect(() => journal.syncNow()).toThrow(expect.objectContaining({ code: 'DiskFailed' }));
    expect(() => journal.add([text('b')], true)).toThrow(expect.objectContaining({ code: 'DiskFailed' }));
    expect([journal.durable(), faults]).toEqual([0, ['DiskFailed']]);
    journal.close();
  });
  test('syncNow writes again what a sync under way may have lost: the system tells of a failure once, and that one may be told', async () => {
    const { io, at } = failing();
    const { journal, id } = openJournal(at, undefined, io);
    journal.add([text('a')], true);
    const path = join(at, FILE);
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.from(bytes).fill(0, HEADER)); // what the failed sync dropped
    journal.syncNow();
    expect(readFileSync(path)).toEqual(bytes);
    io.under.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
    await turn();
    expect(() => journal.add([text('b')], true)).toThrow(expect.objectContaining({ code: 'DiskFailed' }));
    journal.close();
    expect(read(at, id)).toEqual(['a']);
  });
  test('a new file that could not be made whole: nothing more is durable, as it may be the one that counts', () => {
    const { io, at } = failing();
    const { journal } = openJournal(at, undefined, io);
    io.full = true;
    expect(() => journal.restart([text('a')])).toThrow(expect.objectContaining({ code: 'DiskFull' }));
    io.full = false;
    expect(() => journal.add([text('b')], true)).toThrow(expect.objectContaining({ code: 'DiskFull' }));
    journal.close();
  });
  test('a sync of the file before that fails does not hold up what waits for the new one', async () => {
    const { journal, syncs } = held();
    journal.add([text('a')], true);
    journal.restart([text('a')]);
    journal.add([text('b')], true);
    syncs[0]?.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
    await turn();
    expect(syncs).toHaveLength(2);
    syncs[1]?.resolve();
    await turn();
    expect(journal.durable()).toBe(2);
    journal.close();
  });
});

test('after it is closed nothing is written: its file’s number may be another’s', () => {
  const { journal } = openJournal(folder(), undefined);
  journal.close();
  expect(() => journal.add([text('a')], true)).toThrow('closed');
  expect(() => journal.syncNow()).toThrow('closed');
  expect(() => journal.restart([])).toThrow('closed');
  journal.close();
});
test('a journal is used with its own log only', () => {
  const { at, id } = written([['a']]);
  expect(() => openJournal(at, undefined)).toThrow(expect.objectContaining({ code: 'DiskForeign' }));
  expect(() =>
    openJournal(
      at,
      id.replace(/^./, (c) => (c === '0' ? '1' : '0')),
    ),
  ).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
  const empty = join(folder(), 'none');
  expect(() => openJournal(empty, id)).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
  mkdirSync(empty);
  const first = openJournal(empty, undefined); // a crash between the journal and the log's note of it
  first.journal.close();
  const second = openJournal(empty, undefined);
  expect(second.id).not.toBe(first.id);
  second.journal.close();
});
