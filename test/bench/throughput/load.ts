/** Tasks through the whole lifecycle: signed before, applied as their submitter, followed to the end by a watch. */
import { API_VERSION, type Task } from '@scs/protocol';
import { startInformer } from '@scs/operator/kube/informer.ts';
import { scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { generateSealKey } from '@scs/proto';
import { until } from '../../cluster/api.ts';
import { EPSILON, MAX_FEE, SUBMITTER, type BenchGroup } from './group.ts';
import { Lane } from './lane.ts';
import type { BenchSystem } from './system.ts';

export const AT_A_TIME = 16;
/** Without any news of a task for so long, the run has failed. */
const STALLED_MS = 120_000;
type TaskObject = KubeObject & Pick<Task, 'spec' | 'status'>;

export interface Followed {
  /** Civil time, milliseconds. */
  readonly applied: number;
  readonly ended: number;
  readonly history: NonNullable<NonNullable<Task['status']>['history']>;
}
export interface Run {
  /** From the first create to the last task seen completed, milliseconds. */
  readonly elapsed: number;
  /** To the last create's answer. */
  readonly applying: number;
  readonly tasks: readonly Followed[];
}

const signedTasks = async (group: BenchGroup, count: number): Promise<TaskObject[]> => {
  const { publicKey: resultKey } = await generateSealKey();
  const expiry = new Date(Date.now() + 12 * 3_600_000).toISOString();
  return Array.from({ length: count }, (_, i) => {
    const task = aTask().named(`bench-${i}`).epsilon(EPSILON).maxFee(MAX_FEE).deadline(14_400).expiring(expiry).with({ resultKey });
    const { name, namespace, spec } = task.signed(group.genesis);
    return { apiVersion: API_VERSION, kind: 'Task', metadata: { name, namespace }, spec };
  });
};

const ENDED: ReadonlySet<string | undefined> = new Set(['completed', 'rejected', 'timed_out']);

/** Throws when a task ends otherwise than completed, or none ends for long. */
export const runTasks = async (system: BenchSystem, count: number): Promise<Run> => {
  const objects = await signedTasks(system.group, count);
  const applied = new Map<string, number>();
  const ended = new Map<string, { at: number; object: TaskObject }>();
  let heard = Date.now();
  const stopping = new AbortController();
  const informer = startInformer<TaskObject>({
    cluster: system.cluster,
    kind: scpKind('Task'),
    namespace: SUBMITTER,
    signal: stopping.signal,
    onChange: ({ object }) => {
      heard = Date.now();
      if (!ENDED.has(object.status?.state) || ended.has(object.metadata.name)) return;
      ended.set(object.metadata.name, { at: heard, object });
    },
  });
  try {
    await informer.hasSynced();
    const lane = new Lane(AT_A_TIME);
    const start = Date.now();
    await Promise.all(
      objects.map((object) =>
        lane.run(async () => {
          applied.set(object.metadata.name, Date.now());
          await system.asSubmitter.create(object);
        }),
      ),
    );
    const applying = Date.now() - start;
    const failed = (): string | undefined => {
      system.mustLive();
      if (Date.now() - heard < STALLED_MS) return undefined;
      const stuck = system.enterprises.map((enterprise) => enterprise.unfinished()).join('\n');
      return `no news for ${STALLED_MS / 1000} s; ${stateCounts(informer.list())}\n${stuck}`;
    };
    heard = Date.now();
    await until(`${count} tasks to end`, async () => (ended.size === count ? true : undefined), { timeoutMs: 3_600_000, failed });
    const tasks = [...ended].map(([name, { at, object }]) => ({ applied: applied.get(name)!, ended: at, history: historyOf(object) }));
    return { elapsed: Math.max(...tasks.map((task) => task.ended)) - start, applying, tasks };
  } finally {
    stopping.abort();
  }
};

const stateCounts = (objects: readonly TaskObject[]): string => {
  const counts = new Map<string, number>();
  for (const { status } of objects) counts.set(status?.state ?? 'none', (counts.get(status?.state ?? 'none') ?? 0) + 1);
  return [...counts].map(([state, n]) => `${n} ${state}`).join(', ');
};
const historyOf = ({ metadata, status }: TaskObject): Followed['history'] => {
  if (status?.state !== 'completed') throw new Error(`task ${metadata.name} ended ${status?.state}: ${status?.reason} ${status?.message}`);
  return status.history ?? [];
};
