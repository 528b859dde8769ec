import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Api, apiOf, until } from './api.ts';
import { isAlive, logTail, recorded, startDaemon, stopProcess } from './daemon.ts';
import { readAccess } from './kubeconfig.ts';
import { freePorts } from './ports.ts';
import { hasCondition } from './objects.ts';
import { ensureKwok } from './tools.ts';

/** Fake nodes whose pods run nothing: kwok plays their part in the API server. For benchmarks with thousands of pods. */

export type KwokOptions = {
  /** Fake nodes; each takes as many pods as come. */
  nodes?: number;
  /** Milliseconds from a pod's start to its completion, for pods of Jobs and pods labelled `kwok.scs/complete=true`. */
  completeAfterMs?: number;
};

export type Kwok = { stop(): Promise<void> };

/** Pods meant for fake nodes select this label and tolerate the taint of the same key. */
export const fakeNodeLabel = 'kwok.scs/fake';
export const fakeNodeToleration = { key: fakeNodeLabel, operator: 'Exists', effect: 'NoSchedule' } as const;
export const completeLabel = 'kwok.scs/complete';

type Rule = { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: string[] };

const stage = (name: string, kind: 'Node' | 'Pod', rules: readonly Rule[], next: object, delayMs = 0): object => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind: 'Stage',
  metadata: { name },
  spec: {
    resourceRef: { apiGroup: 'v1', kind },
    selector: { matchExpressions: rules },
    ...(delayMs > 0 ? { delay: { durationMilliseconds: delayMs } } : {}),
    next,
  },
});

const ready = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const living: Rule = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };

const nodeStatus = `{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- { type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }} }
{{ end }}
addresses:
- { type: Hostname, address: {{ .metadata.name | Quote }} }
allocatable: { cpu: 1k, memory: 1Ti, pods: 100k }
capacity: { cpu: 1k, memory: 1Ti, pods: 100k }
phase: Running
`;

const runningStatus = `{{ $now := Now }}
conditions:
- { type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }} }
- { type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }} }
- { type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- { name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, started: true, restartCount: 0, state: { running: { startedAt: {{ $now | Quote }} } } }
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
{{ if eq .restartPolicy "Always" }}
- { name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, started: true, restartCount: 0, state: { running: { startedAt: {{ $now | Quote }} } } }
{{ else }}
- { name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0, state: { terminated: { exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} } } }
{{ end }}
{{ end }}
phase: Running
startTime: {{ $now | Quote }}
`;

const completedStatus = `{{ $now := Now }}
containerStatuses:
{{ range .spec.containers }}
- { name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: false, started: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} } } }
{{ end }}
phase: Succeeded
`;

/** kwok's configuration: its options and the stages that nodes and pods go through. Parallelism of 0, the default of the plain binary, would play none. */
export const kwokConfig = ({ completeAfterMs = 0 }: KwokOptions): string => {
  const options = {
    apiVersion: 'config.kwok.x-k8s.io/v1alpha1',
    kind: 'KwokConfiguration',
    options: {
      manageAllNodes: false,
      manageNodesWithLabelSelector: `${fakeNodeLabel}=true`,
      nodeLeaseDurationSeconds: 40,
      nodeLeaseParallelism: 4,
      nodePlayStageParallelism: 4,
      podPlayStageParallelism: 16,
    },
  };
  const running: Rule = { key: '.status.phase', operator: 'In', values: ['Running'] };
  const complete = { statusTemplate: completedStatus };
  const stages = [
    stage('node-ready', 'Node', [{ key: ready, operator: 'NotIn', values: ['True'] }], { statusTemplate: nodeStatus }),
    stage('pod-running', 'Pod', [living, { key: '.status.phase', operator: 'In', values: ['Pending'] }], { statusTemplate: runningStatus }),
    stage(
      'job-complete',
      'Pod',
      [living, running, { key: '.metadata.ownerReferences.[].kind', operator: 'In', values: ['Job'] }],
      complete,
      completeAfterMs,
    ),
    stage(
      'pod-complete',
      'Pod',
      [living, running, { key: `.metadata.labels["${completeLabel}"]`, operator: 'In', values: ['true'] }],
      complete,
      completeAfterMs,
    ),
    stage('pod-delete', 'Pod', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], { delete: true }),
  ];
  return [options, ...stages].map((document) => stringify(document)).join('---\n');
};

const fakeNode = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { [fakeNodeLabel]: 'true', 'kubernetes.io/hostname': name } },
  spec: { taints: [{ key: fakeNodeLabel, value: 'true', effect: 'NoSchedule' }] },
});

/** Starts kwok beside a cluster or control plane whose state is in `folder`, and adds fake nodes. Builds kwok first where the cache lacks it. */
export const startKwok = async (folder: string, kubeconfig: string, options: KwokOptions = {}): Promise<Kwok> => {
  const command = await ensureKwok();
  mkdirSync(join(folder, 'kwok'), { recursive: true });
  const config = join(folder, 'kwok', 'kwok.yaml');
  writeFileSync(config, kwokConfig(options));
  await stopKwok(folder);
  const [port = 0] = await freePorts(1);
  const args = ['--kubeconfig', kubeconfig, '--config', config, '--server-address', `127.0.0.1:${port}`, '--v=warn'];
  const record = await startDaemon(folder, { name: 'kwok', command, args }, true);
  const api = apiOf(readAccess(kubeconfig));
  const names = Array.from({ length: options.nodes ?? 4 }, (_, number) => `fake-${number}`);
  try {
    await addNodes(api, names, () => (isAlive(record) ? undefined : `kwok ended:\n${logTail(folder, 'kwok')}`));
  } catch (error) {
    await stopKwok(folder);
    throw error;
  } finally {
    api.close();
  }
  return { stop: () => stopAndRemove(folder, kubeconfig, names) };
};

const addNodes = async (api: Api, names: readonly string[], failed: () => string | undefined): Promise<void> => {
  for (const name of names) await api.apply(`/api/v1/nodes/${name}`, fakeNode(name));
  for (const name of names) {
    const isReady = async (): Promise<true | undefined> =>
      hasCondition(await api.get(`/api/v1/nodes/${name}`), 'Ready') ? true : undefined;
    await until(`fake node ${name} ready`, isReady, { timeoutMs: 30_000, failed });
  }
};

const stopKwok = async (folder: string): Promise<void> => {
  const record = recorded(folder).find(({ name }) => name === 'kwok');
  if (record !== undefined) await stopProcess(folder, record, 2_000);
};

const stopAndRemove = async (folder: string, kubeconfig: string, names: readonly string[]): Promise<void> => {
  await stopKwok(folder);
  const api = apiOf(readAccess(kubeconfig));
  try {
    for (const name of names) await api.send('DELETE', `/api/v1/nodes/${name}`);
  } finally {
    api.close();
  }
};
