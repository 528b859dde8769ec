/** The settlement chain as an account's owner sees it: balances, escrow, claims (rules K2, K8). Over the unmodified Aptos SDK. */
import { Account, Aptos, AptosConfig, Ed25519PrivateKey, Network, type InputEntryFunctionData } from '@aptos-labs/ts-sdk';
import type { Genesis } from '@scs/protocol';
import { CliError } from './errors.ts';

export interface AccountView {
  readonly address: string;
  /** Base units of SYM. */
  readonly balance: bigint;
  readonly escrow: bigint;
  readonly withdrawing: bigint;
  readonly ripensAt: bigint;
  readonly expiresAt: bigint;
  readonly debt: bigint;
  readonly claimable: bigint;
}
export interface Receipt {
  readonly hash: string;
  readonly gas: string;
}

export class Wallet {
  readonly #aptos: Aptos;
  readonly #contract: string;
  readonly #chainId: number;
  constructor(url: string, genesis: Genesis) {
    this.#aptos = new Aptos(new AptosConfig({ network: Network.CUSTOM, fullnode: url }));
    this.#contract = genesis.chain.contract;
    this.#chainId = genesis.chain.chainId;
  }

  /** Throws CliError when the node can't be reached or serves another chain than the genesis names. */
  async check(): Promise<void> {
    const info = await this.#ask('the ledger', () => this.#aptos.getLedgerInfo());
    if (info.chain_id !== this.#chainId)
      throw new CliError(
        'WrongChain',
        `The node serves chain ${info.chain_id}; the genesis names chain ${this.#chainId}. Give another --chain-url.`,
      );
  }

  async account(address: string): Promise<AccountView> {
    const [[balance], escrow, [claimable]] = await Promise.all([
      this.view('sym::balance', [address]),
      this.view('escrow::account', [address]),
      this.view('rewards::claimable', [address]),
    ]);
    const [held, withdrawing, ripensAt, expiresAt, debt] = escrow.map((x) => BigInt(String(x)));
    return {
      address,
      balance: BigInt(String(balance)),
      escrow: held ?? 0n,
      withdrawing: withdrawing ?? 0n,
      ripensAt: ripensAt ?? 0n,
      expiresAt: expiresAt ?? 0n,
      debt: debt ?? 0n,
      claimable: BigInt(String(claimable)),
    };
  }

  view(name: string, functionArguments: (string | bigint)[]): Promise<readonly unknown[]> {
    return this.#ask(name, () => this.#aptos.view({ payload: { function: this.#function(name), functionArguments } }));
  }

  /** Signs, submits and waits. With `dryRun` it is simulated only. */
  async call(seed: string, name: string, functionArguments: bigint[], dryRun: boolean): Promise<Receipt> {
    const account = Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(`0x${seed}`) });
    const data: InputEntryFunctionData = { function: this.#function(name), functionArguments };
    return this.#ask(name, async () => {
      const transaction = await this.#aptos.transaction.build.simple({ sender: account.accountAddress, data });
      if (dryRun) {
        const [result] = await this.#aptos.transaction.simulate.simple({ signerPublicKey: account.publicKey, transaction });
        if (!result?.success) throw new Error(result?.vm_status ?? 'no answer');
        return { hash: '(dry run)', gas: result.gas_used };
      }
      const pending = await this.#aptos.signAndSubmitTransaction({ signer: account, transaction });
      const done = await this.#aptos.waitForTransaction({ transactionHash: pending.hash });
      return { hash: done.hash, gas: done.gas_used };
    });
  }

  /** undefined when the node knows no such transaction. */
  async transaction(hash: string): Promise<{ readonly success: boolean; readonly version: string } | undefined> {
    try {
      const found = await this.#aptos.getTransactionByHash({ transactionHash: hash });
      return found.type === 'user_transaction' && 'success' in found ? { success: found.success, version: found.version } : undefined;
    } catch (cause) {
      if (cause instanceof Error && /not.?found/i.test(cause.message)) return undefined;
      throw cause;
    }
  }

  #function(name: string): `${string}::${string}::${string}` {
    const [module, fn] = name.split('::');
    return `${this.#contract}::${module}::${fn}`;
  }

  async #ask<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      throw new CliError(
        'ChainRefused',
        `The chain refused ${what}: ${cause instanceof Error ? cause.message.slice(0, 400) : String(cause)}`,
      );
    }
  }
}
