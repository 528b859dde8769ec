/** `make bench`: figures beside their baselines, printed and put into docs/benchmarks.md. */
import { parseArgs } from 'node:util';
import { interrupt } from '../cluster/interrupt.ts';
import { stopCommands } from '../cluster/run.ts';
import { chain } from './chain.ts';
import { consensus } from './consensus/benchmark.ts';
import { devnet } from './devnet.ts';
import { latency } from './latency.ts';
import { machine } from './machine.ts';
import { micro } from './micro.ts';
import { privacy } from './privacy.ts';
import { plain, writeFigures, type Report } from './report.ts';
import { vault } from './vault/benchmark.ts';
import { throughput } from './throughput/benchmark.ts';

const usage = `node test/bench/main.ts [options] [benchmark ...]

  latency      apply to completed on the embedded cluster, beside a bare Job (starts that cluster anew)
  throughput   tasks/s with fake pods, beside bare Jobs; memory and processor time
  micro        rules, Merkle state, certificates, noise, encoding, beside bare crypto and Map
  privacy      samplers beside OpenDP's; a million random steps of the budget ledger
  vault        reservations, queries, import, 1 M to 10 M records, beside bare DuckDB
  devnet       the embedded chain beside the bare Move VM
  consensus    decided commands a second and latency, six processes, beside etcd with three members; a killed primary
  chain        batches by tasks and escrows, trees of claims, claims a second

Without names: all, in this order.
  --quick      small sizes, to see that it works; docs/benchmarks.md stays as it is
  --attach     latency: on the demo that runs already, instead of a cluster made anew
  --tasks N,M  throughput: these numbers of tasks instead of 100,1000
  --no-write   print only
`;
const options = {
  quick: { type: 'boolean', default: false },
  attach: { type: 'boolean', default: false },
  tasks: { type: 'string' },
  'no-write': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const taskCounts = (text: string): number[] =>
  text.split(',').map((part) => {
    if (!/^[1-9]\d{0,4}$/.test(part)) throw new Error('--tasks takes numbers such as 100,1000');
    return Number(part);
  });

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) return void process.stdout.write(usage);
  const benchmarks: Readonly<Record<string, () => Promise<Report>>> = {
    latency: () => latency(values.quick, values.attach),
    throughput: () => throughput(taskCounts(values.tasks ?? (values.quick ? '10' : '100,1000'))),
    micro: () => micro(values.quick),
    privacy: () => privacy(values.quick),
    vault: () => vault(values.quick),
    devnet: () => devnet(values.quick),
    consensus: () => consensus(values.quick),
    chain: () => chain(values.quick),
  };
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks);
  const unknown = names.find((name) => !(name in benchmarks));
  if (unknown !== undefined) throw new Error(`there is no benchmark ${unknown}; there are ${Object.keys(benchmarks).join(', ')}`);
  for (const name of names) {
    const where = machine();
    const report = await benchmarks[name]!();
    const complete: Report = { ...report, work: [...report.work, where] };
    process.stdout.write(`${plain(complete)}\n`);
    if (!values.quick && !values['no-write']) writeFigures(complete);
  }
};

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupt();
    stopCommands();
    process.stderr.write('\nstopping\n');
    setTimeout(() => process.exit(130), 5_000).unref();
  });
try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// Keep-alive connections of clients would hold the process for a while.
process.exit();
