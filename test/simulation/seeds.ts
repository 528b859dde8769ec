/** Runs of a test, by their seeds, and what happened in them. */
import { lies } from './lies.ts';
import { simulate } from './run.ts';

/** SCS_SIMULATION_SEEDS says how many there are in all; `make simulate` runs as many as you like. */
export const SEEDS = Number(process.env['SCS_SIMULATION_SEEDS'] ?? 24);
export const TIMEOUT_MS = 60_000 + SEEDS * 5_000;
/** From so many seeds on each fault and each lie must have occurred. */
export const COVERING = 600;

const FAULTS = [
  'loss',
  'delay',
  'partition',
  'crash',
  'unsynced writes lost',
  'counter lost',
  'disk lost',
  'disk corrupt',
  'corrupt disk replaced',
  'old disk',
  'clock skew',
  'clock far off',
  '2 counters lost at once',
  '3 counters lost at once',
  'formed anew',
  'prepared before the last was decided',
  'plot',
] as const;

export interface Runs {
  readonly failures: readonly string[];
  /** How often each fault occurred and each lie made a difference. */
  readonly faults: ReadonlyMap<string, number>;
}
export const runsOf = (start: number, count: number, hostile: boolean): Runs => {
  const failures: string[] = [];
  const faults = new Map<string, number>();
  for (let seed = start; seed < start + count; seed += 1) {
    const { failure, faults: seen } = simulate(seed, undefined, hostile);
    if (failure !== undefined) failures.push(`seed ${seed}${hostile ? ' --hostile' : ''}: ${failure}`);
    for (const [name, times] of Object.entries(seen)) faults.set(name, (faults.get(name) ?? 0) + times);
  }
  process.stdout.write(`seeds ${start} to ${start + count - 1}: ${JSON.stringify(Object.fromEntries(faults))}\n`);
  return { failures, faults };
};
/** Faults and lies that never occurred. */
export const unseen = ({ faults }: Runs): readonly string[] =>
  [...FAULTS, ...lies.map(({ name }) => `lie: ${name}`)].filter((name) => !faults.has(name));
