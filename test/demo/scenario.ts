/** The main job as steps that the demo narrates and e2e asserts. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Task, TaskState, TaskStatus } from '@scs/protocol';
import { kubectlOf } from '../cluster/kubectl.ts';
import { step } from '../cluster/progress.ts';
import { buildImages, embeddedCluster, namedCluster, type ClusterUnderTest } from './cluster-under-test.ts';
import { enterprises, prepareData, type DemoData, type Enterprise } from './data.ts';
import { repository } from './folders.ts';
import { demoFiles, makeGroup, type Group, type GroupFiles } from './group.ts';
import {
  diagnose,
  installEnterprise,
  installMasters,
  loadRecords,
  openSystem,
  prepareNamespaces,
  settleChain,
  submitterNamespaces,
  SYSTEM,
  until,
  vaultManifest,
  waitForPod,
  type Images,
  type System,
} from './system.ts';

/** What differs between scenes: what the group begins with, its Vaults' manifests and their records. */
export interface Script<Data> {
  /** Shown while it is prepared. */
  readonly records: string;
  readonly prepare: () => Promise<Data>;
  readonly files: GroupFiles;
  /** Helm arguments of each enterprise, beside the usual. */
  readonly enterpriseValues: readonly string[];
  /** Objects as text: the Vault, and what it needs before it starts. */
  readonly manifest: (group: Group, enterprise: Enterprise) => string;
  readonly load: (kubectl: System['kubectl'], enterprise: Enterprise, data: Data) => Promise<void>;
}
export const demoScript: Script<DemoData> = {
  records: 'records: The Complete Journey, 1,469,307 grocery transactions, split over three Vaults',
  prepare: prepareData,
  files: demoFiles,
  enterpriseValues: [],
  manifest: vaultManifest,
  load: loadRecords,
};

export interface Scene<Data = DemoData> extends System {
  readonly cluster: ClusterUnderTest;
  readonly data: Data;
  readonly images: Images;
  /** kubeconfig of a submitter. */
  readonly as: Readonly<Record<'roastery' | 'stranger', string>>;
}
export const ESCROW = '200';

/** Everything up to "a submitter may submit". */
export const setUp = async <Data>(name: string, context: string | undefined, script: Script<Data>): Promise<Scene<Data>> => {
  const data = await step(script.records, script.prepare);
  const { built, images, measurement } = await step('images, without Docker', buildImages);
  const cluster = context ? await namedCluster(context) : await embeddedCluster(true);
  const { kubeconfig } = cluster;
  await step('loading the images into the cluster', () => cluster.load(built));
  const group = await step('keys and genesis: three masters, three enterprises, two submitters', () =>
    makeGroup(name, measurement, true, script.files),
  );
  const kubectl = await kubectlOf(kubeconfig);
  if (context) await step('removing what an earlier demo left in the cluster', () => removeSystem(kubectl));
  await step('namespaces and Secrets', () => prepareNamespaces(kubectl, group));
  await step('helm install scs: three masters, admission policies, the embedded devnet (not Aptos)', () =>
    installMasters(kubeconfig, group, images),
  );
  await waitForPod(kubectl, SYSTEM, 'scs-devnet-0');
  const system = await openSystem(kubeconfig, group);
  try {
    await step('contracts: publish, initialise from the genesis', () => settleChain(system.chainUrl, group));
    await step('helm install scs-enterprise, three times', async () => {
      for (const enterprise of enterprises) await installEnterprise(kubeconfig, group, images, enterprise, script.enterpriseValues);
    });
    await step('masters agree, and refuse a forged submitter', () => mastersReady(system));
    await step('three Vaults: declare, load records and consents', async () => {
      for (const enterprise of enterprises) await kubectl.applyText(script.manifest(group, enterprise));
      await Promise.all(enterprises.map((enterprise) => waitForPod(kubectl, enterprise, 'vault-shoppers-0')));
      for (const enterprise of enterprises) await script.load(kubectl, enterprise, data);
    });
    await step('Vaults register with the masters', () => vaultsReady(system));
    for (const submitter of submitterNamespaces)
      await group.symphony('fund', ESCROW, '--keys', group.keys(`submitter-${submitter}`), '--chain-url', `${system.chainUrl}/v1`);
    const as = { roastery: await cluster.userKubeconfig('roastery'), stranger: await cluster.userKubeconfig('stranger') };
    return { ...system, cluster, data, images, as };
  } catch (cause) {
    process.stderr.write(`${await diagnose(kubeconfig)}\n`);
    system.stop();
    throw cause;
  }
};

const removeSystem = async (kubectl: System['kubectl']): Promise<void> => {
  for (const namespace of [SYSTEM, ...enterprises, ...submitterNamespaces])
    await kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--timeout=120s');
};

const mastersReady = ({ kubectl }: System): Promise<unknown> =>
  kubectl('wait', '-n', SYSTEM, 'pod', '-l', 'app.kubernetes.io/name=scs-master', '--for=condition=Ready', '--timeout=180s');
const vaultsReady = async ({ kubectl }: System): Promise<void> => {
  for (const namespace of enterprises) await kubectl('wait', '-n', namespace, 'vault/shoppers', '--for=condition=Ready', '--timeout=180s');
};

/** A task of examples/ as its file says, with changes. */
export const example = (file: string, change: (spec: TaskManifest['spec']) => void = () => undefined): TaskManifest => {
  const manifest = parse(readFileSync(join(repository, 'examples', file), 'utf8')) as TaskManifest;
  change(manifest.spec);
  return manifest;
};
/** The campaign's. */
export const campaign = (change?: (spec: TaskManifest['spec']) => void): TaskManifest => example('campaign/task.yaml', change);
export interface TaskManifest {
  readonly metadata: { name: string; namespace: string };
  readonly spec: {
    submitter?: string;
    usage: string;
    maxFee: string;
    query: {
      domain: string;
      where: { attribute: string; in?: string[]; from?: string; until?: string }[];
      groupBy?: string;
      measures?: { kind: 'sum' | 'mean' | 'quantile'; attribute: string; clipAt?: number; rank?: string }[];
    };
    privacy: { epsilon: string; minimumResultCardinality: number };
    coordination?: { quorum: number };
    deadlineSeconds?: number;
  };
}

type Submitter = 'roastery' | 'stranger';
type Stage = Pick<Scene, 'group' | 'as'>;
/** Where the manifest of task `name` is written to. */
export const manifestFile = async (scene: Pick<Stage, 'group'>, name: string, manifest: TaskManifest): Promise<string> => {
  const file = join(scene.group.folder, `task-${name}.yaml`);
  await writeFile(file, stringify({ ...manifest, metadata: { ...manifest.metadata, name } }));
  return file;
};
/** Signs with `keys` and creates as Kubernetes user `as`. Resolves with exit code and both streams. */
export const submit = async (scene: Stage, name: string, manifest: TaskManifest, as: Submitter = 'roastery') => {
  const file = await manifestFile(scene, name, manifest);
  return scene.group.trySymphony(['submit', '-f', file, '--keys', scene.group.keys(`submitter-${as}`)], { KUBECONFIG: scene.as[as] });
};
/** Signed, as text for kubectl apply. */
export const signedManifest = async (scene: Stage, name: string, manifest: TaskManifest, keys: Submitter = 'roastery'): Promise<string> =>
  scene.group.symphony('sign', '-f', await manifestFile(scene, name, manifest), '--keys', scene.group.keys(`submitter-${keys}`));

export const taskOf = async ({ kubectl }: Pick<System, 'kubectl'>, name: string, namespace = 'roastery'): Promise<Task | undefined> => {
  const { code, stdout } = await kubectl.attempt('get', 'task', '-n', namespace, name, '-o', 'json');
  return code === 0 ? (JSON.parse(stdout) as Task) : undefined;
};

/** Waits until a task has been in `state`, or has ended. */
export const followTo = (scene: Pick<System, 'kubectl'>, name: string, state: TaskState, timeoutMs: number): Promise<Task> =>
  until(`task ${name} to be ${state}`, timeoutMs, async () => {
    const task = await taskOf(scene, name);
    return ENDED.has(task?.status?.state) || task?.status?.history?.some((entry) => entry.state === state) ? task : undefined;
  });

const ENDED = new Set<string | undefined>(['completed', 'rejected', 'timed_out']);
/** Follows a task to its end; `onChange` hears of each transition once. */
export const followToEnd = async (
  scene: System,
  name: string,
  timeoutMs: number,
  onChange: (entry: NonNullable<TaskStatus['history']>[number]) => void = () => undefined,
  namespace = 'roastery',
): Promise<Task> => {
  let seen = 0;
  return until(`task ${name} to end`, timeoutMs, async () => {
    const task = await taskOf(scene, name, namespace);
    for (const entry of task?.status?.history?.slice(seen) ?? []) {
      seen += 1;
      onChange(entry);
    }
    return ENDED.has(task?.status?.state) ? task : undefined;
  });
};

export interface PodSeen {
  readonly namespace: string;
  readonly name: string;
  readonly role: string;
  readonly containers: readonly string[];
}
/** Pods of slices that exist now. */
export const slicePods = async ({ kubectl }: System): Promise<PodSeen[]> => {
  const list = JSON.parse(await kubectl('get', 'pods', '-A', '-l', 'app.kubernetes.io/name=scs-slice', '-o', 'json')) as {
    items: {
      metadata: { namespace: string; name: string; labels: Record<string, string> };
      spec: { containers: { name: string }[]; initContainers?: { name: string }[] };
    }[];
  };
  return list.items.map(({ metadata, spec }) => ({
    namespace: metadata.namespace,
    name: metadata.name,
    role: metadata.labels['app.kubernetes.io/component'] ?? '',
    containers: [...(spec.initContainers ?? []), ...spec.containers].map((c) => c.name),
  }));
};
