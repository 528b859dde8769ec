/** What the agreement keeps (rules G4, N9): all or nothing, read back as written, or reported. */
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { digest, MerkleMap, State, type Head } from '@scs/protocol';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import type { DiskError } from '../../log/disk.ts';
import { openMasterFile } from '../../log/sqlite-disk.ts';
import type { Kept, Message } from '../messages.ts';
import { agreementStore } from './agreement-store.ts';
import { type JournalIo, realIo } from './journal/io.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const open = (path: string, io?: JournalIo) => {
  const { disk, file } = openMasterFile({ file: path, genesis: digestOf('genesis'), master: 1 });
  try {
    return { disk, file, store: agreementStore(file, disk, io) };
  } catch (error) {
    disk.close();
    throw error;
  }
};
const path = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-agreement-'));
  folders.push(folder);
  return join(folder, 'log.db');
};
const key = digestOf('counter');
const message = (counter: number): Message => ({
  body: { kind: 'prepare', view: 0, height: BigInt(counter), block: digestOf(`block ${counter}`) },
  bytes: Uint8Array.of(counter),
  ui: { key, counter, signature: 'ab'.repeat(64) },
});
const head = (block: string) => ({
  genesis: digestOf('genesis'),
  generation: 0n,
  height: 5n,
  stateRoot: digestOf('root'),
  block: digestOf(block),
});

const records = new State(MerkleMap.empty);
const aTip = (of: Head, bytes: Uint8Array) => ({ head: of, bytes, time: 1, records });

test('messages, intent, anchors and roster are there after a restart', () => {
  const file = path();
  const { disk, store } = open(file);
  expect(store.blank()).toBe(true);
  store.add(
    [1, 2, 3].map((n) => ({ kind: 'message', message: message(n) })),
    true,
  );
  store.add([{ kind: 'intent', key, intent: { body: { kind: 'view-change', view: 4 } } }], true);
  store.add([{ kind: 'truncate', key, counter: 2 }], false);
  store.setRoster([{ master: 1, key, from: 1n }]);
  disk.close();
  const { disk: again, store: back } = open(file);
  expect(back.messages()).toEqual([message(2), message(3)]);
  expect(back.intent()).toEqual({ key, intent: { body: { kind: 'view-change', view: 4 } } });
  expect(back.anchors()).toEqual(new Map([[key, 2]]));
  expect(back.roster()).toEqual([{ master: 1, key, from: 1n }]);
  again.close();
});
test('N2: what a new view and an unseen commit meant when they were read is kept with them', () => {
  const file = path();
  const { disk, store } = open(file);
  const place = { key, counter: 1 };
  const ui = (counter: number) => ({ key, counter, signature: 'ab'.repeat(64) });
  const kept: readonly Kept[] = [
    {
      body: { kind: 'new-view', view: 3, base: null, quorum: [place, place] },
      ui: ui(1),
      reading: { again: [{ height: 7n, block: digestOf('b'), vouched: true }] },
    },
    { body: { kind: 'commit', view: 3, height: 7n, block: digestOf('b'), prepare: place }, ui: ui(2), reading: { unseen: true } },
  ];
  store.add(
    kept.map((one) => ({ kind: 'message', message: one })),
    true,
  );
  const { ui: own, ...said } = { ...kept[0]!, ui: ui(3) };
  store.add([{ kind: 'intent', key, intent: { body: said.body } }], true);
  store.add([{ kind: 'message', message: { ...said, ui: own } }], true);
  disk.close();
  const { disk: again, store: back } = open(file);
  expect(back.messages()).toEqual([...kept, { ...said, ui: own }]);
  again.close();
});
test('N2: while nothing is certified the journal begins anew by itself; when what it needs passes its bound, nothing more is promised', () => {
  const file = path();
  const opened = openMasterFile({ file, genesis: digestOf('genesis'), master: 1 });
  const bounds = { large: 1_000, most: 8_000 };
  const store = agreementStore(opened.file, opened.disk, undefined, bounds);
  const size = (): number =>
    readdirSync(`${file}.agreement`).reduce((sum, name) => sum + statSync(join(`${file}.agreement`, name)).size, 0);
  const intent = (view: number): void => void store.add([{ kind: 'intent', key, intent: { body: { kind: 'view-change', view } } }], true);
  for (let view = 0; view < 200; view += 1) {
    intent(view); // each takes the place of the one before
    store.syncNow();
    expect(size()).toBeLessThan(bounds.most);
  }
  const say = (): void => {
    for (let counter = 1; counter < 200; counter += 1) {
      store.add([{ kind: 'message', message: message(counter) }], true);
      store.syncNow();
      expect(size()).toBeLessThan(2 * bounds.most);
    }
  };
  expect(say).toThrow(expect.objectContaining({ code: 'JournalFull' }));
  opened.disk.close();
});
test('an intent that got its UI is a message, stored once', () => {
  const file = path();
  const { disk, store } = open(file);
  const { ui, ...intent } = message(1);
  store.add([{ kind: 'intent', key, intent }], true);
  store.add([{ kind: 'message', message: { ...intent, ui } }], true);
  disk.close();
  const { disk: again, store: back } = open(file);
  expect(back.messages()).toEqual([message(1)]);
  again.close();
});
test('certified blocks that had not come into the log’s file are there after a restart, with the bytes of the message before', () => {
  const file = path();
  const { disk, store } = open(file);
  const bytes = Uint8Array.of(7, 7);
  const block = digest('block', bytes);
  const certificate = { head: { ...head('a'), height: 1n, block }, votes: [] };
  const prepare: Message = { ...message(1), body: { kind: 'prepare', view: 0, height: 1n, block }, bytes };
  store.add([{ kind: 'message', message: prepare }], true);
  store.add([{ kind: 'certified', tip: aTip(certificate.head, bytes), certificate }], true);
  const copy = `${file}-copy`;
  disk.close();
  cpSync(file, copy);
  cpSync(`${file}.agreement`, `${copy}.agreement`, { recursive: true });
  const { disk: again, store: back } = open(copy);
  expect(back.unwritten()).toEqual([{ bytes, certificate }]);
  again.append({ height: 1n, bytes, certificate }, []);
  back.flush();
  again.close();
  const { disk: last, store: written } = open(copy);
  expect(written.unwritten()).toEqual([]);
  expect(last.block(1n)).toEqual({ height: 1n, bytes, certificate });
  last.close();
});
test('blocks that wait are read like those in the file', () => {
  const { disk, store } = open(path());
  const block = (height: bigint) => ({
    height,
    bytes: Uint8Array.of(Number(height)),
    certificate: { head: { ...head('a'), height }, votes: [] },
  });
  for (const height of [1n, 2n]) disk.append(block(height), []);
  store.flush();
  for (const height of [3n, 4n, 5n]) disk.append(block(height), []);
  expect(disk.waiting().blocks).toBe(3);
  expect(disk.blocks(4n, 16)).toEqual([block(4n), block(5n)]);
  expect(disk.blocks(3n, 2)).toEqual([block(3n), block(4n)]);
  expect([disk.block(2n), disk.block(5n), disk.last()]).toEqual([block(2n), block(5n), block(5n)]);
  expect(disk.waiting().blocks).toBe(3);
  expect(disk.blocks(1n, 16)).toHaveLength(5);
  expect(disk.waiting().blocks).toBe(0);
  disk.close();
});
test('G4: a second vote at a height is refused, waiting or written', () => {
  const file = path();
  const { disk, store } = open(file);
  store.add([{ kind: 'vote', head: head('a') }], true);
  store.add([{ kind: 'vote', head: head('a') }], true);
  expect(() => store.add([{ kind: 'vote', head: head('b') }], true)).toThrow(expect.objectContaining({ code: 'VoteExists' }));
  disk.close();
  const { disk: again, store: back } = open(file);
  expect(() => back.add([{ kind: 'vote', head: head('b') }], true)).toThrow(expect.objectContaining({ code: 'VoteExists' }));
  back.flush();
  expect(() => back.add([{ kind: 'vote', head: head('b') }], true)).toThrow(expect.objectContaining({ code: 'VoteExists' }));
  again.close();
});
test('N9: a lost disk stays blank until a counter of its time is admitted: what it promised is not known, whatever it has fetched', () => {
  const { disk, store } = open(path());
  disk.append({ height: 1n, bytes: Uint8Array.of(1), certificate: { head: { ...head('a'), height: 1n }, votes: [] } }, []);
  store.add([{ kind: 'vote', head: head('b') }], true);
  store.flush();
  expect(store.blank()).toBe(true);
  store.setAdmitted();
  expect(store.blank()).toBe(false);
  disk.close();
});
test('a journal that is gone, or another’s, stops the master', () => {
  const file = path();
  const { disk, store } = open(file);
  store.add([{ kind: 'message', message: message(1) }], true);
  disk.close();
  renameSync(`${file}.agreement`, `${file}.away`);
  expect(() => open(file)).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
  const other = path();
  open(other).disk.close();
  renameSync(`${other}.agreement`, `${file}.agreement`);
  expect(() => open(file)).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
});
test('a log’s file that is new beside a journal that is not is DiskForeign', () => {
  const file = path();
  const { disk, store } = open(file);
  store.add([{ kind: 'message', message: message(1) }], true);
  disk.close();
  rmSync(file);
  expect(() => open(file)).toThrow(expect.objectContaining({ code: 'DiskForeign' }));
});
test('blocks that no agreement wrote are another kind of master’s, and nothing is begun on them: DiskForeign', () => {
  const file = path();
  const { disk } = openMasterFile({ file, genesis: digestOf('genesis'), master: 1 });
  disk.append({ height: 1n, bytes: Uint8Array.of(1), certificate: { head: { ...head('a'), height: 1n }, votes: [] } }, []);
  disk.close();
  for (let tries = 0; tries < 2; tries += 1) expect(() => open(file)).toThrow(expect.objectContaining({ code: 'DiskForeign' }));
  expect(readdirSync(join(file, '..')).filter((name) => name.includes('agreement'))).toEqual([]);
});
test('what fails is told to whoever waits, and nothing more is taken: a full disk is DiskFull, a broken one DiskFailed', async () => {
  for (const [errno, code] of [
    ['ENOSPC', 'DiskFull'],
    ['EIO', 'DiskFailed'],
  ]) {
    let broken = false;
    const fail = (): never => {
      throw Object.assign(new Error(`${errno}: no`), { code: errno });
    };
    const io: JournalIo = { ...realIo, write: (...given) => (broken ? fail() : realIo.write(...given)) };
    const { disk, store } = open(path(), io);
    store.add([{ kind: 'message', message: message(1) }], true);
    store.syncNow();
    broken = true;
    const told = Promise.withResolvers<DiskError | undefined>();
    store.listen((fault) => told.resolve(fault));
    store.add([{ kind: 'message', message: message(2) }], true);
    expect(await told.promise).toMatchObject({ code });
    expect(store.durable()).toBeLessThan(3);
    expect(() => store.add([{ kind: 'message', message: message(3) }], true)).toThrow(expect.objectContaining({ code }));
    disk.close();
  }
});
test('a large journal begins anew with what is still needed', () => {
  const file = path();
  const { disk, store } = open(file);
  const bytes = new Uint8Array(1024 * 1024);
  for (let n = 1; n <= 40; n += 1) store.add([{ kind: 'message', message: { ...message(n), bytes } }], false);
  store.syncNow();
  store.add([{ kind: 'truncate', key, counter: 40 }], false);
  store.syncNow();
  store.flush();
  const names = readdirSync(`${file}.agreement`);
  expect(names).toEqual(['000000000002.journal']);
  expect(statSync(join(`${file}.agreement`, names[0]!)).size).toBeLessThan(2 * bytes.length);
  store.add([{ kind: 'message', message: message(41) }], true);
  disk.close();
  const { disk: again, store: back } = open(file);
  expect(back.messages()).toEqual([{ ...message(40), bytes }, message(41)]);
  again.close();
});
