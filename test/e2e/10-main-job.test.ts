/**
 * The main job on a real cluster (issue "The main job, end to end"): everything that `make demo` tells, asserted; then every pod
 * of the system is killed in the middle of a task. One scene for all: setting it up takes most of the time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '@scs/protocol';
import { trueAnswer } from '../demo/data.ts';
import { refusals } from '../demo/refusals.ts';
import { campaign, followToEnd, setUp, slicePods, submit, taskOf, type PodSeen, type Scene } from '../demo/scenario.ts';
import { diagnose, SYSTEM, until } from '../demo/system.ts';

const TASK = 'coffee-by-age';
const MINUTES = 60_000;
let scene: Scene;
beforeAll(async () => {
  scene = await setUp('e2e', undefined);
}, 10 * MINUTES);
afterAll(() => scene?.stop());

const asRoastery = (args: readonly string[]) =>
  scene.group.trySymphony([...args, '--keys', scene.group.keys('submitter-roastery'), '-n', 'roastery'], { KUBECONFIG: scene.as.roastery });
const states = (task: Task) => task.status?.history?.map((h) => h.state);
const FORWARD = ['accepted', 'resolving', 'dispatched', 'verifying', 'awaiting_settlement', 'completed'];

describe('one query across three Vaults', () => {
  let done: Task;
  const pods = new Map<string, PodSeen>();

  test('T2: it goes through every state to completed, settled on chain', async () => {
    const submitted = await submit(scene, TASK, campaign());
    expect(submitted.stderr).toBe('');
    const watching = new AbortController();
    const watch = (async () => {
      while (!watching.signal.aborted) {
        for (const pod of await slicePods(scene)) pods.set(`${pod.namespace}/${pod.name}`, pod);
        await sleep(300);
      }
    })();
    done = await followToEnd(scene, TASK, 5 * MINUTES).catch(async (cause: unknown) => {
      throw new Error(`${String(cause)}\n${await diagnose(scene.kubeconfig)}`);
    });
    watching.abort();
    await watch;
    expect(done.status?.message).toBeUndefined();
    expect(states(done)).toEqual(FORWARD);
    expect(done.status?.settlement?.transaction).toMatch(/^0x[0-9a-f]{64}$/);
  });

  test('M1, A2: one slice a Vault with its enclave sidecar, one aggregator that is not the submitter', () => {
    const slices = [...pods.values()].filter((p) => p.role === 'slice');
    expect(new Set(slices.map((p) => p.namespace))).toEqual(new Set(['alder', 'birch', 'cedar']));
    for (const pod of slices) expect(pod.containers).toEqual(['enclave-sidecar', 'executor']);
    expect([...pods.values()].filter((p) => p.role === 'aggregator')).toHaveLength(1);
  });

  test('kubectl wait, describe and get show it', async () => {
    const { kubectl } = scene;
    await kubectl('wait', '-n', 'roastery', `task/${TASK}`, '--for=condition=Completed', '--timeout=5s');
    expect(await kubectl('get', 'tasks', '-n', 'roastery')).toMatch(/completed/);
    expect(await kubectl('describe', 'task', '-n', 'roastery', TASK)).toMatch(/Completed/);
    expect(await kubectl('get', 'settlements')).toMatch(/finalized/);
  });

  test("M5, B7: the result opens with the submitter's key, near the true answer", async () => {
    const { stdout, stderr } = await asRoastery(['result', `task/${TASK}`, '-o', 'json']);
    expect(stderr).toBe('');
    const result = JSON.parse(stdout) as { halfWidth95: number; vaults: number; cells: { label: string; count?: number }[] };
    expect(result.vaults).toBe(3);
    const truth = await trueAnswer(scene.data, '2017-10-04', '2018-01-02');
    expect(result.cells.map((c) => c.label)).toEqual(truth.map((c) => c.label));
    // Five half widths: the chance to fail by noise is below one in a thousand million, so this does not flicker.
    for (const [i, cell] of result.cells.entries()) expect(Math.abs(cell.count! - truth[i]!.count)).toBeLessThan(5 * result.halfWidth95);
    const text = await asRoastery(['result', `task/${TASK}`]);
    expect(text.stdout).toMatch(/95 % interval/);
  });

  test('M5: nobody else opens it', async () => {
    const { code, stderr } = await scene.group.trySymphony(
      ['result', `task/${TASK}`, '--keys', scene.group.keys('submitter-stranger'), '-n', 'roastery'],
      { KUBECONFIG: scene.as.roastery },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/ResultKeyWrong/);
  });

  test('N6, P3: verify holds, from manifest to transaction', async () => {
    const { code, stdout, stderr } = await asRoastery(['verify', `task/${TASK}`, '--chain-url', `${scene.chainUrl}/v1`]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/FAIL/);
    expect(stdout).toMatch(/^ok +chain /m);
  });

  test('K2, K10: charged the quote, never more; the rest is free again', () => {
    const fee = done.status?.fee;
    expect(fee?.charged).toBe(fee?.quoted);
    expect(Number(fee?.charged)).toBeLessThanOrEqual(Number(fee?.maximum));
    expect(Number(fee?.freed)).toBeCloseTo(Number(fee?.maximum) - Number(fee?.charged), 8);
  });

  test('no secret, subject or count in logs, status or events', async () => {
    const { kubectl } = scene;
    for (const namespace of ['alder', 'birch', 'cedar', SYSTEM]) {
      const logs = await kubectl(
        'logs',
        '-n',
        namespace,
        '-l',
        'app.kubernetes.io/part-of=symphony',
        '--all-containers',
        '--tail=-1',
        '--prefix',
      );
      expect(logs).not.toMatch(/household-\d/);
    }
    expect(await kubectl('get', 'events', '-A', '-o', 'json')).not.toMatch(/household-\d/);
  });
});

describe('refusals, each with reason and advice', () => {
  for (const refusal of refusals)
    test(`${refusal.expected}: ${refusal.what}`, async () => {
      const seen = await refusal.show(scene);
      expect(seen, seen.lines.join('\n')).toMatchObject({ asExpected: true });
    });
});

describe('kill any pod in the middle of a task: it completes, with the same charge', () => {
  /** Small epsilon: these tasks must not run into the budget. */
  const small = () =>
    campaign((spec) => {
      spec.privacy.epsilon = '0.02';
      spec.usage = 'analytics';
    });
  const podOf = async (what: string, task: string): Promise<{ namespace: string; name: string } | undefined> => {
    const [kind, namespace] = what.split(' in ');
    if (kind === 'slice' || kind === 'aggregator') {
      const found = (await slicePods(scene)).find(
        (p) => p.role === kind && p.name.startsWith(task) && (kind === 'aggregator' || p.namespace === namespace),
      );
      return found && { namespace: found.namespace, name: found.name };
    }
    const { stdout } = await scene.kubectl.attempt('get', 'pods', '-n', namespace!, '-o', 'name');
    const name = stdout.split('\n').find((line) => line.startsWith(`pod/${kind}`));
    return name ? { namespace: namespace!, name: name.slice('pod/'.length) } : undefined;
  };

  let charge: string | undefined;
  test.each([
    ['slice in alder'],
    ['aggregator in any'],
    ['vault-shoppers in birch'],
    ['scs-agent in cedar'],
    ['scs-master-0 in scs'],
    ['scs-master-1 in scs'],
    ['scs-master-2 in scs'],
    ['scs-devnet in scs'],
  ])('%s', async (what) => {
    const name = `kill-${what.replace(/ in .*/, '').replace(/[^a-z0-9]/g, '')}`;
    const { stderr } = await submit(scene, name, small());
    expect(stderr).toBe('');
    await until(`task ${name} to be dispatched`, 2 * MINUTES, async () => {
      const task = await taskOf(scene, name);
      return task?.status?.history?.some((h) => h.state === 'dispatched') ? true : undefined;
    });
    const pod = await until(`a pod of ${what}`, MINUTES, () => podOf(what, name));
    await scene.kubectl('delete', 'pod', '-n', pod.namespace, pod.name, '--grace-period=0', '--force', '--ignore-not-found');
    const ended = await followToEnd(scene, name, 5 * MINUTES).catch(async (cause: unknown) => {
      throw new Error(`${String(cause)}\n${await diagnose(scene.kubeconfig)}`);
    });
    expect([ended.status?.state, ended.status?.message]).toEqual(['completed', undefined]);
    charge ??= ended.status?.fee?.charged;
    expect(ended.status?.fee?.charged).toBe(charge);
  });
});
