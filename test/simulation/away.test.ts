/** X1, N7: snapshots, over a fixed set of seeds. */
import { expect, test } from 'vitest';
import { returns } from './away.ts';
import { SEEDS, TIMEOUT_MS } from './seeds.ts';

test('X1, N7: who was away too long, or lost its disk, goes on from a certified snapshot, whoever lies', { timeout: TIMEOUT_MS }, () => {
  const runs = Array.from({ length: Math.max(4, Math.ceil(SEEDS / 50)) }, (_, i) => ({ seed: i + 1, ...returns(i + 1) }));
  expect(runs.flatMap(({ seed, failure }) => (failure === undefined ? [] : [`seed ${seed}: ${failure}`]))).toEqual([]);
  expect(runs.filter(({ snapshots }) => snapshots > 0).length).toBeGreaterThan(runs.length / 2);
});
