/** Signals to what runs in a container, from outside of it: a crash without warning, or a process that stands still. */
import { containerdSocket } from './node-config.ts';
import { defaultName, stateFolder } from './paths.ts';
import { run } from './run.ts';

/** Process of a container by its id as the API server shows it (`containerd://...`); undefined while it does not run. */
export const processOf = async (containerId: string, name = defaultName): Promise<number | undefined> => {
  const id = containerId.replace(/^containerd:\/\//, '');
  const list = await run('ctr', ['--address', containerdSocket(stateFolder(name)), '--namespace', 'k8s.io', 'tasks', 'list']);
  const row = list
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([task]) => task === id);
  return row && Number(row[1]);
};

/** SIGKILL: it ends without a last word. SIGSTOP: it stands still until SIGCONT. Throws when it does not run. */
export const signalContainer = async (
  containerId: string,
  signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT',
  name = defaultName,
): Promise<void> => {
  const pid = await processOf(containerId, name);
  if (pid === undefined) throw new Error(`container ${containerId} does not run`);
  process.kill(pid, signal);
};
