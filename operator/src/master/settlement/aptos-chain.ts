/**
 * The settlement chain over the Aptos SDK: mainnet, testnet, a localnet and the embedded devnet alike. The gas account pays
 * for transactions and has no other power (the certificate authorizes).
 */
import {
  Account,
  AccountAddress,
  APTOS_COIN,
  Aptos,
  AptosConfig,
  Ed25519PrivateKey,
  generateUserTransactionHash,
  getAptosFullNode,
  MoveVector,
  Network,
  TransactionResponseType,
} from '@aptos-labs/ts-sdk';
import type {
  CommittedTransactionResponse,
  LedgerInfo,
  MoveValue,
  SimpleTransaction,
  UserTransactionResponse,
  ViewFunctionABI,
} from '@aptos-labs/ts-sdk';
import type { Equivocation } from '@scs/protocol/accountability.ts';
import type { ReplacementLink } from '@scs/protocol/succession.ts';
import type { CertifiedLeaf } from '@scs/protocol/certificate.ts';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { decodeBatch } from '@scs/protocol/settlement-layout.ts';
import type { Batch } from '@scs/protocol/settlement-layout.ts';
import type { LeafKind } from '@scs/protocol/leaf-kinds.ts';
import { AptosEconomy, GAS_BASE, GAS_PER_TRANSFER, leafArguments, type Transaction, type ViewArgument } from './aptos-economy.ts';
import { digest, integer, integers, misbehaves, present, text } from './aptos-answers.ts';
import { aptosTransport } from './aptos-transport.ts';
import { ChainError } from './chain.ts';
import type { Chain, ChainFault, ChainPoint, ChainReading, EconomyFigures, EconomyQuestion, EscrowReading, SettledBatch } from './chain.ts';
import { asChainError, faultOfStatus } from './chain-fault.ts';
import { batchAbi, genesisAbi, isInitializedAbi, nextNumberAbi, observeAbi, settleAbi, submissionAbi } from './scs-abi.ts';

export interface AptosChainConfig {
  /** Of the fullnode's API, ending in `/v1`. */
  readonly url: string;
  readonly chainId: number;
  /** Address of the contracts, long form. */
  readonly contract: string;
  /** Digest that the contracts must have been initialised with; hex. */
  readonly genesis: string;
  /** Seed of the gas account's Ed25519 key: 32 bytes, hex. */
  readonly gasKey: string;
  readonly apiKey?: string;
  /** One request; default 10 s. */
  readonly requestTimeoutMs?: number;
  /** From submission to commit, and the transaction's own expiry; default 30 s. */
  readonly commitTimeoutSeconds?: number;
}

/** Addresses per view call: one call's arguments stay far below the node's limits. */
const ADDRESSES_A_VIEW = 500;
/** Opens nothing yet: the first call checks chain id and genesis digest. */
export const aptosChain = (config: AptosChainConfig): Chain => new AptosChain(config);

class AptosChain implements Chain {
  readonly #config: AptosChainConfig;
  readonly #aptos: Aptos;
  readonly #gas: Account;
  readonly #commitTimeoutSeconds: number;
  readonly #economy: AptosEconomy;
  #genesisChecked = false;
  /** Transactions go one at a time: two at once would take the same sequence number. */
  #sending: Promise<unknown> = Promise.resolve();

  constructor(config: AptosChainConfig) {
    this.#config = config;
    this.#gas = Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(fromHex(config.gasKey)) });
    this.#commitTimeoutSeconds = config.commitTimeoutSeconds ?? 30;
    const clientConfig = config.apiKey === undefined ? {} : { API_KEY: config.apiKey };
    const client = aptosTransport(config.requestTimeoutMs ?? 10_000);
    this.#aptos = new Aptos(
      new AptosConfig({ network: Network.CUSTOM, fullnode: config.url, clientConfig, client, archivalFallback: false }),
    );
    this.#economy = new AptosEconomy({
      ledger: () => this.#ledger(),
      view: (name, abi, args, version) => this.#view(name, abi, args, version),
      transact: (transaction) => this.#transact(transaction),
    });
  }

  observe(addresses: readonly string[], at?: ChainPoint): Promise<ChainReading> {
    return this.#call(async () => {
      const latest = await this.#ledger();
      const { ledgerVersion, timestampMs } = at ?? latest;
      if (at) await this.#checkPoint(at, latest);
      const escrows: Record<string, EscrowReading> = {};
      let nextBatch = 0n;
      for (let from = 0; from === 0 || from < addresses.length; from += ADDRESSES_A_VIEW) {
        const asked = addresses.slice(from, from + ADDRESSES_A_VIEW);
        const argument = new MoveVector(asked.map((a) => AccountAddress.from(a)));
        const [next, ...columns] = await this.#view('settlement::observe', observeAbi, [argument], ledgerVersion);
        nextBatch = integer(next);
        const [balances = [], withdrawing = [], expiries = [], debts = []] = columns.map(integers);
        for (const [i, address] of asked.entries())
          escrows[address] = {
            balance: present(balances[i]),
            withdrawing: present(expiries[i]) * 1000n <= timestampMs ? 0n : present(withdrawing[i]),
            debt: present(debts[i]),
          };
      }
      return { ledgerVersion, timestampMs, nextBatch, escrows };
    });
  }

  settle({ leaf }: { leaf: CertifiedLeaf }): Promise<{ txHash: string; version: bigint }> {
    const batch = decodeBatch(fromHex(leaf.value));
    return this.#inTurn(() => this.#settle(leaf, batch));
  }
  economy(question: EconomyQuestion, at: ChainPoint): Promise<EconomyFigures> {
    return this.#call(() => this.#economy.figures(question, at));
  }
  land(kind: LeafKind, number: bigint, leaf: CertifiedLeaf): Promise<void> {
    return this.#inTurn(() => this.#economy.land(kind, number, leaf));
  }
  appoint(link: ReplacementLink): Promise<void> {
    return this.#inTurn(() => this.#economy.appoint(link));
  }
  mintDue(): Promise<void> {
    return this.#inTurn(() => this.#economy.mintDue());
  }
  report(proof: Equivocation): Promise<void> {
    return this.#inTurn(() => this.#economy.report(proof));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#sending.then(() => this.#call(work));
    this.#sending = run.catch(() => undefined); // the caller sees the failure; the next in line only waits
    return run;
  }

  settledBatch(number: bigint): Promise<SettledBatch | undefined> {
    return this.#call(async () => {
      const { ledgerVersion } = await this.#ledger();
      return (await this.#nextNumber(ledgerVersion)) > number ? this.#settled(number, ledgerVersion) : undefined;
    });
  }

  gasBalance(): Promise<bigint> {
    return this.#call(async () => {
      await this.#ledger();
      return BigInt(await this.#aptos.getBalance({ accountAddress: this.#gas.accountAddress, asset: APTOS_COIN }));
    });
  }

  async #settle(leaf: CertifiedLeaf, batch: Batch): Promise<{ txHash: string; version: bigint }> {
    const { ledgerVersion } = await this.#ledger();
    const next = await this.#nextNumber(ledgerVersion);
    if (batch.number > next) throw new ChainError({ code: 'BatchOutOfOrder', next, got: batch.number });
    if (batch.number < next) return this.#landed(batch);
    const { fault, ...sent } = await this.#transact({
      name: 'settlement::settle',
      abi: settleAbi,
      arguments: leafArguments(leaf),
      maxGas: GAS_BASE + GAS_PER_TRANSFER * (batch.debits.length + batch.credits.length),
    });
    if (!fault) return sent;
    if (fault.code === 'ContractRefused' && fault.reason === 'AlreadySettled') return this.#landed(batch);
    throw new ChainError(fault);
  }

  /** The committed transaction, and the fault in which it ended, if it did. Call it in turn. */
  async #transact({ name, abi, arguments: args, maxGas }: Transaction): Promise<{ txHash: string; version: bigint; fault?: ChainFault }> {
    const { timestampMs } = await this.#ledger();
    // An idle chain's ledger may be old, and a master's clock behind: the later of both still expires soon.
    const expiry = Math.max(Number(timestampMs / 1000n), Math.floor(Date.now() / 1000)) + Math.ceil(this.#commitTimeoutSeconds);
    const transaction = await this.#aptos.transaction.build.simple({
      sender: this.#gas.accountAddress,
      data: { function: `${this.#config.contract}::${name}`, functionArguments: [...args], abi },
      options: { maxGasAmount: maxGas, expireTimestamp: expiry },
    });
    const { success, hash: txHash, version, vm_status: status } = await this.#submit(transaction);
    const sent = { txHash, version: BigInt(version) };
    return success ? sent : { ...sent, fault: faultOfStatus(status, this.#gas.accountAddress.toString()) };
  }

  /** Signs, submits and waits. An answer lost on the way is no failure: the hash is known before. */
  async #submit(transaction: SimpleTransaction): Promise<CommittedTransactionResponse> {
    const senderAuthenticator = this.#aptos.transaction.sign({ signer: this.#gas, transaction });
    const hash = generateUserTransactionHash({ transaction, senderAuthenticator });
    try {
      await this.#aptos.transaction.submit.simple({ transaction, senderAuthenticator });
    } catch (error) {
      const known = this.#asChainError(error);
      if (known.fault.code !== 'ChainUnavailable') throw known;
      return this.#committed(hash, known);
    }
    return this.#committed(hash);
  }

  async #committed(hash: string, doubt?: ChainError): Promise<CommittedTransactionResponse> {
    try {
      return await this.#aptos.waitForTransaction({
        transactionHash: hash,
        options: {
          timeoutSecs: doubt === undefined ? this.#commitTimeoutSeconds : Math.min(2, this.#commitTimeoutSeconds),
          checkSuccess: false,
        },
      });
    } catch (error) {
      if (doubt !== undefined) throw doubt;
      const known = this.#asChainError(error);
      if (known.fault.code === 'ChainUnavailable') throw new ChainError({ code: 'TransactionPending', txHash: hash }, { cause: error });
      throw known;
    }
  }

  /** The batch's number is taken: by the same content, it is success. */
  async #landed(batch: Batch): Promise<{ txHash: string; version: bigint }> {
    const settled = await this.#settled(batch.number);
    if (settled.tasksRoot !== batch.tasksRoot)
      throw new ChainError({ code: 'SettledOtherwise', number: batch.number, tasksRoot: settled.tasksRoot });
    if (settled.txHash === undefined || settled.version === undefined)
      throw new ChainError({
        code: 'ChainUnavailable',
        detail: `batch ${batch.number} is settled, but the node does not serve its transaction`,
      });
    return { txHash: settled.txHash, version: settled.version };
  }

  async #settled(number: bigint, version?: bigint): Promise<SettledBatch> {
    const [[root], [submitter, sequence]] = await Promise.all([
      this.#view('settlement::batch', batchAbi, [number], version),
      this.#view('settlement::submission', submissionAbi, [number], version),
    ]);
    const tasksRoot = digest(root);
    const transaction = await this.#transactionOf(text(submitter), integer(sequence), number);
    return { tasksRoot, ...(transaction === undefined ? {} : { txHash: transaction.hash, version: BigInt(transaction.version) }) };
  }

  /** The contract tells whose transaction it was; its event tells that it is the one. */
  async #transactionOf(submitter: string, sequence: bigint, number: bigint): Promise<UserTransactionResponse | undefined> {
    const found = await this.#aptos.getAccountTransactions({
      accountAddress: submitter,
      options: { offset: sequence, limit: 1 },
    });
    const type = `${AccountAddress.from(this.#config.contract).toString()}::settlement::BatchSettled`;
    return found.find(
      (t): t is UserTransactionResponse =>
        t.type === TransactionResponseType.User && t.events.some((e) => sameType(e.type, type) && numberOf(e.data) === number),
    );
  }

  /** A version is the latest until the block after it is made; that block's time says when. */
  async #checkPoint({ ledgerVersion, timestampMs }: ChainPoint, latest: ChainPoint): Promise<void> {
    if (ledgerVersion > latest.ledgerVersion || timestampMs > latest.timestampMs)
      throw new ChainError({ code: 'ChainUnavailable', detail: `the node is not at version ${ledgerVersion} and time ${timestampMs} yet` });
    if (ledgerVersion === latest.ledgerVersion) return;
    const next = await this.#get<{ block_timestamp?: unknown }>(`blocks/by_version/${ledgerVersion + 1n}`);
    if (integer(next.block_timestamp) / 1000n < timestampMs) throw new ChainError({ code: 'PointFalse', ledgerVersion, timestampMs });
  }

  /** Latest version and its time; refuses another chain and, until it has seen the right one once, another genesis. */
  async #ledger(): Promise<ChainPoint> {
    const info = await this.#get<LedgerInfo>('');
    if (info.chain_id !== this.#config.chainId)
      throw new ChainError({ code: 'WrongChain', expected: this.#config.chainId, got: info.chain_id });
    if (!this.#genesisChecked) await this.#checkGenesis();
    return { ledgerVersion: integer(info.ledger_version), timestampMs: integer(info.ledger_timestamp) / 1000n };
  }

  async #checkGenesis(): Promise<void> {
    const { contract, genesis: expected } = this.#config;
    // Asks for the module first: what a view says of one that isn't there differs between nodes.
    await this.#get(`accounts/${contract}/module/committee`);
    const [initialized] = await this.#view('committee::is_initialized', isInitializedAbi, []);
    if (initialized !== true) throw new ChainError({ code: 'ContractMissing', contract });
    const got = digest((await this.#view('committee::genesis', genesisAbi, []))[0]);
    if (got !== expected) throw new ChainError({ code: 'WrongGenesis', expected, got });
    this.#genesisChecked = true;
  }

  async #nextNumber(version: bigint): Promise<bigint> {
    const [next] = await this.#view('settlement::next_number', nextNumberAbi, [], version);
    return integer(next);
  }

  async #view(
    name: `${string}::${string}`,
    abi: ViewFunctionABI,
    functionArguments: readonly ViewArgument[],
    version?: bigint,
  ): Promise<MoveValue[]> {
    const answer: unknown = await this.#aptos.view({
      payload: { function: `${this.#config.contract}::${name}`, functionArguments: [...functionArguments], abi },
      ...(version === undefined ? {} : { options: { ledgerVersion: version } }),
    });
    if (!Array.isArray(answer)) throw misbehaves('list of results');
    return answer;
  }

  /** Past the SDK's cache, which all nodes share. */
  async #get<T extends object>(path: string): Promise<T> {
    const { data } = await getAptosFullNode<Record<string, never>, T>({ aptosConfig: this.#aptos.config, originMethod: 'scs', path });
    return data;
  }

  #asChainError(error: unknown): ChainError {
    return asChainError(error, this.#gas.accountAddress.toString(), this.#config.contract);
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw this.#asChainError(error);
    }
  }
}

/** Nodes drop leading zeros of addresses in type names. */
const sameType = (a: string, b: string): boolean => a.replace(/^0x0*/, '') === b.replace(/^0x0*/, '');
const numberOf = (data: unknown): bigint | undefined =>
  typeof data === 'object' && data !== null && 'number' in data ? integer(data.number) : undefined;
