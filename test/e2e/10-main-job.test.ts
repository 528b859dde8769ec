/**
 * The main job on a real cluster (issue "The main job, end to end"): everything that `make demo` tells, asserted; then every pod
 * of the system is killed in the middle of a task. One scene for all: setting it up takes most of the time.
 */
import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '@scs/protocol';
import { trueAnswer } from '../demo/data.ts';
import { refusals } from '../demo/refusals.ts';
import { kubectlOf } from '../cluster/kubectl.ts';
import {
  campaign,
  demoScript,
  followToEnd,
  setUp,
  signedManifest,
  slicePods,
  submit,
  taskOf,
  type PodSeen,
  type Scene,
} from '../demo/scenario.ts';
import { diagnose, installEnterprise, SYSTEM, uninstall, until } from '../demo/system.ts';
import { down, startProgram, stopProgram } from '../cluster/cluster.ts';

const TASK = 'coffee-by-age';
const MINUTES = 60_000;
let scene: Scene;
beforeAll(async () => {
  scene = await setUp('e2e', undefined, demoScript);
}, 10 * MINUTES);
afterAll(async () => {
  scene?.stop();
  await down({ purge: true });
}, 2 * MINUTES);

const asRoastery = (args: readonly string[]) =>
  scene.group.trySymphony([...args, '--keys', scene.group.keys('submitter-roastery'), '-n', 'roastery'], { KUBECONFIG: scene.as.roastery });
/** What `replay` says of a master's log, read from its pod. */
const replayed = async (master: number): Promise<string> => {
  const file = join(mkdtempSync(join(tmpdir(), 'scs-log-')), 'log');
  const log = await scene.kubectl('exec', '-n', SYSTEM, `scs-master-${master}-0`, '--', '/usr/local/bin/node', '/app/main.mjs', 'log');
  await writeFile(file, log);
  const { stdout, stderr } = await scene.group.trySymphony(
    ['replay', '-f', file, '--genesis', join(scene.group.folder, 'genesis.bin')],
    {},
  );
  return stdout + stderr;
};
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

  test('X1: the log of each master gives the certified state again', async () => {
    for (const master of [0, 1, 2]) expect(await replayed(master)).toMatch(/^ok +\d+ blocks/m);
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
    ['slice in alder', 'dispatched'],
    ['aggregator in any', 'dispatched'],
    ['vault-shoppers in birch', 'dispatched'],
    ['vault-shoppers in alder', 'resolving'],
    ['scs-agent in cedar', 'dispatched'],
    ['scs-master-0 in scs', 'dispatched'],
    ['scs-master-1 in scs', 'accepted'],
    ['scs-master-2 in scs', 'awaiting_settlement'],
    ['scs-devnet in scs', 'dispatched'],
    ['scs-devnet in scs', 'awaiting_settlement'],
  ] as const)('%s, when the task is %s', async (what, state) => {
    const name = `kill-${what.replace(/ in .*/, '').replace(/[^a-z0-9]/g, '')}-${state.replace('_', '-')}`;
    const { stderr } = await submit(scene, name, small());
    expect(stderr).toBe('');
    await until(`task ${name} to be ${state}`, 2 * MINUTES, async () => {
      const task = await taskOf(scene, name);
      return task?.status?.history?.some((h) => h.state === state) ? true : undefined;
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

describe('what goes wrong with pods and nodes: said, and mended', () => {
  const TEE = 'feature.node.kubernetes.io/cpu-security.sev.snp.enabled';
  const small = () =>
    campaign((spec) => {
      spec.privacy.epsilon = '0.02';
      spec.usage = 'analytics';
    });
  const sliceSays = (task: string, namespace: string, reason: RegExp) =>
    until(`a slice of ${task} in ${namespace} to say ${reason}`, 2 * MINUTES, async () => {
      const list = JSON.parse(await scene.kubectl('get', 'slices', '-n', namespace, '-o', 'json')) as {
        items: { spec: { taskName: string }; status?: { reason?: string; message?: string } }[];
      };
      const status = list.items.find((s) => s.spec.taskName === task && reason.test(s.status?.reason ?? ''))?.status;
      return status?.message;
    });
  const completes = async (name: string) => {
    const ended = await followToEnd(scene, name, 5 * MINUTES);
    expect([ended.status?.state, ended.status?.message]).toEqual(['completed', undefined]);
  };

  test('A2: no TEE node: the slice says what is missing; with the label it goes on', async () => {
    await scene.kubectl('label', 'nodes', '--all', `${TEE}-`);
    await submit(scene, 'no-tee', small());
    expect(await sliceSays('no-tee', 'alder', /Unschedulable/)).toMatch(/cpu-security\.sev\.snp/);
    await scene.kubectl('label', 'nodes', '--all', '--overwrite', `${TEE}=true`);
    await completes('no-tee');
  });

  test('an image that is not there: said; mended by helm upgrade', async () => {
    const { kubeconfig, group, images } = scene;
    await installEnterprise(kubeconfig, group, { ...images, executor: 'scs.local/not-there:dev' }, 'birch');
    await scene.kubectl('rollout', 'status', '-n', 'birch', 'deployment/scs-agent', '--timeout=90s');
    await submit(scene, 'no-image', small());
    expect(await sliceSays('no-image', 'birch', /Image/)).toMatch(/executor/);
    await installEnterprise(kubeconfig, group, images, 'birch');
    await completes('no-image');
  });

  test('an evicted pod is followed by another; the task was signed, then applied with kubectl', async () => {
    const signed = await signedManifest(scene, 'evicted', small());
    await (await kubectlOf(scene.as.roastery)).applyText(signed);
    const pod = await until('a slice pod in cedar', MINUTES, async () =>
      (await slicePods(scene)).find((p) => p.namespace === 'cedar' && p.role === 'slice' && p.name.startsWith('evicted')),
    );
    await scene.kubectl('create', '--raw', `/api/v1/namespaces/cedar/pods/${pod.name}/eviction`, '-f', await evictionFile(pod.name));
    await completes('evicted');
  });

  test('a node that goes away and comes back', async () => {
    await submit(scene, 'node-away', small());
    await until('a slice pod', MINUTES, async () => (await slicePods(scene)).find((p) => p.name.startsWith('node-away')));
    await stopProgram('default', 'kubelet');
    await stopProgram('default', 'containerd');
    await startProgram('default', 'containerd');
    await startProgram('default', 'kubelet');
    await completes('node-away');
  });

  test('T4: a deleted task is cancelled: nothing charged, slices gone', async () => {
    const before = await scene.group.symphony(
      'account',
      '--keys',
      scene.group.keys('submitter-roastery'),
      '--chain-url',
      `${scene.chainUrl}/v1`,
      '-o',
      'json',
    );
    await submit(scene, 'cancelled', small());
    await scene.kubectl('delete', 'task', '-n', 'roastery', 'cancelled', '--timeout=20s');
    await until('no slice of the cancelled task', 2 * MINUTES, async () =>
      (await slicePods(scene)).some((p) => p.name.startsWith('cancelled')) ? undefined : true,
    );
    const after = await scene.group.symphony(
      'account',
      '--keys',
      scene.group.keys('submitter-roastery'),
      '--chain-url',
      `${scene.chainUrl}/v1`,
      '-o',
      'json',
    );
    expect(JSON.parse(after)).toEqual(JSON.parse(before));
  });

  test('helm uninstall in the middle of a task leaves nothing hanging', async () => {
    await submit(scene, 'uninstalled', small());
    await until('a slice pod', MINUTES, async () => (await slicePods(scene)).find((p) => p.name.startsWith('uninstalled')));
    await uninstall(scene.kubeconfig, 'scs', SYSTEM);
    for (const namespace of ['alder', 'birch', 'cedar']) await uninstall(scene.kubeconfig, 'scs-enterprise', namespace);
    await until('no slice pod and no Slice', 2 * MINUTES, async () => {
      const slices = await scene.kubectl('get', 'slices', '-A', '-o', 'name');
      return slices.trim() === '' && (await slicePods(scene)).length === 0 ? true : undefined;
    });
    await scene.kubectl('delete', 'task', '-n', 'roastery', 'uninstalled', '--timeout=20s');
    await scene.kubectl('delete', 'vault', '-n', 'alder', 'shoppers', '--timeout=60s');
    await scene.kubectl('delete', 'namespace', 'roastery', 'alder', '--timeout=90s');
    // Custom resource definitions stay, and with them what users declared.
    expect(await scene.kubectl('get', 'vaults', '-A', '-o', 'name')).toMatch(/shoppers/);
  });
});

const evictionFile = async (pod: string): Promise<string> => {
  const file = join(mkdtempSync(join(tmpdir(), 'scs-eviction-')), 'eviction.json');
  await writeFile(file, JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: 'cedar' } }));
  return file;
};
