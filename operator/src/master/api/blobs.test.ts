/** Who may store what (rules M3, M5), and that it is stored twice. */
import { describe, expect, test } from 'vitest';
import { blobDigest, utf8 } from '@scs/protocol';
import { enterprises, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { openDisk } from '../log/sqlite-disk.ts';
import { silentLogger } from '../log/testing/silent-logger.ts';
import { TaskIndex } from '../task-index.ts';
import { type BlobPeer, Blobs } from './blobs.ts';
import { Refusal } from './refusal.ts';

const uid = aTask().named('blobs').uid;
const aggregating = (): World => {
  const world = World.ready();
  world.submit(aTask().named('blobs').signed(world.genesis));
  world.answer(uid);
  world.ready(uid);
  world.release(uid);
  world.aggregatorReady(uid);
  return world;
};
const peerWith = (blobs: Map<string, Uint8Array>, works = true): BlobPeer => ({
  index: 1,
  storeBlob: async (_task, name, bytes) => {
    if (!works) throw new Error('away');
    blobs.set(name, bytes);
  },
  fetchBlob: async (_task, name) => blobs.get(name),
});
const setup = (peers?: BlobPeer[]) => {
  const world = aggregating();
  const disk = openDisk({ file: ':memory:', genesis: world.genesisDigest, master: 0 });
  const stored = new Map<string, Uint8Array>();
  const tasks = new TaskIndex({ state: () => world.state, onDecided: () => () => {} });
  return { world, disk, stored, blobs: new Blobs(disk, tasks, peers ?? [peerWith(stored)], silentLogger) };
};
const address = (name: string): string => actorKey(name).address;
const refusal = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'stored',
    (error: unknown) => (error instanceof Refusal ? error.message : String(error)),
  );
const bytes = utf8('sealed');
const sliceName = (world: World, vault = vaultNames[0]!): string => `slice/${vault}/${world.task(uid).aggregatorEnclave!.sealKey}`;

test('a slice is stored by its Vault’s enterprise, here and at a peer', async () => {
  const { world, disk, stored, blobs } = setup();
  expect(await blobs.put(address('alder'), uid, sliceName(world), bytes)).toBe(blobDigest(bytes));
  expect(disk.blob(uid, sliceName(world))).toEqual(bytes);
  expect(stored.get(sliceName(world))).toEqual(bytes);
});

/** Takes connections and never answers. */
const still: BlobPeer = { index: 2, storeBlob: () => new Promise(() => undefined), fetchBlob: () => new Promise(() => undefined) };
test('N7: a peer that stands still keeps nobody waiting: neither who stores nor who reads', async () => {
  const stored = new Map<string, Uint8Array>();
  const { world, disk, blobs } = setup([still, peerWith(stored)]);
  expect(await blobs.put(address('alder'), uid, sliceName(world), bytes)).toBe(blobDigest(bytes));
  disk.dropBlobs(uid);
  expect(await blobs.find(uid, sliceName(world))).toEqual(bytes);
});

test('copies that nobody takes do not pile up', async () => {
  let asked = 0;
  const standing: BlobPeer = { ...still, storeBlob: () => ((asked += 1), new Promise<void>(() => undefined)) };
  const { world, blobs } = setup([standing, peerWith(new Map())]);
  for (let i = 0; i < 100; i += 1) await blobs.put(address('alder'), uid, sliceName(world), utf8(`sealed ${i}`));
  expect(asked).toBe(32);
});

describe('refused', () => {
  test.each([
    ['another enterprise', 'birch', (w: World) => sliceName(w), bytes, /not a Vault of yours/],
    ['a seal key that nobody decided', 'alder', () => `slice/${vaultNames[0]}/${'0'.repeat(64)}`, bytes, /seal key/],
    ['a Vault without a part', 'alder', () => `slice/alder/other/${'0'.repeat(64)}`, bytes, /no such/],
    ['a name that leads elsewhere', 'alder', () => '../../etc/passwd', bytes, /no such kind/],
    ['too much', 'alder', (w: World) => sliceName(w), new Uint8Array(600_000), /at most/],
    ['nothing', 'alder', (w: World) => sliceName(w), new Uint8Array(), /at most/],
    ['a result under another name', 'alder', () => `result/${'0'.repeat(64)}`, bytes, /do not agree/],
  ])('%s', async (_what, who, name, content, message) => {
    const { world, blobs } = setup();
    expect(await refusal(blobs.put(address(who), uid, name(world), content))).toMatch(message);
  });

  test('a result of an enterprise that does not aggregate', async () => {
    const { world, blobs } = setup();
    const aggregator = world.aggregator(uid).name;
    const name = `result/${blobDigest(bytes)}`;
    for (const who of enterprises.filter((e) => e !== aggregator))
      expect(await refusal(blobs.put(address(who), uid, name, bytes))).toMatch(/another enterprise aggregates/);
    expect(await refusal(blobs.put(address(aggregator), uid, name, bytes))).toBe('stored');
  });

  test('what no other master could store', async () => {
    const { world, blobs } = setup([peerWith(new Map(), false)]);
    expect(await refusal(blobs.put(address('alder'), uid, sliceName(world), bytes))).toMatch(/no other master/);
  });

  test('a reader without a part', async () => {
    const { world, blobs } = setup();
    expect(await refusal(blobs.get(address('roastery'), uid, sliceName(world)))).toMatch(/no part/);
  });
});

describe('what others can not do to it', () => {
  const other = utf8('something else');
  test('an enterprise that may not store it does not remove it either', async () => {
    const { world, disk, blobs } = setup();
    await blobs.put(address('alder'), uid, sliceName(world), bytes);
    expect(await refusal(blobs.put(address('birch'), uid, sliceName(world), other))).toMatch(/not a Vault of yours/);
    expect(await refusal(blobs.put(address('birch'), uid, `slice/${vaultNames[0]}/${'0'.repeat(64)}`, other))).toMatch(
      /not a Vault of yours/,
    );
    expect(await refusal(blobs.put(address('alder'), uid, `slice/${vaultNames[0]}/${'0'.repeat(64)}`, other))).toMatch(/seal key/);
    expect(disk.blob(uid, sliceName(world))).toEqual(bytes);
  });
  test('N1: a lying master neither replaces nor removes it, nor fills the disk', async () => {
    const { world, disk, blobs } = setup();
    await blobs.put(address('alder'), uid, sliceName(world), bytes);
    blobs.take(uid, sliceName(world), other);
    for (let i = 0; i < 40; i += 1) blobs.take(uid, `slice/${vaultNames[0]}/${String(i).padStart(64, '0')}`, other);
    expect(disk.blob(uid, sliceName(world))).toEqual(bytes);
    expect(disk.blobSizes(uid)).toHaveLength(2);
  });
  test('M4: an aggregator that stores many results does not keep the next one from storing its own', async () => {
    const { world, disk, blobs } = setup();
    const first = world.aggregator(uid);
    const results = Array.from({ length: 40 }, (_, i) => utf8(`result ${i}`));
    for (const result of results) await blobs.put(first.address, uid, `result/${blobDigest(result)}`, result);
    expect(disk.blobSizes(uid).length).toBeLessThanOrEqual(16);
    expect(disk.blob(uid, `result/${blobDigest(results[39]!)}`)).toEqual(results[39]);
    world.advance(world.genesis.policy.windows.aggregatorReplaceMs + 1_000);
    const next = world.aggregator(uid);
    expect(next.name).not.toBe(first.name);
    expect(await refusal(blobs.put(next.address, uid, `result/${blobDigest(bytes)}`, bytes))).toBe('stored');
  });
});

test('what is missing here is fetched from a peer, checked and kept', async () => {
  const there = new Map([[`result/${blobDigest(bytes)}`, bytes]]);
  const { disk, blobs } = setup([peerWith(there)]);
  expect(await blobs.find(uid, `result/${blobDigest(bytes)}`)).toEqual(bytes);
  expect(disk.blob(uid, `result/${blobDigest(bytes)}`)).toEqual(bytes);
  const lies = new Map([[`result/${'0'.repeat(64)}`, bytes]]);
  expect(await setup([peerWith(lies)]).blobs.find(uid, `result/${'0'.repeat(64)}`)).toBeUndefined();
});

test('an ended task keeps its result while its object is there, and nothing afterwards', async () => {
  const { world, disk, blobs } = setup();
  const sealed = utf8(`sealed result of ${uid}`);
  await blobs.put(address('alder'), uid, sliceName(world), bytes);
  await blobs.put(address(world.aggregator(uid).name), uid, `result/${blobDigest(sealed)}`, sealed);
  blobs.collect(() => true);
  expect(disk.blobSizes(uid)).toHaveLength(2);
  world.aggregate(uid);
  world.followUp();
  world.settle();
  blobs.collect(() => true);
  expect(disk.blobSizes(uid).map((b) => b.name)).toEqual([`result/${blobDigest(sealed)}`]);
  blobs.collect(() => false);
  expect(disk.blobSizes(uid)).toEqual([]);
});
