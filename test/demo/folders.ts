/** Where the demo keeps what it makes: keys, the genesis, prepared data. Outside the checkout; `make clean-cluster` removes it. */
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { cacheFolder } from '../cluster/paths.ts';

export const repository = resolve(import.meta.dirname, '..', '..');
const state = (): string => join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'symphony-scs');

/** One group: its keys, genesis, plugin. */
export const groupFolder = (name: string): string => made(join(state(), `group-${name}`));
/** Removes every group: keys of demo, e2e and benchmarks. */
export const removeGroups = (): void => {
  for (const group of globSync('group-*', { cwd: state() })) rmSync(join(state(), group), { recursive: true, force: true });
};
/** Downloaded and prepared records; they can be made again. */
export const dataFolder = (): string => made(join(cacheFolder(), 'data'));

const made = (folder: string): string => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
};
