import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyAddons } from './addons.ts';
import { type Api, apiOf, until } from './api.ts';
import { nodeAddress, type Rate, usualRate } from './components.ts';
import { runControlPlane, stopControlPlane, writeSchedulerFiles } from './control-plane.ts';
import { isAlive, logTail, type Program, type ProcessRecord, recorded, startDaemon, stopProcess } from './daemon.ts';
import { ensureSystemPrograms, pluginFolder } from './debian.ts';
import { buildCorednsImage, buildPauseImage, type Image } from './images.ts';
import { readAccess } from './kubeconfig.ts';
import { removeLeftovers } from './leftovers.ts';
import { importImages } from './load.ts';
import { withLock } from './lock.ts';
import { interfaceExists, makeNetwork, removeNetwork } from './network.ts';
import {
  containerdConfig,
  containerdSocket,
  kubeletConfig,
  kubeletFlags,
  kubeProxyConfig,
  networkConfig,
  nodeName,
  type NodePaths,
  schedulerFlags,
} from './node-config.ts';
import { hasCondition } from './objects.ts';
import { defaultName, stateFolder } from './paths.ts';
import { type Pki, writeKubeconfig, writeServingPair } from './pki.ts';
import { freePorts } from './ports.ts';
import { say, step } from './progress.ts';
import { attempt } from './run.ts';
import { components, ensureComponents, ensureCoredns, type Tools } from './tools.ts';

const port = 6443;
const server = `https://${nodeAddress}:${port}`;
const readyMs = 120_000;

export type UpOptions = { name?: string; rate?: Rate };

/** A running full cluster. */
export type Cluster = { name: string; folder: string; kubeconfig: string; server: string };

const clusterOf = (name: string): Cluster => ({
  name,
  folder: stateFolder(name),
  kubeconfig: join(stateFolder(name), 'kubeconfig'),
  server,
});

/** Programs of a full cluster in the order of their start; they are stopped in the reverse order. */
const order = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'containerd',
  'kubelet',
  'kube-proxy',
  'kube-scheduler',
  'volumes',
] as const;

/** Whether every program of the cluster runs. */
export const isRunning = (name: string): boolean => {
  const alive = new Set(
    recorded(stateFolder(name))
      .filter(isAlive)
      .map((record) => record.name),
  );
  return order.every((program) => alive.has(program));
};

/** The state of each program: running, or stopped. */
export const programStates = (name: string): { program: string; running: boolean; pid?: number }[] => {
  const records = new Map(recorded(stateFolder(name)).map((record) => [record.name, record]));
  return order.map((program) => {
    const record = records.get(program);
    return record !== undefined && isAlive(record) ? { program, running: true, pid: record.pid } : { program, running: false };
  });
};

/**
 * Starts a cluster with one node, or finds it running. One full cluster fits on a machine: it owns the address 10.244.0.1. Installs and builds what is
 * missing first. The programs outlive the caller; `down` ends them.
 */
export const up = async ({ name = defaultName, rate = usualRate }: UpOptions = {}): Promise<Cluster> => {
  if (process.getuid?.() !== 0) throw new Error('the full cluster needs root: it makes interfaces, mounts and control groups');
  const cluster = clusterOf(name);
  return withLock(`${cluster.folder}.lock`, async () => {
    if (isRunning(name)) {
      say(`cluster "${name}" is running already (${cluster.folder})`);
      return cluster;
    }
    await ensureSystemPrograms();
    const tools = await ensureComponents(components);
    const coredns = await ensureCoredns();
    await takeDown(cluster.folder);
    if (await interfaceExists()) throw new Error('another full cluster owns the interface scs0: stop it first (down --name ...)');
    try {
      await step(`starting cluster "${name}" in ${cluster.folder}`, () => bringUp(cluster, tools, coredns, rate));
    } catch (error) {
      await takeDown(cluster.folder);
      throw error;
    }
    return cluster;
  });
};

const bringUp = async (cluster: Cluster, tools: Tools, coredns: string, rate: Rate): Promise<void> => {
  const { folder } = cluster;
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  // What pods and containers kept is of no use to a fresh API server, and etcd starts empty.
  for (const part of ['etcd', 'kubelet', 'cni', 'volumes', 'pod-logs', 'logs', 'pids'])
    rmSync(join(folder, part), { recursive: true, force: true });
  rmSync(join(folder, 'containerd', 'state'), { recursive: true, force: true });
  const forwardingBefore = await makeNetwork();
  writeFileSync(join(folder, 'cluster.json'), JSON.stringify({ forwardingBefore }));
  const paths: NodePaths = { folder, pki: join(folder, 'pki'), plugins: pluginFolder(), snapshotter: await snapshotterFor(folder) };
  const [etcdPort = 0, peerPort = 0] = await freePorts(2);
  const layout = { folder, address: nodeAddress, port, etcdPort, peerPort, nodes: true, context: `scs-${cluster.name}` };
  const [pki] = await Promise.all([
    runControlPlane(tools, layout, { dieWithParent: false, controllerManager: true, rate }),
    startContainerd(paths, coredns),
  ]);
  writeNodeFiles(paths, pki, rate);
  for (const program of nodePrograms(folder, tools)) await startDaemon(folder, program, false);
  const api = apiOf(readAccess(cluster.kubeconfig));
  try {
    await applyAddons(api);
    await nodeAndDnsReady(api, folder);
  } finally {
    api.close();
  }
};

/** overlayfs where the file system below can carry it, else plain copies. */
const snapshotterFor = async (folder: string): Promise<NodePaths['snapshotter']> => {
  const trial = join(folder, 'overlay-trial');
  const part = (name: string): string => join(trial, name);
  ['lower', 'upper', 'work', 'merged'].forEach((name) => mkdirSync(part(name), { recursive: true }));
  const options = `lowerdir=${part('lower')},upperdir=${part('upper')},workdir=${part('work')}`;
  const mounted = (await attempt('mount', ['-t', 'overlay', 'overlay', '-o', options, part('merged')])).code === 0;
  if (mounted) await attempt('umount', [part('merged')]);
  rmSync(trial, { recursive: true, force: true });
  return mounted ? 'overlayfs' : 'native';
};

const containerdProgram = (folder: string): Program => ({
  name: 'containerd',
  command: 'containerd',
  args: ['--config', join(folder, 'containerd.toml')],
});

const startContainerd = async (paths: NodePaths, coredns: string): Promise<void> => {
  const { folder } = paths;
  mkdirSync(join(folder, 'cni', 'conf'), { recursive: true });
  mkdirSync(join(folder, 'containerd'), { recursive: true });
  writeFileSync(join(folder, 'containerd.toml'), containerdConfig(paths));
  writeFileSync(join(folder, 'cni', 'conf', '10-pods.conflist'), networkConfig(folder));
  const record = await startDaemon(folder, containerdProgram(folder), false);
  const [images] = await Promise.all([Promise.all([buildPauseImage(), buildCorednsImage(coredns)]), containerdReady(folder, record)]);
  await importImages(folder, images);
};

const containerdReady = (folder: string, record: ProcessRecord): Promise<true> =>
  until(
    'containerd ready',
    async () => ((await attempt('ctr', ['--address', containerdSocket(folder), 'version'])).code === 0 ? true : undefined),
    { timeoutMs: 30_000, failed: () => endOf(folder, record) },
  );

const endOf = (folder: string, record: ProcessRecord): string | undefined =>
  isAlive(record) ? undefined : `${record.name} ended:\n${logTail(folder, record.name)}`;

const resolvConf = (): string => (existsSync('/run/systemd/resolve/resolv.conf') ? '/run/systemd/resolve/resolv.conf' : '/etc/resolv.conf');

const writeNodeFiles = (paths: NodePaths, pki: Pki, rate: Rate): void => {
  const { folder } = paths;
  const node = { user: `system:node:${nodeName}`, groups: ['system:nodes'] };
  writeServingPair(pki, 'kubelet', node, [nodeAddress]);
  writeKubeconfig(pki, join(folder, 'kubelet.kubeconfig'), nodeName, server, node);
  writeKubeconfig(pki, join(folder, 'kube-proxy.kubeconfig'), nodeName, server, { user: 'system:kube-proxy' });
  writeFileSync(join(folder, 'kubelet.yaml'), kubeletConfig(paths, resolvConf()));
  writeFileSync(join(folder, 'kube-proxy.yaml'), kubeProxyConfig(folder));
  writeSchedulerFiles(folder, pki, nodeName, server, rate);
};

const nodePrograms = (folder: string, tools: Tools): Program[] => [
  { name: 'kubelet', command: tools.path('kubelet'), args: kubeletFlags(folder) },
  { name: 'kube-proxy', command: tools.path('kube-proxy'), args: [`--config=${folder}/kube-proxy.yaml`] },
  { name: 'kube-scheduler', command: tools.path('kube-scheduler'), args: schedulerFlags(folder) },
  {
    name: 'volumes',
    command: process.execPath,
    args: [join(import.meta.dirname, 'volumes-daemon.ts'), join(folder, 'kubeconfig'), folder],
  },
];

const nodeAndDnsReady = async (api: Api, folder: string): Promise<void> => {
  const failed = (): string | undefined =>
    recorded(folder)
      .map((record) => endOf(folder, record))
      .find((reason) => reason !== undefined);
  const holds = async (path: string, condition: string): Promise<true | undefined> =>
    hasCondition(await api.get(path), condition) ? true : undefined;
  const wait = { timeoutMs: readyMs, everyMs: 200, failed };
  await until('node ready', () => holds(`/api/v1/nodes/${nodeName}`, 'Ready'), wait);
  await until('DNS available', () => holds('/apis/apps/v1/namespaces/kube-system/deployments/coredns', 'Available'), wait);
};

/** Stops one program of the node, as a crash or a reboot would: `startProgram` brings it back. */
export const stopProgram = async (name: string, program: string): Promise<void> => {
  const record = recorded(stateFolder(name)).find((found) => found.name === program);
  if (record === undefined) throw new Error(`${program} is not recorded in cluster "${name}"`);
  await stopProcess(stateFolder(name), record, 5_000);
};

/** Starts a program of the node again after `stopProgram`: kubelet, kube-proxy, kube-scheduler, volumes or containerd. */
export const startProgram = async (name: string, program: string): Promise<void> => {
  const folder = stateFolder(name);
  const tools = await ensureComponents(components);
  const found = [...nodePrograms(folder, tools), containerdProgram(folder)].find((candidate) => candidate.name === program);
  if (found === undefined) throw new Error(`${program} is no program of the node`);
  if (program === 'kubelet') return startKubelet(folder, found);
  const record = await startDaemon(folder, found, false);
  if (program === 'containerd') await containerdReady(folder, record);
};

const kubeletHealth = 'http://127.0.0.1:10248/healthz';
const kubeletStarts = 10;
/** A kubelet that finds its runtime not ready ends (containerd answers before its CRI service does); as a supervisor would, starts it again. */
const startKubelet = async (folder: string, program: Program): Promise<void> => {
  for (let starts = 1; ; starts += 1) {
    const record = await startDaemon(folder, program, false);
    const found = await until(
      'kubelet healthy',
      async () => (isAlive(record) ? ((await answers(kubeletHealth)) ? 'healthy' : undefined) : 'ended'),
      { timeoutMs: 60_000, everyMs: 200 },
    );
    if (found === 'healthy') return;
    if (starts === kubeletStarts) throw new Error(endOf(folder, record));
  }
};
const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false; // nobody listens yet
  }
};

/** Puts built images into a running cluster; returns the references that it did not have yet. */
export const loadImages = (images: readonly Image[], name = defaultName): Promise<string[]> => importImages(stateFolder(name), images);

/** Stops a cluster and removes its processes, mounts, interfaces, rules and control groups; with `purge` its folder too. Quiet where nothing runs. */
export const down = async ({ name = defaultName, purge = false }: { name?: string; purge?: boolean } = {}): Promise<void> => {
  const { folder } = clusterOf(name);
  await withLock(`${folder}.lock`, async () => {
    await takeDown(folder);
    if (purge) rmSync(folder, { recursive: true, force: true });
  });
  if (purge) rmSync(`${folder}.lock`, { force: true });
};

const takeDown = async (folder: string): Promise<void> => {
  if (!existsSync(folder)) return;
  const records = recorded(folder);
  const last = ['kube-apiserver', 'etcd'];
  for (const name of [...order].toReversed().filter((program) => !last.includes(program))) {
    const record = records.find((found) => found.name === name);
    if (record !== undefined) await stopProcess(folder, record, 5_000);
  }
  await stopControlPlane(folder);
  await removeLeftovers(folder);
  const facts = join(folder, 'cluster.json');
  if (!existsSync(facts)) return;
  const saved: unknown = JSON.parse(readFileSync(facts, 'utf8'));
  const before = typeof saved === 'object' && saved !== null && 'forwardingBefore' in saved ? saved.forwardingBefore : undefined;
  await removeNetwork(typeof before === 'string' ? before : undefined);
  rmSync(facts);
};
