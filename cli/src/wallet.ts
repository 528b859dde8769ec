/** The settlement chain as an account's owner sees it: balances, escrow, claims (rules K2, K8). Over the unmodified Aptos SDK. */
import {
  Account,
  Aptos,
  AptosApiError,
  AptosConfig,
  Ed25519PrivateKey,
  isUserTransactionResponse,
  Network,
  type InputEntryFunctionData,
} from '@aptos-labs/ts-sdk';
import { fromHex, type Genesis } from '@scs/protocol';
import { CliError } from './errors.ts';

export interface AccountView {
  readonly address: string;
  /** Base units of SYM. */
  readonly balance: bigint;
  readonly escrow: bigint;
  readonly withdrawing: bigint;
  /** Chain time in seconds; 0 without a withdrawal. */
  readonly ripensAt: bigint;
  readonly expiresAt: bigint;
  readonly debt: bigint;
  readonly claimable: bigint;
}
export interface Receipt {
  /** undefined when it was only simulated. */
  readonly hash: string | undefined;
  readonly gas: string;
}
export interface SettledBatch {
  readonly tasksRoot: string;
  readonly taskCount: bigint;
}

/** Given a URL, the SDK's constructor prints a note on standard output, where the command's own answer belongs. */
const quietConfig = (fullnode: string): AptosConfig => Object.assign(new AptosConfig({ network: Network.CUSTOM }), { fullnode });

export class Wallet {
  readonly #aptos: Aptos;
  readonly #contract: string;
  readonly #chainId: number;
  constructor(url: string, genesis: Genesis) {
    this.#aptos = new Aptos(quietConfig(url));
    this.#contract = genesis.chain.contract;
    this.#chainId = genesis.chain.chainId;
  }

  chainId(): Promise<number> {
    return this.#ask('the ledger', async () => (await this.#aptos.getLedgerInfo()).chain_id);
  }

  /** Throws CliError when the node can't be reached or serves another chain than the genesis names. */
  async check(): Promise<void> {
    const chainId = await this.chainId();
    if (chainId !== this.#chainId)
      throw new CliError(
        'WrongChain',
        `The node serves chain ${chainId}; the genesis names chain ${this.#chainId}. Give another --chain-url.`,
      );
  }

  async account(address: string): Promise<AccountView> {
    const [[balance], [escrow, withdrawing, ripensAt, expiresAt, debt], [claimable]] = await Promise.all([
      this.#view('sym::balance', [address]),
      this.#view('escrow::account', [address]),
      this.#view('rewards::claimable', [address]),
    ]);
    return {
      address,
      balance: u64(balance),
      escrow: u64(escrow),
      withdrawing: u64(withdrawing),
      ripensAt: u64(ripensAt),
      expiresAt: u64(expiresAt),
      debt: u64(debt),
      claimable: u64(claimable),
    };
  }

  /** Hex of the genesis digest that the contracts were initialised with. */
  async genesis(): Promise<string> {
    const [digest] = await this.#view('committee::genesis', []);
    return bare(digest);
  }

  /** undefined when the contract has not accepted that batch. */
  async batch(number: bigint): Promise<SettledBatch | undefined> {
    const [next] = await this.#view('settlement::next_number', []);
    if (number >= u64(next)) return undefined;
    const [tasksRoot, taskCount] = await this.#view('settlement::batch', [number]);
    return { tasksRoot: bare(tasksRoot), taskCount: u64(taskCount) };
  }

  /** Signs with `seed`, submits and waits. With `dryRun` it is simulated only. */
  call(seed: string, name: string, functionArguments: bigint[], dryRun: boolean): Promise<Receipt> {
    const account = Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(fromHex(seed)) });
    const data: InputEntryFunctionData = { function: this.#function(name), functionArguments };
    return this.#ask(name, async () => {
      const transaction = await this.#aptos.transaction.build.simple({ sender: account.accountAddress, data });
      if (dryRun) {
        const [result] = await this.#aptos.transaction.simulate.simple({ signerPublicKey: account.publicKey, transaction });
        if (!result?.success) throw new Error(result?.vm_status ?? 'no answer');
        return { hash: undefined, gas: result.gas_used };
      }
      const pending = await this.#aptos.signAndSubmitTransaction({ signer: account, transaction });
      const done = await this.#aptos.waitForTransaction({ transactionHash: pending.hash });
      return { hash: done.hash, gas: done.gas_used };
    });
  }

  /** undefined when the node knows no such transaction, or it has not been executed. */
  transaction(hash: string): Promise<{ readonly success: boolean; readonly version: string } | undefined> {
    return this.#ask(`transaction ${hash}`, async () => {
      try {
        const found = await this.#aptos.getTransactionByHash({ transactionHash: hash });
        return isUserTransactionResponse(found) ? { success: found.success, version: found.version } : undefined;
      } catch (cause) {
        if (cause instanceof AptosApiError && cause.status === 404) return undefined;
        throw cause;
      }
    });
  }

  #view(name: string, functionArguments: (string | bigint)[]): Promise<readonly unknown[]> {
    return this.#ask(name, () => this.#aptos.view({ payload: { function: this.#function(name), functionArguments } }));
  }

  #function(name: string): `${string}::${string}::${string}` {
    const [module, fn] = name.split('::');
    return `${this.#contract}::${module}::${fn}`;
  }

  async #ask<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      throw refusal(what, cause);
    }
  }
}

const refusal = (what: string, cause: unknown): CliError => {
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, 400);
  const network =
    cause instanceof TypeError || (cause instanceof Error && cause.cause instanceof Error) || (cause instanceof Error && 'code' in cause);
  return network && !(cause instanceof AptosApiError)
    ? new CliError('ChainUnreachable', `The chain can't be asked for ${what}: ${message}`)
    : new CliError('ChainRefused', `The chain refused ${what}: ${message}`);
};
/** Throws CliError on what is no u64: a node that answers so is none of ours. */
const u64 = (value: unknown): bigint => {
  const text = String(value);
  if (!/^\d{1,20}$/.test(text))
    throw new CliError('ChainMalformed', `The chain's node answered "${text.slice(0, 40)}" where a number was due.`);
  return BigInt(text);
};
const bare = (hexWith0x: unknown): string => String(hexWith0x).replace(/^0x/, '');
