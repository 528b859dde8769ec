/** A fixed set of seeds (rules N1, N2, N7, N8, N9, G4, X1): bad networks, crashes, power losses, lost disks, a liar in most. */
import { expect, test } from 'vitest';
import { simulate } from './run.ts';
import { COVERING, runsOf, SEEDS, TIMEOUT_MS, unseen } from './seeds.ts';

test('N1, N7, N8, N9, G4: no fork, no false blame, and progress after it', { timeout: TIMEOUT_MS }, () => {
  const count = Math.ceil(SEEDS / 3);
  const runs = runsOf(1, count, false);
  expect(runs.failures).toEqual([]);
  if (count >= COVERING) expect(unseen(runs)).toEqual([]);
});
test('X1: one seed gives one run', { timeout: TIMEOUT_MS }, () => {
  const [first, second] = [simulate(7), simulate(7)];
  expect(second.trace).toEqual(first.trace);
});
