import type { Account, Aptos, UserTransactionResponse } from '@aptos-labs/ts-sdk';
import { isUserTransactionResponse } from '@aptos-labs/ts-sdk';
import { buildPackage } from './move.ts';
import { packageMetadata } from './package-metadata.ts';
import type { UpgradePolicy } from './package-metadata.ts';

export type PublishOptions = { readonly policy?: UpgradePolicy; readonly maxGasAmount?: number };

/**
 * Compiles the Move package in `dir` and publishes it under `account` on the network behind `aptos` (a devnet: for a real Aptos
 * network the Aptos CLI builds and publishes). Resolves when the transaction succeeded; throws the compiler's or the chain's error.
 */
export const publishPackage = async (
  aptos: Aptos,
  account: Account,
  dir: string,
  namedAddresses: Readonly<Record<string, string>>,
  options: PublishOptions = {},
): Promise<UserTransactionResponse> => {
  const compiled = await buildPackage(dir, { namedAddresses });
  const transaction = await aptos.publishPackageTransaction({
    account: account.accountAddress,
    metadataBytes: packageMetadata(compiled, options.policy),
    moduleBytecode: compiled.modules.map((m) => m.bytecode),
    options: { maxGasAmount: options.maxGasAmount ?? 200_000 },
  });
  const pending = await aptos.signAndSubmitTransaction({ signer: account, transaction });
  const done = await aptos.waitForTransaction({ transactionHash: pending.hash });
  if (!isUserTransactionResponse(done)) throw new Error('A publish transaction came back as something else');
  return done;
};
