import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Api, apiOf, until } from './api.ts';
import { apiserverFlags, controllerManagerFlags, etcdFlags, type Rate, usualRate } from './components.ts';
import {
  identify,
  isAlive,
  logTail,
  type Program,
  type ProcessRecord,
  readRecord,
  recorded,
  signalProcess,
  startDaemon,
  stopProcess,
} from './daemon.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { schedulerConfig, schedulerFlags } from './node-config.ts';
import { checkedName, controlPlanesFolder } from './paths.ts';
import { ensurePki, type Pki, writeKubeconfig } from './pki.ts';
import { freePorts } from './ports.ts';
import { ensureComponents, type Tools } from './tools.ts';

export type ControlPlaneOptions = {
  /** Tells logs and folders apart; any number of control planes may have the same. */
  name: string;
  /** Also run kube-controller-manager (service accounts, garbage collection, namespaces, Jobs). Off: pods need no service account. */
  controllerManager?: boolean;
  /** Also run kube-scheduler, for fake nodes (kwok). */
  scheduler?: boolean;
  /** Requests per second of controllers and scheduler. */
  rate?: Rate;
};

export type ControlPlane = {
  /** Path of an administrator's kubeconfig. */
  kubeconfig: string;
  /** https://127.0.0.1:port */
  server: string;
  /** Path of the certificate authority (PEM). */
  caFile: string;
  /** Administrator's bearer token. */
  token: string;
  /** Folder with `logs/`. */
  folder: string;
  /** Writes a kubeconfig for another user and returns its path. */
  user(name: string, groups?: readonly string[]): string;
  /** Stops everything and removes the folder. */
  stop(): Promise<void>;
};

const readyMs = 60_000;
const portTries = 3;

/**
 * etcd and kube-apiserver alone, on free ports of the loopback address: what integration tests need. Any number run side by side, beside a full cluster too.
 * They end with the calling process. Throws with the end of the failing program's log.
 */
export const startControlPlane = async (options: ControlPlaneOptions): Promise<ControlPlane> => {
  checkedName(options.name);
  const tools = await ensureComponents(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']);
  sweep();
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(tools, options);
    } catch (error) {
      // Somebody else may have taken a port between our look and the program's start.
      if (tries === portTries || !(error instanceof Error && error.message.includes('address already in use'))) throw error;
    }
  }
};

const startOnce = async (tools: Tools, options: ControlPlaneOptions): Promise<ControlPlane> => {
  mkdirSync(controlPlanesFolder(), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(controlPlanesFolder(), `${options.name}-`));
  writeFileSync(join(folder, 'owner.json'), JSON.stringify(identify('owner', process.pid)));
  const onExit = (): void => recorded(folder).forEach((record) => signalProcess(record, 'SIGKILL'));
  process.once('exit', onExit);
  const stop = async (): Promise<void> => {
    // Nothing of it is kept, so nothing needs to end in good order.
    await stopControlPlane(folder, 0);
    rmSync(folder, { recursive: true, force: true });
    process.off('exit', onExit);
  };
  try {
    const ports = await freePorts(3);
    const [etcdPort = 0, peerPort = 0, port = 0] = ports;
    const layout: Layout = { folder, address: '127.0.0.1', port, etcdPort, peerPort, nodes: false, context: options.name };
    const pki = await runControlPlane(tools, layout, { dieWithParent: true, ...options });
    return {
      kubeconfig: join(folder, 'kubeconfig'),
      server: serverOf(layout),
      caFile: join(pki.folder, 'ca.crt'),
      token: pki.token,
      folder,
      user: (name, groups = []) => {
        mkdirSync(join(folder, 'users'), { recursive: true });
        return writeKubeconfig(pki, join(folder, 'users', `${encodeURIComponent(name)}.kubeconfig`), options.name, serverOf(layout), {
          user: name,
          groups,
        });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** Where a control plane lives and listens. */
export type Layout = { folder: string; address: string; port: number; etcdPort: number; peerPort: number; nodes: boolean; context: string };

const serverOf = ({ address, port }: Layout): string => `https://${address}:${port}`;

export type RunControlPlane = { dieWithParent: boolean; controllerManager?: boolean; scheduler?: boolean; rate?: Rate };

/** Starts the programs and waits until the API server is ready; `folder/kubeconfig` is then the administrator's. */
export const runControlPlane = async (tools: Tools, layout: Layout, options: RunControlPlane): Promise<Pki> => {
  const { folder } = layout;
  const pki = ensurePki(folder, [...new Set(['127.0.0.1', '10.96.0.1', layout.address])]);
  const server = serverOf(layout);
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(
    kubeconfig,
    kubeconfigText(layout.context, 'admin', { server, authority: pki.authority.certificate, credential: { token: pki.token } }),
    { mode: 0o600 },
  );
  const start = (program: Program): Promise<ProcessRecord> => startDaemon(folder, program, options.dieWithParent);

  const etcd = await start({
    name: 'etcd',
    command: tools.path('etcd'),
    args: etcdFlags({ dataFolder: join(folder, 'etcd'), clientPort: layout.etcdPort, peerPort: layout.peerPort }),
  });
  const apiserver = await start({
    name: 'kube-apiserver',
    command: tools.path('kube-apiserver'),
    args: apiserverFlags({
      address: layout.address,
      port: layout.port,
      etcdPort: layout.etcdPort,
      pki: pki.folder,
      nodes: layout.nodes,
      serviceAccounts: options.controllerManager === true,
    }),
  });
  const dead = (): string | undefined =>
    [etcd, apiserver].filter((record) => !isAlive(record)).map(({ name }) => `${name} ended:\n${logTail(folder, name)}`)[0];
  const api = apiOf({ server, authority: pki.authority.certificate, credential: { token: pki.token } });
  try {
    await ready(api, dead);
    if (options.controllerManager === true) await startControllerManager(tools, layout, pki, start, options.rate ?? usualRate, api);
    if (options.scheduler === true) {
      writeSchedulerFiles(folder, pki, layout.context, server, options.rate ?? usualRate);
      await start({ name: 'kube-scheduler', command: tools.path('kube-scheduler'), args: schedulerFlags(folder) });
    }
  } finally {
    api.close();
  }
  return pki;
};

/** Identity and configuration of a scheduler, in the files that `schedulerFlags` names. */
export const writeSchedulerFiles = (folder: string, pki: Pki, context: string, server: string, rate: Rate): void => {
  writeKubeconfig(pki, join(folder, 'scheduler.kubeconfig'), context, server, { user: 'system:kube-scheduler' });
  writeFileSync(join(folder, 'scheduler.yaml'), schedulerConfig(folder, rate));
};

const ready = async (api: Api, dead: () => string | undefined): Promise<void> => {
  const wait = { timeoutMs: readyMs, failed: dead };
  await until('API server ready', async () => ((await api.send('GET', '/readyz')).status === 200 ? true : undefined), wait);
  await until('namespace default', () => api.get('/api/v1/namespaces/default'), wait);
};

const startControllerManager = async (
  tools: Tools,
  layout: Layout,
  pki: Pki,
  start: (program: Program) => Promise<ProcessRecord>,
  rate: Rate,
  api: Api,
): Promise<void> => {
  const kubeconfig = join(layout.folder, 'controller-manager.kubeconfig');
  writeKubeconfig(pki, kubeconfig, layout.context, serverOf(layout), { user: 'system:kube-controller-manager' });
  const record = await start({
    name: 'kube-controller-manager',
    command: tools.path('kube-controller-manager'),
    args: controllerManagerFlags({ pki: pki.folder, kubeconfig, rate, controllers: ['*'] }),
  });
  const failed = (): string | undefined => (isAlive(record) ? undefined : `it ended:\n${logTail(layout.folder, record.name)}`);
  await until(
    'kube-controller-manager made the default service account',
    () => api.get('/api/v1/namespaces/default/serviceaccounts/default'),
    {
      timeoutMs: readyMs,
      failed,
    },
  );
};

const stopOrder = ['kwok', 'kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd'];

/** Stops what runs of a control plane, last started first. etcd is killed: its data goes with it. */
export const stopControlPlane = async (folder: string, graceMs = 1_000): Promise<void> => {
  const records = recorded(folder).filter(({ name }) => stopOrder.includes(name));
  records.sort((a, b) => stopOrder.indexOf(a.name) - stopOrder.indexOf(b.name));
  for (const record of records) await stopProcess(folder, record, graceMs);
};

/** Removes what control planes left behind whose owner was killed. The kernel ended their programs already. */
const sweep = (): void => {
  if (!existsSync(controlPlanesFolder())) return;
  for (const entry of readdirSync(controlPlanesFolder())) {
    const folder = join(controlPlanesFolder(), entry);
    const owner = join(folder, 'owner.json');
    if (!existsSync(owner) || isAlive(readRecord(owner))) continue;
    recorded(folder).forEach((record) => signalProcess(record, 'SIGKILL'));
    rmSync(folder, { recursive: true, force: true });
  }
};

/** For `down --purge --all`: what killed tests left, and then the folders themselves when nothing is in them. */
export const purgeControlPlanes = (): void => {
  sweep();
  for (const folder of [controlPlanesFolder(), dirname(controlPlanesFolder())]) {
    if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
  }
};
