import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { containerdSocket } from './node-config.ts';
import { attempt } from './run.ts';

/** Removes what containers leave on a machine, without asking containerd: it may be long dead. */

const processes = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

const readProc = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
};

const parentOf = (pid: number): number => {
  const stat = readProc(pid, 'stat');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
};

/** The shims that serve our containerd, and all that runs under them. */
export const containerProcesses = (folder: string): number[] => {
  const all = processes();
  const socket = containerdSocket(folder);
  const found = new Set(
    all.filter((pid) => {
      const words = readProc(pid, 'cmdline').split('\0');
      return (words[0] ?? '').includes('containerd-shim') && words.includes(socket);
    }),
  );
  const parents = new Map(all.map((pid) => [pid, parentOf(pid)]));
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
};

const killContainers = async (folder: string): Promise<void> => {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const alive = containerProcesses(folder).filter((pid) => !/\) Z /.test(readProc(pid, 'stat')));
    if (alive.length === 0) return;
    if (Date.now() > deadline) throw new Error(`container processes do not end: ${alive.join(' ')}`);
    alive.forEach(kill);
    await delay(50);
  }
};

/** Mount points at or below a folder, from the text of /proc/self/mountinfo, innermost first. */
export const mountsBelow = (mountinfo: string, folder: string): string[] =>
  mountinfo
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))))
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .toReversed();

const unmountAll = async (folder: string): Promise<void> => {
  for (const point of mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), folder)) await attempt('umount', ['--lazy', point]);
};

/** Sockets of shims lie outside of containerd's folders; each bundle says where. */
const shimSockets = (folder: string): string[] => {
  const tasks = join(folder, 'containerd', 'state', 'io.containerd.runtime.v2.task', 'k8s.io');
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks)
    .map((task) => join(tasks, task, 'address'))
    .filter((file) => existsSync(file))
    .map((file) =>
      readFileSync(file, 'utf8')
        .trim()
        .replace(/^unix:\/\//, ''),
    )
    .filter((path) => path.startsWith('/run/containerd/s/'));
};

const cgroupRoots = (): string[] => {
  const root = '/sys/fs/cgroup';
  return existsSync(root) ? [root, ...readdirSync(root).map((name) => join(root, name))] : [];
};

/** Removes the kubelet's cgroups, innermost first; they can go once their processes have. */
const removeCgroup = (folder: string): void => {
  if (!existsSync(folder) || !lstatSync(folder).isDirectory()) return;
  for (const item of readdirSync(folder, { withFileTypes: true })) if (item.isDirectory()) removeCgroup(join(folder, item.name));
  try {
    rmdirSync(folder);
  } catch (error) {
    // Another kubelet's pods are still in it: not ours to remove.
    if (!(error instanceof Error && 'code' in error && (error.code === 'EBUSY' || error.code === 'ENOTEMPTY'))) throw error;
  }
};

/** The kubelet links each log into /var/log/containers; those of our pods point into our folder. */
const removeLogLinks = (folder: string): void => {
  const links = '/var/log/containers';
  if (!existsSync(links)) return;
  for (const name of readdirSync(links)) {
    const link = join(links, name);
    if (lstatSync(link).isSymbolicLink() && readlinkSync(link).startsWith(`${folder}/`)) unlinkSync(link);
  }
  if (readdirSync(links).length === 0) rmdirSync(links);
};

/** What network plugins answered for each pod; each answer names a network namespace in our folder. */
const removeNetworkResults = (folder: string): void => {
  const results = '/var/lib/cni/results';
  if (!existsSync(results)) return;
  for (const name of readdirSync(results)) {
    const file = join(results, name);
    if (readFileSync(file, 'utf8').includes(`${folder}/`)) unlinkSync(file);
  }
};

/** Ends all containers of the cluster in `folder` and removes their mounts, namespaces, cgroups, sockets and links. */
export const removeLeftovers = async (folder: string): Promise<void> => {
  const sockets = shimSockets(folder);
  await killContainers(folder);
  await unmountAll(folder);
  sockets.forEach((socket) => rmSync(socket, { force: true }));
  cgroupRoots().forEach((root) => removeCgroup(join(root, 'kubepods')));
  removeLogLinks(folder);
  removeNetworkResults(folder);
};
