/** `node test/simulation/main.ts --seeds 1000 --start 1 [--hostile]`: as many runs as you like; a failure prints its seed and its trace. */
import { parseArgs } from 'node:util';
import { simulate } from './run.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    start: { type: 'string', default: '1' },
    hostile: { type: 'boolean', default: false },
  },
});
const seeds = Number(values.seeds);
const start = Number(values.start);
if (!Number.isSafeInteger(seeds) || !Number.isSafeInteger(start)) throw new RangeError('--seeds and --start are whole numbers');

const began = Date.now();
const say = (line: string): void => void process.stdout.write(`${line}\n`);
let failures = 0;
let blocks = 0n;
const faults: Record<string, number> = {};
for (let seed = start; seed < start + seeds; seed += 1) {
  const { failure, trace, height, faults: seen } = simulate(seed, undefined, values.hostile);
  blocks += height;
  for (const [name, count] of Object.entries(seen)) faults[name] = (faults[name] ?? 0) + count;
  if (failure === undefined) continue;
  failures += 1;
  if (failures === 1) for (const line of trace) say(line);
  say(`seed ${seed}: ${failure}`);
}
say(
  `${seeds} runs from seed ${start}, ${blocks} blocks, ${failures} failures, ${((Date.now() - began) / 1000).toFixed(1)} s; ${JSON.stringify(faults)}`,
);
process.exitCode = failures === 0 ? 0 : 1;
