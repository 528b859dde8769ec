/** The parts that every command passes, each beside the barest thing that does the same work without the guarantee. */
import crypto, { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { applyBlock } from '@scs/protocol/rules/apply.ts';
import { initialState } from '@scs/protocol/rules/genesis-state.ts';
import {
  decideMessage,
  encodeCanonical,
  fromHex,
  hex,
  leafFault,
  MerkleMap,
  sign,
  utf8,
  type CertifiedLeaf,
  type Head,
  type State,
} from '@scs/protocol';
import { discreteLaplace, queryScale } from '@scs/protocol/noise.ts';
import { sha3 } from '@scs/protocol/encoding/hash.ts';
import { digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { digits, perSecond, times } from './figures.ts';
import type { Report } from './report.ts';

interface Measured {
  readonly count: number;
  readonly ms: number;
}
/** Processor time of this process, garbage collection included: other work on the machine hardly changes it. */
const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const measure = (count: number, work: (i: number) => void): Measured => {
  const start = processorMs();
  for (let i = 0; i < count; i++) work(i);
  return { count, ms: processorMs() - start };
};
/** Once to warm up, then the best of three: what else runs on the machine only adds. */
const best = (run: () => Measured): Measured => {
  run();
  return [run(), run(), run()].reduce((a, b) => (b.ms / b.count < a.ms / a.count ? b : a));
};
const each = ({ count, ms }: Measured): number => ms / count;

interface Pair {
  readonly what: string;
  readonly ours: Measured;
  readonly baseline: string;
  readonly bare: Measured;
}
const row = ({ what, ours, baseline, bare }: Pair): readonly string[] => [
  what,
  perSecond(ours.count, ours.ms),
  baseline,
  perSecond(bare.count, bare.ms),
  times(each(ours), each(bare)),
];

/** The blocks of `tasks` tasks that went from admission to completion side by side, stage by stage. */
const lifecycles = (tasks: number): World => {
  const world = World.ready();
  world.fund('roastery', '1000000');
  world.observe();
  const uids = Array.from({ length: tasks }, (_, i) =>
    world.submit(aTask().named(`bench-${i}`).epsilon('0.01').maxFee('4').deadline(1800)),
  );
  for (const state of ['dispatched', 'awaiting_settlement', 'completed'] as const) for (const uid of uids) world.runTo(uid, state);
  return world;
};

/** Applies all blocks again on a fresh state, as a master does that was away. One command a block, the root each 20, as if blocks held 20. */
const replay = (world: World): Measured => {
  let state: State = initialState(world.genesis);
  let count = 0;
  const start = processorMs();
  for (const [i, block] of world.blocks.entries()) {
    const applied = applyBlock(state, block, world);
    if (!applied.ok) throw new Error(applied.fault.code);
    state = applied.state;
    if (i % 20 === 19) state.root();
    count += block.commands.length;
  }
  return { count, ms: processorMs() - start };
};

/** How many signatures `work` verifies. */
const verifications = (work: () => void): number => {
  let count = 0;
  const real = crypto.verify;
  crypto.verify = ((...args: Parameters<typeof real>) => {
    count += 1;
    return real(...args);
  }) as typeof real;
  syncBuiltinESMExports();
  try {
    work();
  } finally {
    crypto.verify = real;
    syncBuiltinESMExports();
  }
  return count;
};

const parsedKey = (key: string): KeyObject =>
  createPublicKey({ key: Buffer.from(`302a300506032b6570032100${key}`, 'hex'), format: 'der', type: 'spki' });

const rules = (tasks: number, rounds: number): Pair => {
  const world = lifecycles(tasks);
  const signatures = verifications(() => void replay(world));
  const runs = Array.from({ length: rounds }, () => replay(world));
  const ours = runs.reduce((a, b) => (b.ms < a.ms ? b : a));
  const message = utf8('x'.repeat(500));
  const [key, signature] = [parsedKey(masterKey(0).publicKey), fromHex(sign(masterKey(0).seed, message))];
  const one = each(best(() => measure(2_000, () => void verify(null, message, key, signature))));
  return {
    what: `rules: commands of ${tasks.toLocaleString('en-US')} whole lifecycles (${digits(ours.count / tasks)} a task)`,
    ours,
    baseline: `their ${digits(signatures / tasks)} signatures a task alone, node:crypto verify`,
    bare: { count: ours.count, ms: one * signatures },
  };
};

const merkle = (entries: number): Pair => {
  const value = encodeCanonical({ balance: 1n, note: 'x'.repeat(200) });
  let filled = MerkleMap.empty;
  for (let i = 0; i < entries; i++) filled = filled.set(`task/${i}`, value);
  filled.root();
  const updates = 5_000;
  const ours = best(() => {
    let map = filled;
    return measure(updates, (i) => {
      map = map.set(`task/${(i * 7919) % entries}`, Uint8Array.from(value));
      if (i % 20 === 19) map.root();
    });
  });
  const bare = best(() => {
    const map = new Map<string, Uint8Array>();
    return measure(updates, (i) => void map.set(hex(sha3(utf8(`task/${(i * 7919) % entries}`))), sha3(value)));
  });
  return {
    what: `Merkle state of ${entries.toLocaleString('en-US')}: updates, root each 20`,
    ours,
    baseline: 'Map, with SHA3 of key and value',
    bare,
  };
};

const certificates = (world: World): Pair => {
  const { state, genesisDigest: genesis, height } = world;
  const key = 'meta/';
  const head: Head = { genesis, generation: 0n, height, stateRoot: hex(state.root()), block: digestOf('block') };
  const message = decideMessage(head);
  const votes = [0, 2].map((master) => ({ master, signature: sign(masterKey(master).seed, message) }));
  const siblings = state.map.prove(key)!.siblings.map(hex);
  const leaf: CertifiedLeaf = { key, value: hex(state.map.get(key)!), siblings, certificate: { head, votes } };
  const committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };
  const ours = best(() =>
    measure(1_000, () => {
      if (leafFault(leaf, genesis, committee)) throw new Error('the leaf does not hold');
    }),
  );
  const keys = [0, 2].map((i) => parsedKey(masterKey(i).publicKey));
  const signatures = votes.map((vote) => fromHex(vote.signature));
  const bare = best(() => measure(1_000, () => void keys.every((one, i) => verify(null, message, one, signatures[i]!))));
  return { what: 'certified leaf: two votes and the path', ours, baseline: 'node:crypto verify, twice, keys parsed before', bare };
};

const noise = (): Pair => {
  const seed = fromHex(digestOf('noise'));
  const scale = queryScale(1, 500_000n);
  const ours = best(() => measure(5_000, (i) => void discreteLaplace(seed, i, scale)));
  const bare = best(() =>
    measure(100_000, () => {
      const u = Math.random() - 0.5;
      void Math.round(-2 * Math.sign(u) * Math.log(1 - 2 * Math.abs(u)));
    }),
  );
  return {
    what: 'discrete Laplace, exact, keyed, fixed work (epsilon 0.5)',
    ours,
    baseline: 'Math.random and Math.log: inexact, not private',
    bare,
  };
};

const canonical = (world: World): Pair => {
  const record = [...world.state.map.entries()].map(([key]) => key).find((key) => key.startsWith('task/'))!;
  const task = world.task(record.slice('task/'.length));
  const text = JSON.stringify(task, (_, value: unknown) => (typeof value === 'bigint' ? `#${value}` : value));
  const plain: unknown = JSON.parse(text);
  const ours = best(() => measure(2_000, () => void encodeCanonical(task)));
  const bare = best(() => measure(2_000, () => void JSON.stringify(plain)));
  return {
    what: `canonical bytes of a task's record (${digits(text.length / 1024, 2)} KiB)`,
    ours,
    baseline: 'JSON.stringify of the same',
    bare,
  };
};

export const micro = (quick: boolean): Promise<Report> => {
  const [small, large] = quick ? [20, 60] : [100, 1_000];
  const world = lifecycles(20);
  const pairs: Pair[] = [
    rules(small, 3),
    rules(large, quick ? 2 : 1),
    merkle(quick ? 2_000 : 10_000),
    merkle(quick ? 10_000 : 100_000),
    certificates(world),
    noise(),
    canonical(world),
  ];
  return Promise.resolve({
    name: 'micro',
    work: [
      'One process, in memory; per second of processor time. "Times" is how much longer one takes than one of the baseline; the best of three runs after one to warm up (the 1,000 lifecycles: one run after one to warm up).',
    ],
    tables: [{ head: ['what', 'rate', 'baseline', 'its rate', 'times'], rows: pairs.map(row) }],
  });
};
