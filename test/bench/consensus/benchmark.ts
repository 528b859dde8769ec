/** Decided commands a second and their latency, by the size of the batch; beside etcd. How long a killed primary is missed. */
import { performance } from 'node:perf_hooks';
import { encodeCommand, type Command } from '@scs/protocol';
import { digits, milliseconds, perSecond } from '../figures.ts';
import type { Report } from '../report.ts';
import { startCometbft } from './cometbft.ts';
import { EtcdGroup } from './etcd.ts';
import { ReplicaGroup } from './group.ts';
import { closedLoop, type Load } from './load.ts';
import { startMinbftCrate } from './minbft-crate.ts';
import type { Peer } from './peer.ts';

const BYTES = 256;
/** Command number n, of 256 bytes or a few more. */
const commandBytes = (run: number, n: number): Uint8Array => {
  const task = `${run.toString(16).padStart(4, '0')}-${n.toString(16).padStart(8, '0')}`;
  const make = (message: string): Command => ({
    type: 'vault.answer',
    statement: { task, vault: 'a/b', answer: { kind: 'refused', code: 'Padding', message } },
    signature: '0'.repeat(128),
  });
  const bare = encodeCommand(make('')).length;
  return encodeCommand(make('x'.repeat(Math.max(0, BYTES - bare))));
};
const until = async <T>(ask: () => Promise<T | undefined>): Promise<T> => {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
let runs = 0;
const submitTo = (group: ReplicaGroup, at: number) => {
  runs += 1;
  const run = runs;
  return async (n: number): Promise<void> => {
    const command = commandBytes(run, n);
    for (;;) {
      const reply = await group.clients[at]!.submit({ command }).catch(() => undefined);
      if (reply && (reply.code === '' || reply.code === 'AlreadyDecided')) return;
    }
  };
};
const ready = async (group: ReplicaGroup): Promise<number> => {
  await until(async () => {
    await submitTo(group, 0)(0);
    return true;
  });
  return until(() => group.primary(0));
};

/** Batch limit and commands under way. */
const sizes = (quick: boolean): readonly (readonly [batch: number, underWay: number])[] =>
  quick
    ? [
        [1, 1],
        [100, 200],
      ]
    : [
        [1, 1],
        [1, 16],
        [10, 40],
        [100, 400],
        [1_000, 2_000],
      ];

const minbft = async (batch: number, underWay: number, ms: number): Promise<Load> => {
  const group = await ReplicaGroup.start(batch);
  try {
    const primary = await ready(group);
    return await closedLoop(submitTo(group, primary), underWay, ms);
  } finally {
    await group.stop();
  }
};
const etcd = async (loads: readonly (readonly [number, number])[], ms: number): Promise<readonly Load[]> => {
  const group = await EtcdGroup.start();
  const value = new Uint8Array(BYTES - 16).fill(120);
  try {
    await until(async () => {
      await group.put(0, 'first', value);
      return true;
    });
    const done: Load[] = [];
    for (const [, underWay] of loads) {
      runs += 1;
      const run = runs;
      done.push(await closedLoop((n) => group.put(0, `${run}/${n}`, value), underWay, ms));
    }
    return done;
  } finally {
    await group.stop();
  }
};

/** The longest time without a decision, as a client of another master sees it, when the primary is killed. */
const replaced = async (): Promise<number> => {
  const group = await ReplicaGroup.start(100);
  try {
    const primary = await ready(group);
    const at = (primary + 1) % 3;
    const load = closedLoop(submitTo(group, at), 4, 6_000);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await group.killReplica(primary);
    return (await load).gap;
  } finally {
    await group.stop();
  }
};

/** Others that agree on bytes: commands under way, and how many rounds of them. */
const others = async (start: () => Promise<Peer>, rounds: number, quick: boolean): Promise<string[][]> => {
  const peer = await start();
  try {
    const rows: string[][] = [];
    for (const inFlight of quick ? [1, 10] : [1, 10, 100, 1_000]) {
      const { commands, ms, p50Ms, p99Ms } = await peer.run({ inFlight, commands: rounds * inFlight });
      rows.push([peer.name, inFlight.toLocaleString('en-US'), perSecond(commands, ms), `${digits(p50Ms)} ms`, `${digits(p99Ms)} ms`]);
    }
    return rows;
  } finally {
    await peer.stop();
  }
};

export const consensus = async (quick: boolean): Promise<Report> => {
  const ms = quick ? 2_000 : 6_000;
  const loads = sizes(quick);
  const baseline = await etcd(loads, ms);
  const rows: string[][] = [];
  for (const [i, [batch, underWay]] of loads.entries()) {
    const began = performance.now();
    const load = await minbft(batch, underWay, ms);
    const beside = baseline[i]!;
    process.stdout.write(`batch ${batch}: ${Math.round(load.perSecond)}/s, ${Math.round(performance.now() - began)} ms\n`);
    rows.push([
      `${batch.toLocaleString('en-US')}, ${underWay.toLocaleString('en-US')}`,
      digits(load.perSecond),
      `${digits(load.p50)} ms`,
      `${digits(load.p99)} ms`,
      digits(beside.perSecond),
      `${digits(beside.p50)} ms`,
      `${digits(beside.p99)} ms`,
    ]);
  }
  const gaps: number[] = [];
  for (let i = 0; i < (quick ? 1 : 3); i += 1) gaps.push(await replaced());
  const beside = [...(await others(() => startCometbft('0s'), 10, quick)), ...(await others(startMinbftCrate, 200, quick))];
  return {
    name: 'consensus',
    work: [
      'Three replicas and three counters, six processes, over gRPC with mutual TLS on the loopback address; disks synced; commands of 256 bytes from one client by gRPC, a closed loop. Beside it etcd with three members (crash faults only; synced; without TLS), 256 bytes a put, as many under way. Client, replicas and counters share the cores. Then CometBFT 1.0 with four validators (Byzantine; its kvstore, HTTP, no wait between blocks) and the crate minbft 1.0.3 (one process, Ed25519, batches as large as what is under way, no disk and no network).',
    ],
    tables: [
      {
        head: ['batch at most, under way', 'MinBFT /s', 'p50', 'p99', 'etcd /s', 'p50', 'p99'],
        rows,
      },
      {
        head: ['primary killed (SIGKILL)', 'longest time without a decision'],
        rows: gaps.map((gap, i) => [`run ${i + 1}`, milliseconds(gap)]),
      },
      { head: ['beside, on the same machine', 'under way', 'commands/s', 'p50', 'p99'], rows: beside },
    ],
  };
};
