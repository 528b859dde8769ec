/**
 * A master is away for longer than the others keep blocks, or comes back with nothing, and fetches a snapshot (rules N7, X1) from peers of
 * which one may lie, over a bad network, dying on the way.
 */
import { type Algorithm, genuine } from './algorithm.ts';
import { Violation } from './invariants.ts';
import { falseParts } from './lies.ts';
import { LIMITS, type Master } from './master.ts';
import { Run } from './run.ts';

const RATES = [1, 0.5] as const;
const LONGEST_MS = 60_000;

const certified = ({ state }: Master): bigint => state?.chain.certified.head.height ?? 0n;
/** Work goes on until the others have dropped the blocks that the one away lacks. */
const workUntil = (run: Run, by: Master, height: bigint): void => {
  const until = run.clockwork.now + LONGEST_MS;
  while (certified(by) < height) {
    run.submitTo(by.index);
    run.clockwork.until(run.clockwork.now + 15);
    if (run.clockwork.now > until) throw new Violation(`two masters come to height ${certified(by)} in ${LONGEST_MS} ms`);
  }
};
const leave = (run: Run, away: Master): void => {
  const kind = Math.floor(run.random() * 3);
  run.count(['away', 'counter lost', 'disk lost'][kind] ?? '');
  if (kind > 0) away.loseCounter();
  away.crash();
  if (kind === 2) away.disk.erase();
};

export interface Return {
  readonly failure?: string;
  readonly trace: readonly string[];
  readonly snapshots: number;
}
export const returns = (seed: number, algorithm: Algorithm = genuine): Return => {
  const run = new Run(seed, algorithm);
  const { random, clockwork, network } = run;
  const away = run.master(Math.floor(random() * 3));
  const liar = random() < 0.7 ? (away.index + 1 + Math.floor(random() * 2)) % 3 : undefined;
  const result = (failure?: string): Return => ({
    ...(failure === undefined ? {} : { failure }),
    trace: run.trace,
    snapshots: run.faults['snapshot taken'] ?? 0,
  });
  try {
    if (liar !== undefined) run.becomeLiar(liar, [falseParts], RATES[Math.floor(random() * 2)] ?? 1);
    for (const master of run.masters) master.start();
    const other = run.honest().find((m) => m !== away) ?? away;
    if (random() < 0.5) workUntil(run, other, BigInt(Math.floor(random() * 60)));
    const from = certified(other);
    leave(run, away);
    workUntil(run, other, from + BigInt(LIMITS.snapshotEvery) * 3n);
    if (run.liar) run.liar.active = true;
    Object.assign(network.weather, { lossRate: random() * 0.2, delayMs: 5 + random() * 60 });
    for (let times = 0; times < 3; times += 1) {
      away.fuse = 1 + Math.floor(random() * 60);
      away.start();
      clockwork.until(clockwork.now + 500 + random() * 1_000);
      away.crash();
    }
    run.peace();
    return result();
  } catch (thrown) {
    return result(thrown instanceof Error ? (thrown instanceof Violation ? thrown.message : thrown.stack) : String(thrown));
  }
};
