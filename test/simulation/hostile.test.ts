/** A fixed set of seeds with a liar from the start, that alone hears both of the others again and again (rules N1, N2, G4). */
import { expect, test } from 'vitest';
import { runsOf, SEEDS, TIMEOUT_MS } from './seeds.ts';

test('N1, N2, G4: a liar between two that are kept apart', { timeout: TIMEOUT_MS }, () => {
  expect(runsOf(10_000, Math.floor(SEEDS / 3), true).failures).toEqual([]);
});
