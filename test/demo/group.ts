/** A group from nothing (ARCHITECTURE, "From nothing"): keys, genesis, the plugin, all by the plugin's own commands. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { decodeGenesis, genesisDigest, type Genesis } from '@scs/protocol';
import { buildPlugin } from '../../cli/build.ts';
import { attempt, run, type RunResult } from '../cluster/run.ts';
import { groupFolder, repository } from './folders.ts';

export interface Group {
  readonly folder: string;
  readonly genesisFile: string;
  readonly genesis: Genesis;
  readonly digest: string;
  /** Key folder of an identity, for example keys('submitter-roastery'). */
  readonly keys: (identity: string) => string;
  readonly addressOf: (identity: string) => string;
  /** Runs `kubectl symphony` and returns what it printed; throws with its error sentence. */
  readonly symphony: (...args: readonly string[]) => Promise<string>;
  /** The same, with exit code. */
  readonly trySymphony: (args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<RunResult>;
  /** Folder to put on the PATH, so that kubectl finds the plugin. */
  readonly bin: string;
}

export const identities = {
  masters: ['0', '1', '2'],
  recovery: ['0', '1', '2'],
  enterprises: ['alder', 'birch', 'cedar'],
  submitters: ['roastery', 'stranger'],
} as const;

/** What a group begins with, beside its keys. */
export interface GroupFiles {
  /** Text of genesis.yaml; it names the catalogue as catalogue.yaml. */
  readonly genesis: string;
  /** Path of the catalogue. */
  readonly catalogue: string;
}
export const demoFiles: GroupFiles = {
  genesis: readFileSync(join(repository, 'examples/demo/genesis.yaml'), 'utf8'),
  catalogue: join(repository, 'examples/demo/catalogue.yaml'),
};

/** The Node that npm installed: the machine's own may be too old for the plugin. */
const pinnedNode = (): string => {
  const node = createRequire(import.meta.url)
    .resolve(`node-linux-${process.arch}/package.json`)
    .replace('package.json', 'bin/node');
  return existsSync(node) ? node : process.execPath;
};

/**
 * Makes the group in its folder; with `fresh`, after removing what was there. `measurement` is that of the sidecar's image:
 * another one needs another genesis, so a group whose genesis doesn't allow it is made anew.
 */
export const makeGroup = async (name: string, measurement: string, fresh: boolean, files = demoFiles): Promise<Group> => {
  const folder = groupFolder(name);
  const bin = join(folder, 'bin');
  const launcher = await buildPlugin(join(bin, 'kubectl-symphony'), pinnedNode());
  const genesisFile = join(folder, 'genesis.bin');
  if (fresh || !existsSync(genesisFile) || !allows(genesisFile, measurement)) await make(folder, launcher, genesisFile, measurement, files);
  const genesis = decodeGenesis(readFileSync(genesisFile));
  const keys = (identity: string) => join(folder, 'keys', identity);
  const withGroup = { ...process.env, SCS_GENESIS: genesisFile };
  return {
    folder,
    genesisFile,
    genesis,
    digest: genesisDigest(genesis),
    keys,
    addressOf: (identity) => publicFile(keys(identity)).address,
    symphony: (...args) => run(launcher, args, { env: withGroup }),
    trySymphony: (args, environment = {}) => attempt(launcher, args, { env: { ...withGroup, ...environment } }),
    bin,
  };
};

const allows = (genesisFile: string, measurement: string): boolean =>
  decodeGenesis(readFileSync(genesisFile)).policy.enclave.measurements.includes(measurement);

const publicFile = (folder: string): { address: string; gasAddress?: string } =>
  JSON.parse(readFileSync(join(folder, 'public.json'), 'utf8')) as { address: string; gasAddress?: string };
export const gasAddresses = (group: Group): string[] => identities.masters.map((i) => publicFile(group.keys(`master-${i}`)).gasAddress!);

const make = async (folder: string, launcher: string, genesisFile: string, measurement: string, files: GroupFiles): Promise<void> => {
  const keys = join(folder, 'keys');
  rmSync(keys, { recursive: true, force: true });
  rmSync(genesisFile, { force: true });
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  const keygen = (...args: readonly string[]) => run(launcher, ['keygen', ...args, '--out', keys]);
  await keygen('simulated-root');
  await Promise.all([
    keygen('publisher'),
    ...identities.masters.map((i) => keygen('master', i, '--simulated-root', join(keys, 'simulated-root'))),
    ...identities.recovery.map((i) => keygen('recovery', i)),
    ...identities.enterprises.map((name) => keygen('enterprise', name, '--simulated-root', join(keys, 'simulated-root'))),
    ...identities.submitters.map((name) => keygen('submitter', name)),
  ]);
  writeFileSync(join(folder, 'genesis.yaml'), files.genesis);
  copyFileSync(files.catalogue, join(folder, 'catalogue.yaml'));
  await run(launcher, ['genesis', 'build', '-f', join(folder, 'genesis.yaml'), '--out', genesisFile, '--measurement', measurement]);
};
