/** The contracts as an account's owner sees them (rules K2, K8, K9), over the unmodified Aptos SDK. */
import {
  Account,
  Aptos,
  APTOS_COIN,
  AptosApiError,
  AptosConfig,
  Ed25519PrivateKey,
  getAptosFullNode,
  isUserTransactionResponse,
  Network,
  type EntryFunctionArgumentTypes,
  type InputEntryFunctionData,
  type LedgerInfo,
  type SimpleEntryFunctionArgumentTypes,
} from '@aptos-labs/ts-sdk';
import { fromHex, type Genesis } from '@scs/protocol';
import { CliError } from '../errors.ts';
import { happeningsOf, type Happening } from './happenings.ts';
import { chainRefusal, refusalOfStatus } from './refusal.ts';

export type Argument = SimpleEntryFunctionArgumentTypes | EntryFunctionArgumentTypes;
/** One entry function, `escrow::deposit`, and its arguments after the signer. */
export interface Call {
  readonly name: string;
  readonly args: readonly Argument[];
}
export interface Receipt {
  readonly call: string;
  /** undefined when it was only simulated. */
  readonly hash: string | undefined;
  readonly gasUnits: bigint;
  /** Of the chain's own coin, in its base units. */
  readonly gasPrice: bigint;
  readonly happenings: readonly Happening[];
}
export interface SettledBatch {
  readonly tasksRoot: string;
  readonly taskCount: bigint;
  readonly epoch: bigint;
}
/** A version of the ledger, and its time in seconds: views at one version agree with each other. */
export interface LedgerPoint {
  readonly version: bigint;
  readonly seconds: bigint;
}

/** One question may take so long. */
const ASK_MS = 60_000;
/** Bounds of a transaction's gas: half above what the simulation used, and at least what nodes take. */
const LEAST_GAS = 2_000n;

/** Given a URL, the SDK's constructor prints a note on standard output, where the command's own answer belongs. */
const quietConfig = (fullnode: string): AptosConfig => Object.assign(new AptosConfig({ network: Network.CUSTOM }), { fullnode });

export class Ledger {
  readonly #aptos: Aptos;
  readonly #contract: string;
  readonly #chainId: number;
  readonly #signal: AbortSignal | undefined;
  constructor(url: string, genesis: Genesis, signal?: AbortSignal) {
    this.#aptos = new Aptos(quietConfig(url));
    this.#contract = genesis.chain.contract;
    this.#chainId = genesis.chain.chainId;
    this.#signal = signal;
  }

  chainId(): Promise<number> {
    return this.#ask('the ledger', async () => (await this.#info()).chain_id);
  }

  /** Latest version. Throws CliError when the node can't be reached or serves another chain than the genesis names. */
  async check(): Promise<LedgerPoint> {
    const { chain_id: chainId, ledger_version, ledger_timestamp } = await this.#ask('the ledger', () => this.#info());
    if (chainId !== this.#chainId)
      throw new CliError(
        'WrongChain',
        `The node serves chain ${chainId}; the genesis names chain ${this.#chainId}. Give another --chain-url.`,
      );
    return { version: whole(ledger_version), seconds: whole(ledger_timestamp) / 1_000_000n };
  }

  /** Hex of the genesis digest that the contracts were initialised with. */
  async genesis(): Promise<string> {
    const [digest] = await this.view('committee::genesis', []);
    return bareHex(digest);
  }

  /** undefined when the contract has not accepted that batch. */
  async batch(number: bigint): Promise<SettledBatch | undefined> {
    const [next] = await this.view('settlement::next_number', []);
    if (number >= whole(next) || number < 1n) return undefined;
    const [tasksRoot, taskCount, epoch] = await this.view('settlement::batch', [number]);
    return { tasksRoot: bareHex(tasksRoot), taskCount: whole(taskCount), epoch: whole(epoch) };
  }

  /** The transaction that settled a batch; undefined when the node no longer serves it. */
  async settlementTransaction(number: bigint): Promise<{ readonly hash: string; readonly version: string } | undefined> {
    const [submitter, sequence] = await this.view('settlement::submission', [number]);
    const offset = whole(sequence);
    const found = await this.#ask('the settling transaction', () =>
      this.#aptos.getAccountTransactions({ accountAddress: String(submitter), options: { offset, limit: 1 } }),
    );
    const settled = found.find((t) => isUserTransactionResponse(t) && t.sequence_number === String(offset));
    return settled && isUserTransactionResponse(settled) ? { hash: settled.hash, version: settled.version } : undefined;
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

  /** What pays for transactions, in base units of the chain's own coin. */
  gasBalance(address: string): Promise<bigint> {
    return this.#ask('the gas balance', async () => {
      const balance = await this.#aptos.getBalance({ accountAddress: address, asset: APTOS_COIN });
      return BigInt(balance);
    });
  }

  /** Throws CliError with the sentence of what the contract refused; nothing is signed or changed. */
  async simulate(seed: string, call: Call): Promise<Receipt> {
    const account = accountOf(seed);
    const address = account.accountAddress.toStringLong();
    return this.#ask(
      call.name,
      async () => {
        const transaction = await this.#aptos.transaction.build.simple({ sender: account.accountAddress, data: this.#data(call) });
        const options = { estimateGasUnitPrice: true, estimateMaxGasAmount: true };
        const [result] = await this.#aptos.transaction.simulate.simple({ signerPublicKey: account.publicKey, transaction, options });
        if (!result) throw new CliError('ChainMalformed', "The chain's node answered nothing to a simulation.");
        if (!result.success) throw refusalOfStatus(call.name, result.vm_status, address);
        return this.#receipt(call, undefined, result);
      },
      address,
    );
  }

  /** Simulates first, so that what is refused costs nothing; then signs, submits and waits. */
  async call(seed: string, call: Call): Promise<Receipt> {
    const simulated = await this.simulate(seed, call);
    const account = accountOf(seed);
    const address = account.accountAddress.toStringLong();
    const most = (simulated.gasUnits * 3n) / 2n;
    return this.#ask(
      call.name,
      async () => {
        const transaction = await this.#aptos.transaction.build.simple({
          sender: account.accountAddress,
          data: this.#data(call),
          options: { maxGasAmount: Number(most < LEAST_GAS ? LEAST_GAS : most), gasUnitPrice: Number(simulated.gasPrice) },
        });
        const pending = await this.#aptos.signAndSubmitTransaction({ signer: account, transaction });
        const done = await this.#aptos.waitForTransaction({ transactionHash: pending.hash, options: { checkSuccess: false } });
        if (!isUserTransactionResponse(done)) throw new CliError('ChainMalformed', `${done.hash} is no transaction of an account.`);
        if (!done.success) throw refusalOfStatus(call.name, done.vm_status, address);
        return this.#receipt(call, done.hash, done);
      },
      address,
    );
  }

  /** At `point`, or at the latest version. */
  view(name: string, functionArguments: (string | bigint | number)[], point?: LedgerPoint): Promise<readonly unknown[]> {
    const payload = { function: this.#function(name), functionArguments };
    return this.#ask(name, () => this.#aptos.view(point ? { payload, options: { ledgerVersion: point.version } } : { payload }));
  }

  /** Past the SDK's cache, which may be of an earlier moment. */
  async #info(): Promise<LedgerInfo> {
    const aptosConfig = this.#aptos.config;
    return (await getAptosFullNode<Record<string, never>, LedgerInfo>({ aptosConfig, originMethod: 'scs', path: '' })).data;
  }

  #data({ name, args }: Call): InputEntryFunctionData {
    return { function: this.#function(name), functionArguments: [...args] };
  }

  #receipt(
    { name }: Call,
    hash: string | undefined,
    done: { gas_used: string; gas_unit_price: string; events: { type: string; data: unknown }[] },
  ): Receipt {
    const happenings = happeningsOf(done.events, this.#contract);
    return { call: name, hash, gasUnits: whole(done.gas_used), gasPrice: whole(done.gas_unit_price), happenings };
  }

  #function(name: string): `${string}::${string}::${string}` {
    const [module, fn] = name.split('::');
    return `${this.#contract}::${module}::${fn}`;
  }

  async #ask<T>(what: string, call: () => Promise<T>, address?: string): Promise<T> {
    try {
      return await Promise.race([call(), cutOff(what, this.#signal)]);
    } catch (cause) {
      throw chainRefusal(what, cause, address);
    }
  }
}

/** Rejects when the user interrupts, or after a minute. */
const cutOff = (what: string, signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_resolve, reject) => {
    const limit = AbortSignal.any([AbortSignal.timeout(ASK_MS), ...(signal ? [signal] : [])]);
    const stop = () =>
      reject(
        signal?.aborted
          ? new CliError('Interrupted', 'Interrupted. A transaction that was sent may still land: see kubectl symphony account.')
          : new CliError('ChainUnreachable', `The chain gave no answer about ${what} in ${ASK_MS / 1000} s.`),
      );
    if (limit.aborted) stop();
    else limit.addEventListener('abort', stop, { once: true });
  });

const accountOf = (seed: string): Account => Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(fromHex(seed)) });

/** Throws CliError on what is no whole number: a node that answers so is none of ours. */
export const whole = (value: unknown): bigint => {
  const text = String(value);
  if (!/^\d{1,39}$/.test(text))
    throw new CliError('ChainMalformed', `The chain's node answered "${text.slice(0, 40)}" where a number was due.`);
  return BigInt(text);
};
const bareHex = (hexWith0x: unknown): string => String(hexWith0x).replace(/^0x/, '');
