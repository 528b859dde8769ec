/** What the agreement keeps (rules G4, N9): all or nothing, read back as written, or reported. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { openMasterFile } from '../../log/sqlite-disk.ts';
import type { Kept, Message } from '../messages.ts';
import { agreementStore } from './agreement-store.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const open = (path: string) => {
  const { disk, file } = openMasterFile({ file: path, genesis: digestOf('genesis'), master: 1 });
  return { disk, file, store: agreementStore(file, disk) };
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

test('messages, intent, anchors and roster are there after a restart', () => {
  const file = path();
  const { disk, store } = open(file);
  expect(store.blank()).toBe(true);
  for (const n of [1, 2, 3]) store.write({ kind: 'message', message: message(n) });
  store.write({ kind: 'intent', key, intent: { body: { kind: 'view-change', view: 4 } } });
  store.write({ kind: 'truncate', key, counter: 2 });
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
  for (const one of kept) store.write({ kind: 'message', message: one });
  disk.close();
  const { disk: again, store: back } = open(file);
  expect(back.messages()).toEqual(kept);
  again.close();
});
test('G4: a second vote at a height is refused', () => {
  const { disk, store } = open(path());
  store.write({ kind: 'vote', head: head('a') });
  store.write({ kind: 'vote', head: head('a') });
  expect(() => store.write({ kind: 'vote', head: head('b') })).toThrow(expect.objectContaining({ code: 'VoteExists' }));
  disk.close();
});
test('N9: a lost disk stays blank until a counter of its time is admitted: what it promised is not known, whatever it has fetched', () => {
  const { disk, store } = open(path());
  disk.append({ height: 1n, bytes: Uint8Array.of(1), certificate: { head: { ...head('a'), height: 1n }, votes: [] } }, []);
  store.write({ kind: 'vote', head: head('b') });
  expect(store.blank()).toBe(true);
  store.setAdmitted();
  expect(store.blank()).toBe(false);
  disk.close();
});
test('what fails half-way is not there at all', () => {
  const { disk, store } = open(path());
  expect(() =>
    disk.transaction(true, () => {
      store.write({ kind: 'message', message: message(1) });
      throw new Error('power');
    }),
  ).toThrow('power');
  expect(store.messages()).toEqual([]);
  store.write({ kind: 'message', message: message(2) });
  expect(store.messages()).toHaveLength(1);
  disk.close();
});
test('what does not read back as it was written is DiskCorrupt, never guessed at', () => {
  const { disk, file, store } = open(path());
  store.write({ kind: 'message', message: message(1) });
  file.run('UPDATE agreement_messages SET message = ?', Uint8Array.of(123, 125));
  expect(() => store.messages()).toThrow(expect.objectContaining({ code: 'DiskCorrupt' }));
  disk.close();
});
test('a full disk is DiskFull, and what was written before is still there', () => {
  const { disk, file, store } = open(path());
  store.write({ kind: 'message', message: message(1) });
  const pages = Number(file.get('PRAGMA page_count')?.['page_count']);
  file.schema(`PRAGMA max_page_count = ${pages + 1}`);
  const large = { ...message(2), bytes: new Uint8Array(1024 * 1024) };
  expect(() => disk.transaction(true, () => store.write({ kind: 'message', message: large }))).toThrow(
    expect.objectContaining({ code: 'DiskFull' }),
  );
  expect(store.messages()).toHaveLength(1);
  disk.close();
});
