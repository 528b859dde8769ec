import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Certificate } from '@scs/protocol';
import { DiskError, type Disk, type StoredVote } from './disk.ts';
import { openDisk } from './sqlite-disk.ts';
import { guarded, SqliteFile } from './sqlite-file.ts';

const genesis = 'aa'.repeat(32);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scs-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (options: Partial<Parameters<typeof openDisk>[0]> = {}): Disk =>
  openDisk({ file: join(folder, 'log.db'), genesis, master: 1, ...options });
const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error);
  }
};
const certificate = (height: bigint): Certificate => ({
  head: { genesis, generation: 0n, height, stateRoot: 'bb'.repeat(32), block: 'cc'.repeat(32) },
  votes: [{ master: 0, signature: 'dd'.repeat(64) }],
});
const vote = (height: bigint, block = 'cc'.repeat(32)): StoredVote => ({
  generation: 0n,
  height,
  stateRoot: 'bb'.repeat(32),
  block,
  bytes: Uint8Array.of(1, 2, 3),
});

test('blocks, state and votes come back after a restart', () => {
  const first = open();
  expect(first.last()).toBeUndefined();
  first.append({ height: 1n, bytes: Uint8Array.of(9), certificate: certificate(1n) }, [
    ['task/a', Uint8Array.of(1)],
    ['task/b', Uint8Array.of(2)],
  ]);
  first.append({ height: 2n, bytes: Uint8Array.of(8), certificate: certificate(2n) }, [
    ['task/a', undefined],
    ['task/b', Uint8Array.of(3)],
  ]);
  first.storeVote(vote(3n));
  first.close();
  const again = open();
  expect(again.last()).toEqual({ height: 2n, bytes: Uint8Array.of(8), certificate: certificate(2n) });
  expect(again.blocks(1n, 10).map((b) => b.height)).toEqual([1n, 2n]);
  expect([...again.entries()]).toEqual([['task/b', Uint8Array.of(3)]]);
  expect(again.vote(0n, 3n)).toEqual(vote(3n));
  again.close();
});

test('G4: a second vote at one generation and height is refused for ever, also after the block is decided', () => {
  const disk = open();
  disk.storeVote(vote(1n));
  disk.storeVote(vote(1n));
  expect(codeOf(() => disk.storeVote(vote(1n, 'ee'.repeat(32))))).toBe('VoteExists');
  disk.append({ height: 1n, bytes: Uint8Array.of(9), certificate: certificate(1n) }, []);
  expect(disk.vote(0n, 1n)).toBeUndefined();
  expect(codeOf(() => disk.storeVote(vote(1n, 'ee'.repeat(32))))).toBe('VoteExists');
  disk.close();
});

test('a file of another group or master, in use or damaged is refused with advice', () => {
  const disk = open();
  expect(codeOf(() => openDisk({ file: join(folder, 'log.db'), genesis, master: 1 }))).toBe('DiskInUse');
  disk.close();
  expect(codeOf(() => open({ master: 2 }))).toBe('DiskForeign');
  expect(codeOf(() => open({ genesis: 'ff'.repeat(32) }))).toBe('DiskForeign');
  writeFileSync(join(folder, 'log.db'), 'this is not a database, however long one looks at it '.repeat(100));
  rmSync(join(folder, 'log.db-wal'), { force: true });
  expect(codeOf(() => open())).toBe('DiskCorrupt');
});

test('G4: proofs that a master signed twice are kept, in their order', () => {
  const disk = open({ file: ':memory:' });
  disk.storeOffence({ master: 1, height: 4n, proof: Uint8Array.of(1) });
  disk.storeOffence({ master: 2, height: 5n, proof: Uint8Array.of(2) });
  expect(disk.offenceProofs(9)).toEqual([
    { master: 1, proof: Uint8Array.of(1) },
    { master: 2, proof: Uint8Array.of(2) },
  ]);
  expect(disk.offenceProofs(1)).toHaveLength(1);
  disk.close();
});

test('G4: of one master that signs twice again and again so many proofs are kept, and those of another beside them', () => {
  const disk = open({ file: ':memory:' });
  for (let height = 1n; height <= 100n; height += 1n) disk.storeOffence({ master: 1, height, proof: Uint8Array.of(1) });
  disk.storeOffence({ master: 2, height: 1n, proof: Uint8Array.of(2) });
  expect(disk.offences()).toBe(65);
  disk.close();
});

test('a write that failed is not tried again: the system may have dropped it, and says so once', () => {
  const file = new SqliteFile(':memory:');
  file.schema('CREATE TABLE t (a)');
  file.schema('PRAGMA query_only = ON');
  expect(codeOf(() => file.run('INSERT INTO t VALUES (1)'))).toBe('DiskFailed');
  file.get('PRAGMA query_only = OFF');
  expect(codeOf(() => file.run('INSERT INTO t VALUES (1)'))).toBe('DiskFailed');
  expect(codeOf(() => file.transaction(false, () => {}))).toBe('DiskFailed');
  expect(file.all('SELECT * FROM t')).toEqual([]);
  file.close();
  file.close();
});
test.each([
  [10, 'DiskFailed'],
  [1034, 'DiskFailed'], // SQLITE_IOERR_FSYNC
  [13, 'DiskFull'],
  [14, 'DiskFailed'],
  [11, 'DiskCorrupt'],
])('SQLite’s code %i is %s', (errcode, code) => {
  const thrown = Object.assign(new Error('disk I/O error'), { errcode });
  expect(
    codeOf(() =>
      guarded('log.db', () => {
        throw thrown;
      }),
    ),
  ).toBe(code);
});

test('blobs are replaced by name, sized by task and dropped together', () => {
  const disk = open({ file: ':memory:' });
  disk.putBlob({ task: 't', name: 'slice/a', bytes: Uint8Array.of(1, 2) });
  disk.putBlob({ task: 't', name: 'slice/a', bytes: Uint8Array.of(1, 2, 3) });
  disk.putBlob({ task: 'u', name: 'slice/b', bytes: Uint8Array.of(4) });
  expect(disk.blob('t', 'slice/a')).toEqual(Uint8Array.of(1, 2, 3));
  expect(disk.blobSizes('t')).toEqual([{ name: 'slice/a', size: 3 }]);
  expect(disk.blobTasks().toSorted()).toEqual(['t', 'u']);
  disk.dropBlobs('t');
  expect(disk.blob('t', 'slice/a')).toBeUndefined();
});
