import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runControlPlane, stopControlPlane } from './control-plane.ts';
import { isAlive, recorded } from './daemon.ts';
import { withLock } from './lock.ts';
import { stateFolder } from './paths.ts';
import { freePorts } from './ports.ts';
import { say, step } from './progress.ts';
import { ensureComponents } from './tools.ts';

/** A control plane without nodes that outlives the caller; for developing against, beside a full cluster or without root. */

const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;
const markFile = (name: string): string => join(stateFolder(name), 'control-plane.json');

export type ProgramState = { program: string; running: boolean; pid?: number };

/** States of the programs of a control plane of this name; empty when the name stands for none. */
export const controlPlaneStates = (name: string): ProgramState[] => {
  if (!existsSync(markFile(name))) return [];
  const records = new Map(recorded(stateFolder(name)).map((record) => [record.name, record]));
  return programs.map((program) => {
    const record = records.get(program);
    return record !== undefined && isAlive(record) ? { program, running: true, pid: record.pid } : { program, running: false };
  });
};

const runs = (name: string): boolean => {
  const states = controlPlaneStates(name);
  return states.length > 0 && states.every(({ running }) => running);
};

/** Starts a control plane on free ports of the loopback address, or finds it running. */
export const controlPlaneUp = async ({ name }: { name: string }): Promise<{ kubeconfig: string }> => {
  const folder = stateFolder(name);
  const kubeconfig = join(folder, 'kubeconfig');
  return withLock(`${folder}.lock`, async () => {
    if (runs(name)) {
      say(`control plane "${name}" is running already (${folder})`);
      return { kubeconfig };
    }
    if (existsSync(folder) && !existsSync(markFile(name))) throw new Error(`"${name}" is a full cluster: choose another --name`);
    const tools = await ensureComponents(programs);
    await stopControlPlane(folder);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(markFile(name), '{}');
    const [etcdPort = 0, peerPort = 0, port = 0] = await freePorts(3);
    const layout = { folder, address: '127.0.0.1', port, etcdPort, peerPort, nodes: false, context: `scs-${name}` };
    try {
      await step(`starting control plane "${name}" in ${folder}`, () =>
        runControlPlane(tools, layout, { dieWithParent: false, controllerManager: true }),
      );
    } catch (error) {
      await stopControlPlane(folder);
      throw error;
    }
    return { kubeconfig };
  });
};

/** Stops it; with `purge` its folder goes too. */
export const controlPlaneDown = async ({ name, purge = false }: { name: string; purge?: boolean }): Promise<void> => {
  const folder = stateFolder(name);
  await withLock(`${folder}.lock`, async () => {
    await stopControlPlane(folder);
    if (purge) rmSync(folder, { recursive: true, force: true });
  });
  if (purge) rmSync(`${folder}.lock`, { force: true });
};
