/**
 * A fixed set of seeds (rules N1, N2, N7, N8, G4, X1). SCS_SIMULATION_SEEDS says how many; `make simulate` runs as many as you like.
 */
import { expect, test } from 'vitest';
import { simulate } from './run.ts';

const seeds = Number(process.env['SCS_SIMULATION_SEEDS'] ?? 24);
const TIMEOUT_MS = 60_000 + seeds * 10_000;
const failures = (start: number, count: number, hostile: boolean): readonly string[] =>
  Array.from({ length: count }, (_, i) => simulate(start + i, undefined, hostile)).flatMap((o) =>
    o.failure === undefined ? [] : [`seed ${o.seed}${hostile ? ' --hostile' : ''}: ${o.failure}`],
  );

test('N1, N7: crashes, bad networks, lost disks and counters, a liar now and then', { timeout: TIMEOUT_MS }, () => {
  expect(failures(1, Math.ceil((seeds * 2) / 3), false)).toEqual([]);
});
test('N2, G4: a liar from the start that plots with one of the others against the third', { timeout: TIMEOUT_MS }, () => {
  expect(failures(10_000, Math.floor(seeds / 3), true)).toEqual([]);
});
test('X1: one seed gives one run', { timeout: TIMEOUT_MS }, () => {
  const [first, second] = [simulate(7), simulate(7)];
  expect(second.trace).toEqual(first.trace);
});
