/** The Rust crate `minbft` 1.0.3: three replicas in one process, Ed25519, nothing on a disk. */
import { run } from '../../cluster/run.ts';
import { z } from 'zod';
import { ensureMinbftBench } from './peer-tools.ts';
import { COMMAND_BYTES, type Load, type Outcome, type Peer } from './peer.ts';

const Printed = z.strictObject({ commands: z.int(), micros: z.int(), p50: z.int(), p99: z.int() });

export const startMinbftCrate = async (): Promise<Peer> => {
  const program = await ensureMinbftBench();
  const load = async ({ inFlight, commands }: Load): Promise<Outcome> => {
    const text = await run(program, [commands, inFlight, COMMAND_BYTES].map(String), { timeoutMs: 600_000 });
    const { commands: done, micros, p50, p99 } = Printed.parse(JSON.parse(text));
    return { inFlight, commands: done, ms: micros / 1000, p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
  };
  return { name: 'crate minbft', run: load, stop: () => Promise.resolve() };
};
