/** Apply to completed for the demo's task on the embedded cluster, beside a bare Job of three pods on the same one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Task } from '@scs/protocol';
import { apiOf, until, type Api } from '../cluster/api.ts';
import { kubeconfigPath, loadImages, userKubeconfig } from '../cluster/cluster.ts';
import { buildNodeImage } from '../cluster/images.ts';
import { readAccess } from '../cluster/kubeconfig.ts';
import { kubectlOf } from '../cluster/kubectl.ts';
import { step } from '../cluster/progress.ts';
import { makeGroup, type Group } from '../demo/group.ts';
import { groupFolder, repository } from '../demo/folders.ts';
import { demoScript, setUp } from '../demo/scenario.ts';
import { decodeGenesis } from '@scs/protocol';
import { digits, median, milliseconds, seconds, times } from './figures.ts';
import type { Report } from './report.ts';

const EPSILON = '0.02';
const LOOK_MS = 50;

interface Stage {
  readonly kubeconfig: string;
  readonly submitter: string;
  readonly group: Group;
  readonly stop: () => void;
}
/** With `attach`, the demo that already runs; else a demo's cluster made anew. */
const stageOf = async (attach: boolean): Promise<Stage> => {
  if (!attach) {
    const scene = await setUp('bench', undefined, demoScript);
    return { kubeconfig: scene.kubeconfig, submitter: scene.as.roastery, group: scene.group, stop: scene.stop };
  }
  const measurement = decodeGenesis(readFileSync(join(groupFolder('demo'), 'genesis.bin'))).policy.enclave.measurements[0] ?? '';
  const group = await makeGroup('demo', measurement, false);
  return { kubeconfig: kubeconfigPath(), submitter: userKubeconfig('roastery'), group, stop: () => undefined };
};

interface Measured {
  readonly ms: number;
  /** Milliseconds in each state. */
  readonly states: readonly { readonly state: string; readonly ms: number }[];
}

/** Signed by the plugin before the clock starts. */
const signedTask = async ({ group, submitter }: Stage, name: string): Promise<unknown> => {
  const file = join(group.folder, 'bench-task.yaml');
  const text = readFileSync(join(repository, 'examples/campaign/task.yaml'), 'utf8').replace(/epsilon: .*/, `epsilon: "${EPSILON}"`);
  writeFileSync(file, text);
  const words = ['sign', '-f', file, '--name', name, '--keys', group.keys('submitter-roastery')];
  const { code, stdout, stderr } = await group.trySymphony(words, { KUBECONFIG: submitter });
  if (code !== 0) throw new Error(stderr);
  return parse(stdout) as unknown;
};

const oneTask = async (api: Api, stage: Stage, name: string): Promise<Measured> => {
  const signed = await signedTask(stage, name);
  const tasks = '/apis/scp.symphony.foundation/v1alpha1/namespaces/roastery/tasks';
  const start = Date.now();
  const answer = await api.send('POST', tasks, signed);
  if (answer.status !== 201) throw new Error(`the task was refused: ${answer.body.slice(0, 500)}`);
  const ended = await until(
    `task ${name} to complete`,
    async () => {
      const task = (await api.get(`${tasks}/${name}`)) as Task;
      return ['completed', 'rejected', 'timed_out'].includes(task.status?.state ?? '') ? task : undefined;
    },
    { timeoutMs: 300_000, everyMs: LOOK_MS },
  );
  const end = Date.now();
  if (ended.status?.state !== 'completed') throw new Error(`the task ended ${ended.status?.state}: ${ended.status?.message}`);
  const history = ended.status.history ?? [];
  const at = history.map(({ time }) => Date.parse(time));
  const states = history.map(({ state }, i) =>
    at[i + 1] === undefined ? { state: `${state}, until seen in the status`, ms: end - at[i]! } : { state, ms: at[i + 1]! - at[i]! },
  );
  return { ms: end - start, states: [{ state: 'create to accepted', ms: at[0]! - start }, ...states] };
};

const oneJob = async (api: Api, name: string, image: string): Promise<number> => {
  const jobs = '/apis/batch/v1/namespaces/default/jobs';
  const container = { name: 'node', image, imagePullPolicy: 'IfNotPresent', args: ['-e', '0'] };
  const start = Date.now();
  const answer = await api.send('POST', jobs, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { completions: 3, parallelism: 3, template: { spec: { restartPolicy: 'Never', containers: [container] } } },
  });
  if (answer.status !== 201) throw new Error(`the Job was refused: ${answer.body.slice(0, 500)}`);
  await until(
    `Job ${name} to complete`,
    async () => {
      const { status } = (await api.get(`${jobs}/${name}`)) as { status?: { conditions?: { type: string; status: string }[] } };
      return status?.conditions?.some((c) => c.type === 'Complete' && c.status === 'True') ? true : undefined;
    },
    { timeoutMs: 120_000, everyMs: LOOK_MS },
  );
  return Date.now() - start;
};

const stateRows = (runs: readonly Measured[]): string[][] =>
  (runs[0]?.states ?? []).map(({ state }, i) => {
    const values = runs.map(({ states }) => states[i]?.ms ?? 0);
    return [state, milliseconds(median(values)), milliseconds(Math.min(...values)), milliseconds(Math.max(...values))];
  });

export const latency = async (quick: boolean, attach: boolean): Promise<Report> => {
  const runs = quick ? 2 : 5;
  const image = await buildNodeImage();
  const stage = await stageOf(attach);
  const [submitter, admin] = [apiOf(readAccess(stage.submitter)), apiOf(readAccess(stage.kubeconfig))];
  const mark = Date.now().toString(36);
  try {
    await loadImages([image]);
    const [tasks, jobs]: [Measured[], number[]] = [[], []];
    for (let i = 0; i < runs; i++) {
      tasks.push(await step(`task ${i + 1} of ${runs}`, () => oneTask(submitter, stage, `bench-${mark}-${i}`)));
      jobs.push(await step(`bare Job ${i + 1} of ${runs}`, () => oneJob(admin, `bench-${mark}-${i}`, image.ref)));
    }
    const kubectl = await kubectlOf(stage.kubeconfig);
    for (let i = 0; i < runs; i++) await kubectl('delete', 'job', '-n', 'default', `bench-${mark}-${i}`);
    const [task, job] = [median(tasks.map(({ ms }) => ms)), median(jobs)];
    const spread = (values: readonly number[]): string => `${digits(Math.min(...values) / 1000)} to ${seconds(Math.max(...values))}`;
    return {
      name: 'latency',
      work: [
        `The embedded cluster with the demo's system and data. ${runs} tasks (the campaign's query, epsilon ${EPSILON}), one after the other, each followed by a bare Job of three pods of a Node image that end at once. Both from the POST of a ready manifest until a reader who looks each ${LOOK_MS} ms sees the end.`,
      ],
      tables: [
        {
          head: ['apply to completed', 'median', 'range', 'times'],
          rows: [
            ['task: 3 slices and 1 aggregator, 4 pods', seconds(task), spread(tasks.map(({ ms }) => ms)), times(task, job)],
            ['bare Job, 3 pods', seconds(job), spread(jobs), '1'],
          ],
        },
        { head: ['the task by state (log time)', 'median', 'least', 'most'], rows: stateRows(tasks) },
      ],
    };
  } finally {
    submitter.close();
    admin.close();
    stage.stop();
  }
};
