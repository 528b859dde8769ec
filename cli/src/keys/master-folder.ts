/** What a key folder of `keygen master` says of the master that is to have it. */
import { CliError } from '../errors.ts';
import { readPublic, readSeed } from './key-folder.ts';

export interface MasterFolder {
  /** Of the durable key, hex. */
  readonly seed: string;
  readonly tlsAuthority: string;
  readonly rewardAddress: string;
}
/** Throws CliError when it is the folder of something else. */
export const readMasterFolder = async (folder: string): Promise<MasterFolder> => {
  const { kind, tlsAuthority, gasAddress } = await readPublic(folder);
  if (kind !== 'master' || !tlsAuthority || !gasAddress)
    throw new CliError('KeyFolderKind', `${folder} is not the key folder of a master.`);
  return { seed: await readSeed(folder, 'durable.key'), tlsAuthority, rewardAddress: gasAddress };
};
