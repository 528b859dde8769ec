import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Api } from './api.ts';
import { nodeName } from './node-config.ts';
import { isRecord, itemsOf } from './objects.ts';

/** Volumes of the default StorageClass `scs-local`: folders on the node, a few always ready to be claimed, removed with their claims. */
export const storageClass = 'scs-local';
const spare = 8;
const pollMs = 1_000;

/** The parts of a PersistentVolume that matter here. */
export type Volume = { name: string; phase: string };

/** Which volumes to remove (their claim is gone) and how many to make, so that `spare` are always free. Those not yet judged by the API server count as free. */
export const planVolumes = (volumes: readonly Volume[]): { remove: string[]; make: number } => {
  const remove = volumes.filter(({ phase }) => phase === 'Released' || phase === 'Failed').map(({ name }) => name);
  const free = volumes.filter(({ phase }) => phase === 'Available' || phase === 'Pending' || phase === '').length;
  return { remove, make: Math.max(0, spare - free) };
};

export const volumeObject = (name: string, path: string): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '20Gi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: storageClass,
    local: { path },
    nodeAffinity: {
      required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] }] }] },
    },
  },
});

const listVolumes = async (api: Api): Promise<Volume[]> => {
  return itemsOf(await api.get('/api/v1/persistentvolumes')).flatMap((item) => {
    const { metadata, spec, status } = item;
    if (!isRecord(metadata) || !isRecord(spec) || spec['storageClassName'] !== storageClass || typeof metadata['name'] !== 'string')
      return [];
    if (metadata['deletionTimestamp'] !== undefined) return [];
    const phase = isRecord(status) && typeof status['phase'] === 'string' ? status['phase'] : '';
    return [{ name: metadata['name'], phase }];
  });
};

const volumeName = /^scs-[0-9a-f]{12}$/;

/** Removes released volumes with their folders and makes new ones. */
export const tendVolumes = async (api: Api, folder: string): Promise<void> => {
  const plan = planVolumes(await listVolumes(api));
  for (const name of plan.remove) {
    if (!volumeName.test(name)) continue;
    await api.send('DELETE', `/api/v1/persistentvolumes/${name}`);
    rmSync(join(folder, 'volumes', name), { recursive: true, force: true });
  }
  for (let made = 0; made < plan.make; made += 1) {
    const name = `scs-${randomBytes(6).toString('hex')}`;
    const path = join(folder, 'volumes', name);
    mkdirSync(path, { recursive: true });
    // Owned by root; the kubelet gives the group to a pod that sets fsGroup.
    chmodSync(path, 0o770);
    await api.apply(`/api/v1/persistentvolumes/${name}`, volumeObject(name, path));
  }
};

/** Tends the volumes until stopped. Errors are reported and tried again: the API server may be restarting. */
export const keepVolumes = async (api: Api, folder: string, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    try {
      await tendVolumes(api, folder);
    } catch (error) {
      process.stderr.write(`${new Date().toISOString()} ${error instanceof Error ? error.message : String(error)}\n`);
    }
    try {
      await delay(pollMs, undefined, { signal });
    } catch {
      return; // told to stop
    }
  }
};
