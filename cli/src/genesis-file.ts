/** Where the plugin finds the genesis: `--genesis FILE`, $SCS_GENESIS, else the ConfigMap scs-genesis of the system's namespace. */
import { readFile } from 'node:fs/promises';
import { decodeGenesisFile, type Genesis } from '@scs/protocol';
import type { Invocation, Options } from './command.ts';
import { CliError } from './errors.ts';
import type { KubeAccess } from './kube.ts';

export const genesisOptions = {
  genesis: { type: 'string' },
  'system-namespace': { type: 'string', default: 'scs' },
} as const satisfies Options;
export const GENESIS_HELP = `  --genesis FILE        genesis file (or $SCS_GENESIS). Without it the cluster's ConfigMap scs-genesis is believed.
  --system-namespace NS namespace of the masters (default: scs)`;

export interface FoundGenesis {
  readonly genesis: Genesis;
  /** Where it comes from, for people: a genesis from the cluster is as trustworthy as its API server. */
  readonly source: string;
  readonly pinned: boolean;
}

/** Throws CliError that says what is wrong with the file. */
export const loadGenesis = async (path: string): Promise<Genesis> => {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CliError(
      'GenesisMissing',
      `The genesis file ${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  });
  return decode(bytes, path);
};

/** The cluster is asked only when no file is named. */
export const findGenesis = async (invocation: Invocation, kube: () => KubeAccess): Promise<FoundGenesis> => {
  const file = invocation.text('genesis') ?? invocation.variable('SCS_GENESIS');
  if (file) return { genesis: await loadGenesis(file), source: file, pinned: true };
  const source = `ConfigMap ${invocation.required('system-namespace')}/scs-genesis`;
  const bytes = (await kube().configMap(invocation.required('system-namespace'), 'scs-genesis'))?.['genesis.bin'];
  if (!bytes) throw new CliError('GenesisMissing', `There is no ${source}. Give --genesis FILE, or --system-namespace.`);
  return { genesis: decode(bytes, source), source, pinned: false };
};

const decode = (bytes: Uint8Array, from: string): Genesis => {
  try {
    return decodeGenesisFile(bytes);
  } catch (cause) {
    throw new CliError(
      'GenesisInvalid',
      `${from} is not a genesis file: ${cause instanceof Error ? cause.message.slice(0, 400) : String(cause)}`,
    );
  }
};
