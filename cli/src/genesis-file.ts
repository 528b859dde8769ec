/** Where the plugin finds the genesis: `--genesis FILE`, $SCS_GENESIS, else the ConfigMap scs-genesis by --context. */
import { readFile } from 'node:fs/promises';
import { decodeGenesis, type Genesis } from '@scs/protocol';
import { CliError } from './errors.ts';

/** Throws CliError that says what is wrong with the file. */
export const loadGenesis = async (file: string | undefined): Promise<Genesis> => {
  const path = file ?? process.env['SCS_GENESIS'];
  if (!path) throw new CliError('GenesisMissing', 'Which genesis? Give --genesis FILE or set SCS_GENESIS.');
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CliError(
      'GenesisMissing',
      `The genesis file ${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  });
  try {
    return decodeGenesis(bytes);
  } catch (cause) {
    throw new CliError(
      'GenesisInvalid',
      `${path} is not a genesis file: ${cause instanceof Error ? cause.message.slice(0, 400) : String(cause)}`,
    );
  }
};
