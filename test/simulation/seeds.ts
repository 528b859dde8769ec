/** Runs of a test, by their seeds. */
import { simulate } from './run.ts';

/** SCS_SIMULATION_SEEDS says how many there are in all; `make simulate` runs as many as you like. */
export const SEEDS = Number(process.env['SCS_SIMULATION_SEEDS'] ?? 24);
export const TIMEOUT_MS = 60_000 + SEEDS * 5_000;

export const failuresOf = (start: number, count: number, hostile: boolean): readonly string[] =>
  Array.from({ length: count }, (_, i) => simulate(start + i, undefined, hostile)).flatMap((o) =>
    o.failure === undefined ? [] : [`seed ${o.seed}${hostile ? ' --hostile' : ''}: ${o.failure}`],
  );
