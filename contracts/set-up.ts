/**
 * From a genesis file to contracts that the masters can use (docs/install.md, "The chain"):
 *
 *     node contracts/set-up.ts --genesis genesis.bin --keys keys/publisher --chain-url http://127.0.0.1:8080/v1 --devnet
 *
 * With --devnet it compiles and publishes, and gives gas to everyone whom the genesis names; without, the package must be published by the
 * Aptos CLI already, and it only initialises. Both may be repeated.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Account, Aptos, AptosConfig, Ed25519PrivateKey, Network } from '@aptos-labs/ts-sdk';
import { decodeGenesis, genesisDigest, type Genesis } from '@scs/protocol';
import { initializeScs, type ContractGenesis } from './initialize.ts';
import { publishScs } from './publish.ts';

/** Devnet gas for one account. */
const GAS = 1_000_000_000;

/** What the contracts are told of a genesis. */
export const contractGenesisOf = (genesis: Genesis): ContractGenesis => ({
  digest: genesisDigest(genesis),
  masters: genesis.masters.map((master) => master.publicKey),
  recoveryKeys: genesis.recoveryKeys,
  simulated: genesis.enclave.kind === 'simulated',
  treasuryReserve: genesis.chain.treasuryReserve,
  escrowDelaySeconds: genesis.chain.escrowDelaySeconds,
  escrowWindowSeconds: genesis.chain.escrowWindowSeconds,
  allocations: genesis.actors.filter((actor) => actor.allocation > 0n).map(({ address, allocation }) => ({ address, amount: allocation })),
});

const fund = async (aptos: Aptos, genesis: Genesis, publisher: Account): Promise<void> => {
  const payers = [
    publisher.accountAddress.toStringLong(),
    ...genesis.masters.map((m) => m.rewardAddress),
    ...genesis.actors.map((a) => a.address),
  ];
  for (const accountAddress of new Set(payers))
    await aptos.fundAccount({ accountAddress, amount: GAS, options: { waitForIndexer: false } });
};

/** Throws an Error when the key is not the publisher's of the genesis, ContractsError, and the SDK's errors. */
export const setUp = async (input: {
  chainUrl: string;
  genesis: Genesis;
  publisherKey: string;
  devnet: boolean;
}): Promise<{ contract: string; published?: string; initialized?: string }> => {
  const { chainUrl, genesis, devnet } = input;
  const publisher = Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(`0x${input.publisherKey}`) });
  const contract = publisher.accountAddress.toStringLong();
  if (contract !== genesis.chain.contract)
    throw new Error(
      `The genesis names ${genesis.chain.contract} as contract, but the key is that of ${contract}. Give the publisher's key folder.`,
    );
  const aptos = new Aptos(
    new AptosConfig({ network: Network.CUSTOM, fullnode: chainUrl, faucet: new URL('..', `${chainUrl}/`).href.replace(/\/$/, '') }),
  );
  if (devnet) await fund(aptos, genesis, publisher);
  const what = { aptos, publisher, genesis: contractGenesisOf(genesis) };
  if (devnet) return publishScs(what);
  const initialized = await initializeScs(what);
  return { contract, ...(initialized !== undefined && { initialized }) };
};

const required = (value: string | undefined, name: string): string => {
  if (value === undefined) throw new Error(`--${name} is required. The head of contracts/set-up.ts has an example.`);
  return value;
};

const main = async (): Promise<void> => {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { genesis: text, keys: text, 'chain-url': text, devnet: { type: 'boolean', default: false } } });
  const done = await setUp({
    genesis: decodeGenesis(readFileSync(required(values.genesis, 'genesis'))),
    publisherKey: readFileSync(join(required(values.keys, 'keys'), 'account.key'), 'utf8').trim(),
    chainUrl: required(values['chain-url'], 'chain-url').replace(/\/$/, ''),
    devnet: values.devnet,
  });
  console.log(`contract     ${done.contract}`);
  console.log(`published    ${done.published ?? 'was already'}`);
  console.log(`initialised  ${done.initialized ?? 'was already'}`);
};

if (import.meta.main)
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
