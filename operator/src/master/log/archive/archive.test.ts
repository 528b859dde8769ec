/** X1: what leaves the live log is in the archive, whole and once, whatever a crash comes between; what is lost there comes back from a peer. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { blockDigest, decideMessage, encodeBlock, headOf, sign, type Block } from '@scs/protocol';
import { digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import type { StoredBlock } from '../disk.ts';
import { openMasterFile } from '../sqlite-disk.ts';
import { silentLogger } from '../testing/silent-logger.ts';
import { Archive } from './archive.ts';
import { endsFile, FILE_BYTES, unpackFile } from './archive-file.ts';
import { type ArchiveStore, folderStore } from './archive-store.ts';
import { Archivist, type HistoryPeer } from './archivist.ts';

const genesis = digestOf('genesis');
const committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };
/** A log of so many blocks, each certified by two masters. */
const logOf = (length: number, masters = [0, 2]): readonly StoredBlock[] => {
  let parent: string = genesis;
  return Array.from({ length }, (_, i) => {
    const block: Block = { height: BigInt(i + 1), generation: 0n, parent, time: i, proposer: 0, commands: [] };
    const head = headOf(block, genesis, digestOf(`state ${i}`));
    parent = blockDigest(block);
    const votes = masters.map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) }));
    return { height: block.height, bytes: encodeBlock(block), certificate: { head, votes } };
  });
};
const all = logOf(600);
const allAsOthersSaw = logOf(600, [0, 1]);

const folders: string[] = [];
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const folderWith = (blocks: readonly StoredBlock[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-archive-'));
  folders.push(folder);
  const { disk } = openMasterFile({ file: join(folder, 'log.db'), genesis, master: 1 });
  disk.transaction(false, () => blocks.forEach((block) => disk.append(block, [])));
  disk.close();
  return folder;
};
const open = (folder: string, store: ArchiveStore = folderStore(join(folder, 'archive'))) => {
  const { disk, file } = openMasterFile({ file: join(folder, 'log.db'), genesis, master: 1 });
  closing.push(() => disk.close());
  return { disk, store, archive: new Archive({ file, disk, store, genesis, committee }) };
};
const close = (): void => closing.splice(0).forEach((it) => it());
const moveAll = async (archive: Archive, upTo: bigint): Promise<void> => {
  while (await archive.move(upTo));
};
const read = async (archive: Archive, from = 1n): Promise<readonly StoredBlock[]> => {
  const found: StoredBlock[] = [];
  for await (const block of archive.blocks(from)) found.push(block);
  return found;
};
const filesIn = (folder: string): readonly string[] => readdirSync(join(folder, 'archive'));

describe('moving', () => {
  test('whole files of the oldest blocks, and from archive and live log together the same log as before', async () => {
    const { archive, disk } = open(folderWith(all));
    await moveAll(archive, 550n);
    expect(archive.ranges().map(({ first, last }) => [first, last])).toEqual([
      [1n, 256n],
      [257n, 512n],
    ]);
    expect([archive.live(), disk.wholeFrom(), archive.figures().blocks, archive.holes(600n)]).toEqual([513n, 513n, 512, []]);
    expect(await read(archive)).toEqual(all);
    expect(await read(archive, 300n)).toEqual(all.slice(299));
    expect((await archive.block(256n))?.height).toBe(256n);
    expect((await archive.block(600n))?.height).toBe(600n);
    expect(await archive.block(601n)).toBeUndefined();
  });
  test('a file ends at so many heights, or earlier when its blocks are large; before, nothing moves', async () => {
    expect([endsFile(255n, 9), endsFile(256n, 9), endsFile(3n, FILE_BYTES)]).toEqual([false, true, true]);
    const { archive } = open(folderWith(all));
    expect(await archive.move(255n)).toBe(false);
    expect(archive.figures()).toMatchObject({ files: 0, blocks: 0 });
  });
  test('G4: of a height in the archive no vote is given any more', async () => {
    const { archive, disk } = open(folderWith(all));
    const vote = (height: bigint) => ({ generation: 0n, height, stateRoot: 'aa', block: 'bb', bytes: new Uint8Array() });
    disk.storeVote(vote(7n));
    await moveAll(archive, 256n);
    for (const height of [7n, 256n]) expect(() => disk.storeVote(vote(height))).toThrow(expect.objectContaining({ code: 'VoteExists' }));
    disk.storeVote(vote(601n));
  });
  test('what is stored and is not what was certified stays where it is', async () => {
    const folder = folderWith(all.toSpliced(99, 1, { ...all[99]!, bytes: all[98]!.bytes }));
    const { archive, disk } = open(folder);
    await expect(archive.move(600n)).rejects.toMatchObject({ code: 'ArchiveDamaged' });
    expect([disk.blocks(1n, 1).length, archive.figures().files]).toEqual([1, 0]);
  });
});

describe('a crash', () => {
  /** Fails before, in the middle of or after one of the calls. */
  const dying = (store: ArchiveStore, folder: string, when: 'before write' | 'in write' | 'before index'): ArchiveStore => ({
    ...store,
    put: async (name, content) => {
      if (when === 'before write') throw new Error('dead');
      if (when === 'in write') {
        await store.put(name, content);
        const path = join(folder, 'archive', name);
        writeFileSync(`${path}.new`, readFileSync(path).subarray(0, 99));
        rmSync(path);
        throw new Error('dead');
      }
      await store.put(name, content);
    },
    get: async (name) => {
      if (when === 'before index') throw new Error('dead');
      return store.get(name);
    },
    names: () => store.names(),
    drop: (name) => store.drop(name),
  });
  test.each(['before write', 'in write', 'before index'] as const)('%s: nothing is lost, nothing is there twice', async (when) => {
    const folder = folderWith(all);
    const real = folderStore(join(folder, 'archive'));
    await real.names();
    await expect(open(folder, dying(real, folder, when)).archive.move(600n)).rejects.toThrow('dead');
    close();
    const again = open(folder).archive;
    const { adopted, missing } = await again.reconcile();
    expect([adopted, missing, again.figures().files]).toEqual([[], [], 0]);
    expect(filesIn(folder)).toEqual([]);
    await moveAll(again, 600n);
    expect(filesIn(folder)).toHaveLength(2);
    expect(await read(again)).toEqual(all);
  });
  test('after the index: the file is there, and the next one follows', async () => {
    const folder = folderWith(all);
    await open(folder).archive.move(600n);
    close();
    const { archive } = open(folder);
    expect(await archive.reconcile()).toEqual({ adopted: [], dropped: [], missing: [] });
    await moveAll(archive, 600n);
    expect(await read(archive)).toEqual(all);
  });
});

describe('damage', () => {
  const archived = async () => {
    const folder = folderWith(all);
    const opened = open(folder);
    await moveAll(opened.archive, 600n);
    const [name] = filesIn(folder);
    return { folder, ...opened, path: join(folder, 'archive', name!) };
  };
  /** A peer that has the whole log, by other votes; counts how often it is asked. */
  const peer = (blocks: readonly StoredBlock[] = allAsOthersSaw): HistoryPeer & { asked: number } => ({
    index: 0,
    asked: 0,
    async *history(from) {
      this.asked += 1;
      yield* blocks.slice(Number(from) - 1);
    },
  });
  const archivist = (archive: Archive, peers: readonly HistoryPeer[]) =>
    new Archivist({
      archive,
      peers,
      upTo: () => 600n,
      height: () => 600n,
      clock: { now: () => 0, sleep: async () => {} },
      logger: silentLogger,
    });
  const { signal } = new AbortController();

  test('any bit: the file is named, and its heights are missing until a peer gives them', async () => {
    const { archive, path } = await archived();
    const bytes = readFileSync(path);
    for (const at of [0, 20, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      writeFileSync(path, changed);
      await expect(unpackFile(genesis, path.split('/').at(-1)!, changed)).rejects.toMatchObject({ code: 'ArchiveDamaged' });
    }
    const fault = await archive.check(archive.ranges()[0]!);
    expect(fault).toMatchObject({ code: 'ArchiveDamaged' });
    expect(archive.holes(600n)).toEqual([{ first: 1n, last: 256n }]);
    expect(await read(archive)).toEqual([]);
    await archivist(archive, [peer()]).turn(signal);
    expect(archive.holes(600n)).toEqual([]);
    expect(await read(archive)).toEqual([...allAsOthersSaw.slice(0, 256), ...all.slice(256)]);
  });
  test('a file that is gone is noticed at the start, and one that goes later in its turn', async () => {
    const { archive, path } = await archived();
    rmSync(path);
    const it = archivist(archive, []);
    await it.turn(signal);
    expect(it.missing()).toBe(256);
    await archivist(archive, [peer()]).turn(signal);
    expect(archive.figures().blocks).toBe(512);
    for (const name of filesIn(join(path, '..', '..'))) rmSync(join(path, '..', name));
    for (let turn = 0; turn < 24; turn += 1) await it.turn(signal);
    expect(it.missing()).toBe(512);
  });
  test('a peer is believed nothing: other blocks, holes, a piece, or nothing at all leave it as it was, and the next is asked', async () => {
    const { archive, path } = await archived();
    rmSync(path);
    await archive.reconcile();
    const unsigned = all.map((block) => ({ ...block, certificate: { ...block.certificate, votes: block.certificate.votes.slice(1) } }));
    let read = 0;
    const endless = all.map((block) => ({
      ...block,
      get certificate() {
        read += 1;
        return { ...block.certificate, votes: [0, 1].map((master) => ({ master, signature: 'ab'.repeat(100_000) })) };
      },
    }));
    const swapped = all.toSpliced(9, 1, { ...all[9]!, bytes: all[10]!.bytes });
    const liars = [endless, unsigned, swapped, all.toSpliced(9, 1), all.slice(0, 100), []].map(peer);
    const honest = peer();
    const it = archivist(archive, [...liars, honest]);
    for (const liar of liars) {
      await it.turn(signal);
      expect([liar.asked, it.missing()]).toEqual([1, 256]);
    }
    expect(read).toBe(1); // the first was enough
    await it.turn(signal);
    expect([honest.asked, it.missing()]).toEqual([1, 0]);
  });
  test('who began with a snapshot fetches the log below it: three masters keep the whole log, whoever lost a disk', async () => {
    const { archive } = open(folderWith(all.slice(550)));
    const it = archivist(archive, [peer()]);
    await it.turn(signal);
    expect([it.missing(), archive.figures().files]).toEqual([0, 3]);
    expect((await read(archive)).map(({ height }) => height)).toEqual(all.map(({ height }) => height));
  });
  test('a log with a gap goes into the archive around it', async () => {
    const { archive, disk } = open(folderWith([...all.slice(0, 100), ...all.slice(300)]));
    expect(disk.wholeFrom()).toBe(301n);
    expect(archive.holes(600n)).toEqual([{ first: 101n, last: 300n }]);
    await moveAll(archive, 600n);
    expect(archive.ranges().map(({ first, last }) => [first, last])).toEqual([
      [1n, 100n],
      [301n, 512n],
    ]);
    await archivist(archive, [peer()]).turn(signal);
    expect(archive.holes(600n)).toEqual([]);
    expect((await read(archive)).length).toBe(600);
  });
  test('beside a log’s file that began anew the files are taken in again', async () => {
    const { folder } = await archived();
    close();
    const fresh = folderWith(all.slice(512));
    cpSync(join(folder, 'archive'), join(fresh, 'archive'), { recursive: true });
    const { archive } = open(fresh);
    expect((await archive.reconcile()).adopted).toHaveLength(2);
    expect(await read(archive)).toEqual(all);
  });
});
