/**
 * What ended tasks cost that stay in the state (docs/adr/0026): size, time of a block, a start, memory. Records are those of one settled
 * task under other uids. `node --expose-gc test/bench/ended-tasks.ts [COUNT ...]`, one after the other.
 */
import { performance } from 'node:perf_hooks';
import { encodeBlock, hex, MerkleMap, State, applyBlock } from '@scs/protocol';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';

const counts = process.argv.slice(2).map(Number);
const sizeOf = (state: State): number => [...state.map.entries()].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
const heapMiB = (): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
};
const ms = (work: () => void): number => {
  const began = performance.now();
  work();
  return performance.now() - began;
};
const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

/** The keys that one settled task left: its own record and envelope. */
const settled = (): { readonly world: World; readonly record: Uint8Array; readonly envelope: Uint8Array } => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.runTo(uid, 'completed');
  return { world, record: world.state.map.get(`task/${uid}`)!, envelope: world.state.map.get(`envelope/${uid}`)! };
};

console.log('tasks      state MiB  block ms  start s  heap MiB');
for (const count of counts) {
  const { world, record, envelope } = settled();
  const before = heapMiB();
  let { map } = world.state;
  for (let i = 0; i < count; i += 1) {
    const uid = `00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`;
    map = map.set(`task/${uid}`, Uint8Array.from(record)).set(`envelope/${uid}`, Uint8Array.from(envelope));
  }
  map.root();
  world.state = new State(map);
  const first = world.blocks.length;
  const old = world.state;
  world.runTo(world.submit(aTask()), 'completed');
  const heap = heapMiB() - before;
  let state = old;
  const times = world.blocks.slice(first).map((block) =>
    ms(() => {
      const applied = applyBlock(state, block, world);
      if (!applied.ok) throw new Error(applied.fault.message);
      state = applied.state;
      encodeBlock(block);
      hex(state.root());
    }),
  );
  const entries = [...old.map.entries()];
  const start = ms(() => {
    let again = MerkleMap.empty;
    for (const [key, value] of entries) again = again.set(key, value);
    again.root();
  });
  const cells = [count, (sizeOf(old) / 1024 / 1024).toFixed(1), median(times).toFixed(2), (start / 1000).toFixed(1), heap.toFixed(0)];
  console.log(cells.map((cell, i) => String(cell).padEnd([11, 11, 10, 9, 0][i] ?? 0)).join(''));
}
