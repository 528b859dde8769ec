import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Version of Kubernetes that is built, and the name of the folder that holds its tools. */
export const kubernetesVersion = 'v1.37.2';

const xdg = (variable: string, fallback: string): string => {
  const value = process.env[variable];
  return value !== undefined && value.startsWith('/') ? value : join(homedir(), fallback);
};

/** What can be made again lies here: tools, image layers. Removing it costs time only. */
export const cacheFolder = (): string => join(xdg('XDG_CACHE_HOME', '.cache'), 'symphony-scs');

/** Built and downloaded tools; outside of the checkout, so that a fresh clone finds them again. */
export const toolsFolder = (): string => join(cacheFolder(), 'tools', kubernetesVersion);

const stateRoot = (): string => join(xdg('XDG_STATE_HOME', join('.local', 'state')), 'symphony-scs');

/** Folder of one running cluster: keys, logs, pids, etcd's data, containers. `down --purge` removes it. */
export const stateFolder = (name: string): string => join(stateRoot(), name === defaultName ? 'cluster' : `cluster-${checkedName(name)}`);

/** Names of all clusters that have a state folder. */
export const knownNames = (): string[] =>
  existsSync(stateRoot())
    ? readdirSync(stateRoot(), { withFileTypes: true })
        .filter((item) => item.isDirectory() && /^cluster(-|$)/.test(item.name))
        .map((item) => (item.name === 'cluster' ? defaultName : item.name.slice('cluster-'.length)))
    : [];

/** Parent of the short-lived control planes that tests start. */
export const controlPlanesFolder = (): string => join(stateRoot(), 'control-planes');

export const defaultName = 'default';

/** Names become folder names: lower-case letters, digits and dashes only. Throws otherwise. */
export const checkedName = (name: string): string => {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) throw new Error(`"${name}" is no name: use 1-32 of a-z, 0-9 and "-"`);
  return name;
};
