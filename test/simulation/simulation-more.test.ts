/** More seeds of the same kind as simulation.test.ts: a file of their own, so that both run side by side. */
import { expect, test } from 'vitest';
import { COVERING, runsOf, SEEDS, TIMEOUT_MS, unseen } from './seeds.ts';

test('N1, N7, N8, N9, G4: no fork, no false blame, and progress after it', { timeout: TIMEOUT_MS }, () => {
  const count = Math.ceil(SEEDS / 3);
  const runs = runsOf(1 + count, count, false);
  expect(runs.failures).toEqual([]);
  if (count >= COVERING) expect(unseen(runs)).toEqual([]);
});
