/** Tasks per second through the whole lifecycle with fake pods, beside bare Jobs with as many pods on the same API server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { digits, mebibytes, median, milliseconds, perSecond, quantile, seconds, times } from '../figures.ts';
import { usageByName, type Usage } from '../processes.ts';
import type { Report, Table } from '../report.ts';
import { step } from '../../cluster/progress.ts';
import { PODS, runJobs } from './jobs.ts';
import { runTasks, type Followed, type Run } from './load.ts';
import { requestsBetween, requestsOf } from './requests.ts';
import { startBenchSystem, type BenchSystem } from './system.ts';

const MASTERS = ['master-0', 'master-1', 'master-2'];
const ESCROW = '50000';

interface Outcome {
  readonly count: number;
  readonly run: Run;
  /** Milliseconds. */
  readonly jobs: number;
  readonly idle: ReadonlyMap<string, Usage>;
  readonly afterJobs: ReadonlyMap<string, Usage>;
  readonly before: ReadonlyMap<string, Usage>;
  readonly after: ReadonlyMap<string, Usage>;
  readonly faults: ReadonlyMap<string, number>;
  /** Answered by the API server during the run, all but watches. */
  readonly requests: readonly (readonly [what: string, count: number])[];
}

const usage = (system: BenchSystem): Usages => usageByName(system.processes());

const measure = async (count: number): Promise<Outcome> => {
  const system = await startBenchSystem(ESCROW);
  try {
    const idle = usage(system);
    const jobs = await step(`${count} bare Jobs of ${PODS} pods`, () => runJobs(system, count));
    const afterJobs = usage(system);
    await sleep(2_000);
    const { kubeconfig } = system.plane;
    const asked = await requestsOf(kubeconfig);
    const before = usage(system);
    const run = await step(`${count} tasks`, () => runTasks(system, count));
    const after = usage(system);
    const requests = requestsBetween(asked, await requestsOf(kubeconfig));
    const faults = new Map<string, number>();
    for (const enterprise of system.enterprises) for (const [code, n] of enterprise.faults) faults.set(code, (faults.get(code) ?? 0) + n);
    return { count, run, jobs, idle, afterJobs, before, after, faults, requests };
  } finally {
    await step('stopping', () => system.stop());
  }
};

const overall = (outcomes: readonly Outcome[]): Table => ({
  head: ['tasks', 'applied in', 'all completed in', 'tasks/s', 'a task, median', 'as many bare Jobs', 'Jobs/s', 'times'],
  rows: outcomes.map(({ count, run, jobs }) => [
    String(count),
    seconds(run.applying),
    seconds(run.elapsed),
    perSecond(count, run.elapsed),
    seconds(median(run.tasks.map(({ applied, ended }) => ended - applied))),
    seconds(jobs),
    perSecond(count, jobs),
    times(run.elapsed, jobs),
  ]),
});

/** Milliseconds that each task was in each state, by log time; the first is from the create to `accepted`, by the clock. */
const stays = (tasks: readonly Followed[]): ReadonlyMap<string, number[]> => {
  const all = new Map<string, number[]>();
  const note = (state: string, ms: number): void => void all.set(state, [...(all.get(state) ?? []), ms]);
  for (const { applied, history, ended } of tasks) {
    const at = history.map(({ time }) => Date.parse(time));
    note('create to accepted', at[0]! - applied);
    for (const [i, { state }] of history.entries()) {
      const next = at[i + 1];
      note(next === undefined ? `${state}, until seen in the status` : state, (next ?? ended) - at[i]!);
    }
  }
  return all;
};

const states = (outcomes: readonly Outcome[]): Table => {
  const columns = outcomes.map(({ run }) => stays(run.tasks));
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  return {
    head: ['state', ...outcomes.flatMap(({ count }) => [`${count}: median`, '90 %'])],
    rows: names.map((name) => [
      name,
      ...columns.flatMap((column) => {
        const values = column.get(name) ?? [];
        return values.length === 0 ? ['', ''] : [milliseconds(median(values)), milliseconds(quantile(values, 0.9))];
      }),
    ]),
  };
};

const memory = (outcomes: readonly Outcome[]): Table => ({
  head: ['memory of a master (resident)', ...outcomes.flatMap(({ count }) => [`${count}: before`, 'after', 'highest'])],
  rows: MASTERS.map((name) => [
    name,
    ...outcomes.flatMap(({ idle, after }) => [
      mebibytes(idle.get(name)?.resident ?? 0),
      mebibytes(after.get(name)?.resident ?? 0),
      mebibytes(after.get(name)?.peak ?? 0),
    ]),
  ]),
});

type Usages = ReadonlyMap<string, Usage>;
const processorMs = (usages: Usages, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + (usages.get(name)?.processor ?? 0), 0);
const CLUSTER = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'kube-scheduler', 'kwok'];
const processor = (outcomes: readonly Outcome[]): Table => {
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ['three masters', MASTERS],
    ['three agents', ['agent-alder', 'agent-birch', 'agent-cedar']],
    ['API server and etcd', CLUSTER.slice(0, 2)],
    ['controllers, scheduler, kwok', CLUSTER.slice(2)],
    ['devnet', ['devnet']],
    ['harness: Vaults and sidecars', ['harness']],
  ];
  const row = (name: string, spent: (outcome: Outcome) => number): string[] => [
    name,
    ...outcomes.map((outcome) => `${digits(spent(outcome) / outcome.count)} ms`),
  ];
  const ofTasks = (name: string, names: readonly string[]) =>
    row(name, ({ before, after }) => processorMs(after, names) - processorMs(before, names));
  return {
    head: ['processor time a task', ...outcomes.map(({ count }) => `${count} tasks`)],
    rows: [
      ...parts.map(([name, names]) => ofTasks(name, names)),
      ofTasks(
        'together',
        parts.flatMap(([, names]) => names),
      ),
      row('beside: a bare Job, the cluster’s part', ({ idle, afterJobs }) => processorMs(afterJobs, CLUSTER) - processorMs(idle, CLUSTER)),
    ],
  };
};

const MOST_FREQUENT = 12;
const requestTable = (outcomes: readonly Outcome[]): Table => {
  const names = (outcomes.at(-1)?.requests ?? []).slice(0, MOST_FREQUENT).map(([what]) => what);
  const each = ({ requests, count }: Outcome, what: string): number => (requests.find(([name]) => name === what)?.[1] ?? 0) / count;
  const total = ({ requests, count }: Outcome): number => requests.reduce((sum, [, n]) => sum + n, 0) / count;
  return {
    head: ['requests to the API server a task', ...outcomes.map(({ count }) => `${count} tasks`)],
    rows: [
      ['all but watches', ...outcomes.map((outcome) => digits(total(outcome)))],
      ...names.map((what) => [what, ...outcomes.map((outcome) => digits(each(outcome, what)))]),
    ],
  };
};

const faultsOf = ({ count, faults }: Outcome): string =>
  `${count} tasks: ${[...faults].map(([code, n]) => `${n} ${code}`).join(', ') || 'none'}`;

/** `counts`: how many tasks, one run each. */
export const throughput = async (counts: readonly number[]): Promise<Report> => {
  const outcomes: Outcome[] = [];
  for (const count of counts) outcomes.push(await measure(count));
  return {
    name: 'throughput',
    work: [
      `Each line on a fresh group and API server (etcd without fsync, as in the tests). A task: the demo's query at epsilon 0.01 over three Vaults, ${PODS} pods. Real: API server, controllers, scheduler, admission policies and rights of the charts, three master processes with their counters (mutual TLS on loopback, SQLite on disk), three agents, the devnet with the contracts. Fake: nodes and pods (kwok), and one process that plays Vaults and sidecars over the real gRPC; it computes nothing, but signs, attests, seals and opens as they do, and shares one connection and one stream an enterprise. Answers that the masters refused first: ${outcomes.map(faultsOf).join('; ')}.`,
    ],
    tables: [overall(outcomes), states(outcomes), memory(outcomes), processor(outcomes), requestTable(outcomes)],
  };
};
