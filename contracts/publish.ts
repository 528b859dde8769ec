/**
 * Compiles, publishes and initialises the SCS contracts on the embedded devnet (docs/contracts.md). The compiler is for
 * development only; on an Aptos network the package is built and published by the Aptos CLI, then `initializeScs` follows.
 */
import { fileURLToPath } from 'node:url';
import type { Account, Aptos } from '@aptos-labs/ts-sdk';
import { ContractsError, initializeScs, publishedModule } from './initialize.ts';
import type { ContractGenesis } from './initialize.ts';
import { buildPackage } from './toolchain/move.ts';
import type { CompiledPackage } from './toolchain/move.ts';
import { packageMetadata } from './toolchain/package-metadata.ts';

export { checkContracts, ContractsError, initializeScs } from './initialize.ts';
export type { ContractGenesis, ContractsFault } from './initialize.ts';

const scsFolder = fileURLToPath(new URL('scs', import.meta.url));
/** True when this build's code is published there, false when nothing is. Throws ContractsError when other code is. */
const isPublished = async (aptos: Aptos, contract: string, compiled: CompiledPackage): Promise<boolean> => {
  const found = await Promise.all(compiled.modules.map(({ name }) => publishedModule(aptos, contract, name)));
  if (found.every((bytecode) => bytecode === undefined)) return false;
  const other = compiled.modules.find(({ bytecode }, i) => found[i] !== `0x${Buffer.from(bytecode).toString('hex')}`);
  if (other !== undefined) throw new ContractsError({ code: 'CodeDiffers', contract, module: other.name });
  return true;
};

/**
 * Publishes the contracts under the publisher's address, immutable, and initialises them for `genesis`. Safe to repeat: what
 * is done already is checked, not done again. `published` and `initialized` are the transactions of this call.
 * Throws ContractsError, MoveCompilerError, and the SDK's errors when the chain fails.
 */
export const publishScs = async (input: {
  aptos: Aptos;
  publisher: Account;
  genesis: ContractGenesis;
}): Promise<{ contract: string; published?: string; initialized?: string }> => {
  const { aptos, publisher } = input;
  const contract = publisher.accountAddress.toStringLong();
  const compiled = await buildPackage(scsFolder, { namedAddresses: { scs: contract } });
  const published = (await isPublished(aptos, contract, compiled)) ? undefined : await publish(aptos, publisher, compiled);
  const initialized = await initializeScs(input);
  return { contract, ...(published === undefined ? {} : { published }), ...(initialized === undefined ? {} : { initialized }) };
};

const publish = async (aptos: Aptos, publisher: Account, compiled: CompiledPackage): Promise<string> => {
  const transaction = await aptos.publishPackageTransaction({
    account: publisher.accountAddress,
    // Immutable: nobody can change the code afterwards, the publisher neither.
    metadataBytes: packageMetadata(compiled, 'immutable'),
    moduleBytecode: compiled.modules.map(({ bytecode }) => bytecode),
    options: { maxGasAmount: 1_000_000 },
  });
  const { hash } = await aptos.signAndSubmitTransaction({ signer: publisher, transaction });
  await aptos.waitForTransaction({ transactionHash: hash });
  return hash;
};
