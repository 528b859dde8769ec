/** `make demo`: the main job, told step by step. With --context NAME on an existing cluster. */
import { parseArgs } from 'node:util';
import { kubeconfigPath } from '../cluster/cluster.ts';
import { interrupt, Interrupted } from '../cluster/interrupt.ts';
import { step } from '../cluster/progress.ts';
import { stopCommands } from '../cluster/run.ts';
import { trueAnswer } from './data.ts';
import { refusals } from './refusals.ts';
import { campaign, demoScript, followToEnd, setUp, slicePods, submit, type PodSeen, type Scene } from './scenario.ts';
import { SYSTEM } from './system.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const title = (text: string): void => say(`\n\u001b[1m${text}\u001b[0m`);
const TASK = 'coffee-by-age';

const runCampaign = async (scene: Scene): Promise<void> => {
  title('The question: households that bought coffee in the last 90 days of the data, by age, for marketing');
  const started = Date.now();
  const submitted = await submit(scene, TASK, campaign());
  if (submitted.code !== 0) throw new Error(submitted.stderr);
  say(submitted.stdout.trim());
  const pods = new Map<string, PodSeen>();
  const look = async () => {
    for (const pod of await slicePods(scene)) pods.set(`${pod.namespace}/${pod.name}`, pod);
  };
  const ended = await followToEnd(scene, TASK, 300_000, (entry) => {
    say(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${entry.state.padEnd(20)} height ${entry.height}`);
    void look().catch(() => undefined);
  });
  if (ended.status?.state !== 'completed') throw new Error(`the task ended ${ended.status?.state}: ${ended.status?.message}`);
  say('pods of slices seen:');
  for (const pod of pods.values()) say(`  ${pod.namespace}/${pod.name}  ${pod.role}: ${pod.containers.join(' + ')}`);
  say(`settled in batch ${ended.status.settlement?.batch}, transaction ${ended.status.settlement?.transaction}`);
};

const showResult = async (scene: Scene): Promise<void> => {
  const { group, chainUrl, as, data } = scene;
  const asRoastery = { KUBECONFIG: as.roastery };
  const keys = ['--keys', group.keys('submitter-roastery'), '-n', 'roastery'];
  title('kubectl symphony result: only the submitter can open it');
  say((await group.trySymphony(['result', `task/${TASK}`, ...keys], asRoastery)).stdout.trimEnd());
  title('kubectl symphony verify: the chain of proof, from manifest to transaction');
  const verified = await group.trySymphony(['verify', `task/${TASK}`, ...keys, '--chain-url', `${chainUrl}/v1`], asRoastery);
  say(verified.stdout.trimEnd());
  if (verified.code !== 0) throw new Error(verified.stderr);
  title('The true answer, by plain SQL on the raw files with the same consents (nobody in the protocol ever sees it)');
  for (const { label, count } of await trueAnswer(data, '2017-10-04', '2018-01-02')) say(`${label.padEnd(12)} ${count}`);
};

const showFees = async (scene: Scene): Promise<void> => {
  const { group, chainUrl, kubectl } = scene;
  title('The fee');
  const fee = JSON.parse(await kubectl('get', 'task', '-n', 'roastery', TASK, '-o', 'jsonpath={.status.fee}')) as Record<string, string>;
  say(`locked at most ${fee['maximum']} SYM, quoted ${fee['quoted']}, charged ${fee['charged']}, freed ${fee['freed']}`);
  for (const identity of ['submitter-roastery', 'enterprise-alder', 'enterprise-birch', 'enterprise-cedar']) {
    const { stdout } = await group.trySymphony(['account', '--keys', group.keys(identity), '--chain-url', `${chainUrl}/v1`, '-o', 'json'], {
      KUBECONFIG: scene.kubeconfig,
    });
    const account = JSON.parse(stdout) as Record<string, string>;
    say(`${identity.padEnd(20)} escrow ${account['escrow']?.padEnd(14)} claimable ${account['claimable']}`);
  }
};

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: { context: { type: 'string' } } });
  const started = Date.now();
  const scene = await setUp('demo', values.context, demoScript);
  try {
    await runCampaign(scene);
    await showResult(scene);
    await showFees(scene);
    title('What is refused, and what it says');
    for (const refusal of refusals) {
      const seen = await step(refusal.what, () => refusal.show(scene));
      for (const line of seen.lines) say(`    ${line}`);
      if (!seen.asExpected) throw new Error(`expected ${refusal.expected}`);
    }
    title('kubectl symphony masters: who leads, whose counter counts');
    say((await scene.group.trySymphony(['masters', '-n', SYSTEM], { KUBECONFIG: scene.kubeconfig })).stdout.trimEnd());
    title(`Done in ${Math.round((Date.now() - started) / 1000)} s. The cluster goes on; look around:`);
    say(`  export KUBECONFIG=${values.context ? scene.kubeconfig : kubeconfigPath()} PATH=${scene.group.bin}:$PATH`);
    say('  kubectl get scp -A; kubectl describe task -n roastery; kubectl symphony help');
    say('  make clean-cluster removes every trace.');
  } finally {
    scene.stop();
  }
};

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupt();
    stopCommands();
    process.stderr.write('\nstopping; make clean-cluster removes what was started\n');
    setTimeout(() => process.exit(130), 5_000).unref();
  });
try {
  await main();
} catch (cause) {
  process.exitCode = cause instanceof Interrupted ? 130 : 1;
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
}
process.exit();
