/** Rotation of a Vault's keys while it serves: the wrapping when the source has a newer key, the data key when the operator asks. */
import type { VaultStore } from '../store/vault-store.ts';
import { newDataKey, type KeyKeeper, type OpenKey } from './key-file.ts';

/**
 * A new data key: the file is written anew under it, and the one before goes. Writers wait meanwhile, readers don't. Killed at any
 * point, the key file names one whole file and its key. Throws KeyError and StoreError; the Vault then goes on as before.
 */
export const rotateDataKey = (store: VaultStore, keeper: KeyKeeper): Promise<void> => {
  const dataKey = newDataKey();
  return store.rekey(dataKey, async (file) => {
    const before = await keeper.open();
    await keeper.keep({ dataKey, file }).catch((error: unknown) => undo(keeper, before, error));
  });
};

/** The key file may have been replaced before it failed: it must not name a file that is given up. */
const undo = async (keeper: KeyKeeper, before: OpenKey, error: unknown): Promise<never> => {
  await keeper.keep(before);
  throw error;
};
