#!/usr/bin/env node
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { controlPlaneDown, controlPlaneStates, controlPlaneUp } from './control-plane-daemon.ts';
import { purgeControlPlanes } from './control-plane.ts';
import { down, isRunning, programStates, startProgram, stopProgram, up } from './full-cluster.ts';
import { checkInterrupt, interrupt, Interrupted } from './interrupt.ts';
import { readAccess } from './kubeconfig.ts';
import { importArchives } from './load.ts';
import { withLock } from './lock.ts';
import { checkedName, defaultName, knownNames, stateFolder, toolsFolder } from './paths.ts';
import { ensurePki, writeKubeconfig } from './pki.ts';
import { say } from './progress.ts';
import { stopCommands } from './run.ts';
import { removeBuildCaches } from './tools-build.ts';
import { components, ensureComponents, ensureCoredns, ensureHelm, ensureKubectl, ensureKwok, installLock } from './tools.ts';

export { startControlPlane, type ControlPlane } from './control-plane.ts';
export { controlPlaneDown, controlPlaneUp } from './control-plane-daemon.ts';
export { down, isRunning, loadImages, startProgram, stopProgram, up, type Cluster } from './full-cluster.ts';
export { ensureHelm, ensureKubectl } from './tools.ts';

const help = `A Kubernetes cluster on this machine, without downloads beyond package registries.

usage: cluster.ts <command> [options]

  up                    start the cluster (etcd, control plane, one node, DNS, volumes), or find it running
    --control-plane-only   only etcd, kube-apiserver and kube-controller-manager, on free ports of 127.0.0.1; needs no
                           root; its name is then "control-plane" unless --name says otherwise
  down                  stop it; leaves logs and keys in the state folder
    --purge                removes the state folder too
    --all                  every cluster, whatever its name
  status                what runs; exit code 1 when not all of it does
  kubeconfig            print the path of the administrator's kubeconfig
  user <name>           print the path of a kubeconfig for another user
    --group <group>        a group of that user; may be repeated
  load <archive>...     import OCI or Docker image archives
  restart <program>     stop and start kubelet, containerd, kube-proxy, kube-scheduler or volumes
  tools                 install or build what the cluster needs, and print where kubectl and helm are
    --kwok                 kwok too (benchmarks)

  --name <name>         another state folder (default: "${defaultName}"); one full cluster runs at a time
`;

/** Path of the administrator's kubeconfig of a running cluster. Throws when it isn't up. */
export const kubeconfigPath = (name = defaultName): string => {
  if (!isRunning(name) && !controlPlaneStates(name).every(({ running }) => running)) throw new Error(`cluster "${name}" is not running`);
  return join(stateFolder(name), 'kubeconfig');
};

/** Writes a kubeconfig with a client certificate for `user` in `groups`, and returns its path. The cluster knows a user only by that certificate. */
export const userKubeconfig = (user: string, groups: readonly string[] = [], name = defaultName): string => {
  const folder = stateFolder(name);
  const { server } = readAccess(kubeconfigPath(name));
  mkdirSync(join(folder, 'users'), { recursive: true, mode: 0o700 });
  const file = join(folder, 'users', `${encodeURIComponent(user)}.kubeconfig`);
  return writeKubeconfig(ensurePki(folder, []), file, `scs-${name}`, server, { user, groups });
};

const options = {
  name: { type: 'string' },
  'control-plane-only': { type: 'boolean', default: false },
  purge: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  kwok: { type: 'boolean', default: false },
  group: { type: 'string', multiple: true, default: [] as string[] },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const installTools = async (kwok: boolean): Promise<void> => {
  await ensureComponents(components);
  await ensureCoredns();
  print(`kubectl ${await ensureKubectl()}`);
  print(`helm ${await ensureHelm()}`);
  if (kwok) print(`kwok ${await ensureKwok()}`);
  await withLock(installLock(), removeBuildCaches);
  say(`tools are in ${toolsFolder()}`);
};

const status = (name: string): number => {
  const plane = controlPlaneStates(name);
  const states = plane.length > 0 ? plane : programStates(name);
  for (const { program, running, pid } of states) print(`${program.padEnd(24)} ${running ? `running (pid ${pid})` : 'stopped'}`);
  return states.every(({ running }) => running) ? 0 : 1;
};

type Values = { name?: string | undefined; 'control-plane-only': boolean; purge: boolean; all: boolean; kwok: boolean; group: string[] };

const execute = async (command: string, words: readonly string[], values: Values): Promise<number> => {
  const controlPlaneOnly = values['control-plane-only'];
  const name = values.name ?? (controlPlaneOnly ? 'control-plane' : defaultName);
  const [first] = words;
  switch (command) {
    case 'up':
      print((controlPlaneOnly ? await controlPlaneUp({ name }) : await up({ name })).kubeconfig);
      return 0;
    case 'down':
      for (const each of values.all ? knownNames() : [name]) {
        await (controlPlaneStates(each).length > 0 ? controlPlaneDown : down)({ name: each, purge: values.purge });
      }
      if (values.all && values.purge) purgeControlPlanes();
      return 0;
    case 'status':
      return status(name);
    case 'kubeconfig':
      print(kubeconfigPath(name));
      return 0;
    case 'user':
      if (first === undefined) throw new Error('whose? user <name>');
      print(userKubeconfig(first, values.group, name));
      return 0;
    case 'load':
      await importArchives(stateFolder(name), words);
      return 0;
    case 'restart':
      if (first === undefined) throw new Error('which program?');
      await stopProgram(name, first);
      await startProgram(name, first);
      return 0;
    case 'tools':
      await installTools(values.kwok);
      return 0;
    default:
      process.stderr.write(help);
      return 2;
  }
};

/** Ctrl-C ends what we wait for; whoever started something then takes it down. A second one ends at once. */
const onSignal = (): void => {
  say('stopping ... (once more to stop at once)');
  process.once('SIGINT', () => process.exit(130));
  interrupt();
  stopCommands();
};

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) {
    print(help);
    return 0;
  }
  if (values.name !== undefined) checkedName(values.name);
  const [command, ...words] = positionals;
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  return execute(command ?? '', words, values);
};

if (import.meta.main) {
  try {
    process.exitCode = await main();
    checkInterrupt();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = error instanceof Interrupted ? 130 : 1;
  }
}
