/**
 * Initialises published SCS contracts (rules G7, K7): one transaction of the publisher's, once. Needs no compiler, so it
 * serves every network; `publish.ts` adds publishing for the devnet.
 */
import { AptosApiError, AccountAddress, Bool, getAptosFullNode, MoveVector, parseTypeTag, U64 } from '@aptos-labs/ts-sdk';
import type { Account, Aptos, EntryFunctionABI, MoveModuleBytecode, MoveValue } from '@aptos-labs/ts-sdk';

/** What genesis says about the chain. Amounts in base units of SYM; keys and digest are hex of 32 bytes. */
export interface ContractGenesis {
  readonly digest: string;
  /** Public keys of masters 0, 1, 2. */
  readonly masters: readonly string[];
  /** Public keys of which two appoint a new committee when the masters are lost (N9). */
  readonly recoveryKeys: readonly string[];
  readonly simulated: boolean;
  /** At most 1,000, none zero; with `treasuryReserve` they are the whole supply. */
  readonly allocations: readonly { readonly address: string; readonly amount: bigint }[];
  readonly treasuryReserve: bigint;
  /** Longer than the longest task plus its challenge window (K2). */
  readonly escrowDelaySeconds: bigint;
  /** How long a ripe withdrawal may wait before it expires. */
  readonly escrowWindowSeconds: bigint;
}

export type ContractsFault =
  /** The contracts there belong to another genesis: another address, or another genesis file. */
  | { code: 'WrongGenesis'; contract: string; expected: string; got: string }
  /** Other code than this build's is published there. */
  | { code: 'CodeDiffers'; contract: string; module: string }
  | { code: 'NotPublished'; contract: string };

const sentences = {
  WrongGenesis: 'are initialised for another genesis',
  CodeDiffers: 'are of another build',
  NotPublished: 'are not published',
} as const;

export class ContractsError extends Error {
  readonly fault: ContractsFault;
  constructor(fault: ContractsFault) {
    super(`The contracts at ${fault.contract} ${sentences[fault.code]}`);
    this.name = 'ContractsError';
    this.fault = fault;
  }
}

const initializeAbi: EntryFunctionABI = {
  typeParameters: [],
  parameters: ['vector<u8>', 'vector<vector<u8>>', 'vector<vector<u8>>', 'bool', 'vector<address>', 'vector<u64>', 'u64', 'u64', 'u64'].map(
    (t) => parseTypeTag(t),
  ),
};

const argumentsOf = (genesis: ContractGenesis) => [
  MoveVector.U8(`0x${genesis.digest}`),
  new MoveVector(genesis.masters.map((key) => MoveVector.U8(`0x${key}`))),
  new MoveVector(genesis.recoveryKeys.map((key) => MoveVector.U8(`0x${key}`))),
  new Bool(genesis.simulated),
  new MoveVector(genesis.allocations.map(({ address }) => AccountAddress.from(address))),
  new MoveVector(genesis.allocations.map(({ amount }) => new U64(amount))),
  new U64(genesis.treasuryReserve),
  new U64(genesis.escrowDelaySeconds),
  new U64(genesis.escrowWindowSeconds),
];

const viewAbi = (...returns: string[]) => ({ typeParameters: [], parameters: [], returnTypes: returns.map((t) => parseTypeTag(t)) });
const isInitialized = async (aptos: Aptos, contract: string): Promise<boolean> => {
  const [answer] = await aptos.view<MoveValue[]>({
    payload: { function: `${contract}::committee::is_initialized`, functionArguments: [], abi: viewAbi('bool') },
  });
  return answer === true;
};
const genesisOf = async (aptos: Aptos, contract: string): Promise<string> => {
  const [digest] = await aptos.view<MoveValue[]>({
    payload: { function: `${contract}::committee::genesis`, functionArguments: [], abi: viewAbi('vector<u8>', 'bool') },
  });
  return typeof digest === 'string' ? digest.replace(/^0x/, '') : 'none';
};

/** Bytecode as `0x...`, or undefined when there is no such module. Past the SDK's cache, which all nodes share. */
export const publishedModule = async (aptos: Aptos, contract: string, name: string): Promise<string | undefined> => {
  try {
    const { data } = await getAptosFullNode<Record<string, never>, MoveModuleBytecode>({
      aptosConfig: aptos.config,
      originMethod: 'publishedModule',
      path: `accounts/${contract}/module/${name}`,
    });
    return data.bytecode;
  } catch (error) {
    if (error instanceof AptosApiError && error.status === 404) return undefined;
    throw error;
  }
};

/** Throws ContractsError unless contracts of this genesis are published and initialised at `contract`. */
export const checkContracts = async (aptos: Aptos, contract: string, genesisDigest: string): Promise<void> => {
  if ((await publishedModule(aptos, contract, 'committee')) === undefined) throw new ContractsError({ code: 'NotPublished', contract });
  const got = (await isInitialized(aptos, contract)) ? await genesisOf(aptos, contract) : 'none';
  if (got !== genesisDigest) throw new ContractsError({ code: 'WrongGenesis', contract, expected: genesisDigest, got });
};

/**
 * Initialises the contracts at the publisher's address, or finds that they are. Safe to repeat after any failure. Returns the
 * transaction's hash when it was this call that did it. Throws ContractsError, and the SDK's errors when the chain fails.
 */
export const initializeScs = async (input: { aptos: Aptos; publisher: Account; genesis: ContractGenesis }): Promise<string | undefined> => {
  const { aptos, publisher, genesis } = input;
  const contract = publisher.accountAddress.toStringLong();
  if ((await publishedModule(aptos, contract, 'committee')) === undefined) throw new ContractsError({ code: 'NotPublished', contract });
  if (await isInitialized(aptos, contract)) {
    await checkContracts(aptos, contract, genesis.digest);
    return undefined;
  }
  const transaction = await aptos.transaction.build.simple({
    sender: publisher.accountAddress,
    data: { function: `${contract}::genesis::initialize`, functionArguments: argumentsOf(genesis), abi: initializeAbi },
    options: { maxGasAmount: 200_000 + 2_000 * genesis.allocations.length },
  });
  const { hash } = await aptos.signAndSubmitTransaction({ signer: publisher, transaction });
  await aptos.waitForTransaction({ transactionHash: hash });
  return hash;
};
