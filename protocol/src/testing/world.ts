/**
 * A whole group in memory: blocks applied by the real rules, Vaults and enclaves that sign for real, a chain that agrees. Steps
 * go one by one (`submit`, `answer`, `ready`, `release`, `aggregate`, `settle`) or to a state (`runTo`). For tests.
 */
import { blockDigest, type Block } from '../block.ts';
import type { Command, EconomyReading } from '../commands.ts';
import { parseSym } from '../amounts.ts';
import { decodeDividendRoot, dividendKey } from '../dividends.ts';
import { genesisDigest, type Genesis } from '../genesis.ts';
import { batchKey, decodeBatch } from '../settlement-layout.ts';
import type { State, TaskRecord, VaultPart } from '../state.ts';
import { apply, applyBlock, type Applied } from '../rules/apply.ts';
import { nextCommands, nextDue } from '../rules/due.ts';
import { economyIn } from '../rules/economy.ts';
import { initialState } from '../rules/genesis-state.ts';
import { aGenesis, enterprises, submitters, vaultNames } from './genesis.ts';
import { actorKey, digestOf } from './keys.ts';
import {
  aggregateCommand,
  anOffer,
  answerCommand,
  readyCommand,
  registerCommand,
  releaseCommand,
  sliceReadyCommand,
} from './statements.ts';
import type { AdmitCommand, TaskBuilder } from './task.ts';

/** Longest chain of follow-ups that one step may cause; more means that the rules run in circles. */
const MAX_ROUNDS = 10_000;

export class World {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly blocks: Block[] = [];
  state: State;
  /** Log time of the next block, milliseconds. */
  time: number;
  #ledger = { version: 100n, escrows: new Map<string, bigint>(), minted: 0n, pot: 0n, leaves: 0n, bonds: [] as EconomyReading['bonds'] };
  readonly #sequences = new Map<string, bigint>();

  constructor(genesis: Genesis = aGenesis()) {
    this.genesis = genesis;
    this.genesisDigest = genesisDigest(genesis);
    this.state = initialState(genesis);
    this.time = genesis.time;
  }
  /** With all Vaults registered and 100 SYM in each submitter's escrow. */
  static ready(genesis: Genesis = aGenesis()): World {
    const world = new World(genesis);
    world.block(...vaultNames.map((vault) => registerCommand(world, anOffer(vault))));
    for (const name of submitters) if (world.state.get('escrow', world.address(name))) world.fund(name, '100');
    world.observe();
    return world;
  }

  get height(): bigint {
    return this.state.must('meta').height;
  }
  task(uid: string): TaskRecord {
    return this.state.must('task', uid);
  }
  address(actor: string): string {
    return actorKey(actor).address;
  }

  /** What applying the command now would give; changes nothing. */
  try(command: Command): Applied {
    const { genesis, genesisDigest: digest, time } = this;
    return apply(this.state, command, { genesis, genesisDigest: digest, time, height: this.height + 1n });
  }
  /** The code of the fault that the command has now, or undefined. */
  faultOf(command: Command): string | undefined {
    const applied = this.try(command);
    return applied.ok ? undefined : applied.fault.code;
  }
  /** One block with these commands. Throws when one has a fault. Returns the touched keys. */
  block(...commands: Command[]): readonly string[] {
    const { height, block: parent } = this.state.must('meta');
    const block: Block = { height: height + 1n, generation: 0n, parent, time: this.time, proposer: 0, commands };
    const applied = applyBlock(this.state, block, this);
    if (!applied.ok) throw new Error(`${commands[applied.command ?? 0]?.type ?? 'block'}: ${applied.fault.code}: ${applied.fault.message}`);
    this.state = applied.state;
    this.blocks.push(block);
    if (blockDigest(block) !== this.state.must('meta').block) throw new Error('the state names another block');
    return applied.touched;
  }
  /** A block of those commands that have no fault, as an honest proposer makes it. Returns the faults' codes. */
  propose(...commands: Command[]): string[] {
    const faults: string[] = [];
    for (const command of commands) {
      const code = this.faultOf(command);
      if (code === undefined) this.block(command);
      else faults.push(code);
    }
    return faults;
  }
  /** Applies the masters' own follow-ups until none is due. */
  followUp(): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const commands = nextCommands(this.state, this.time, this.genesis);
      if (commands.length === 0) return;
      if (this.propose(...commands).length === commands.length) throw new Error('follow-ups with faults only');
    }
    throw new Error('follow-ups without end');
  }
  /** Lets time pass, stopping wherever the rules have something to do. */
  advance(ms: number): void {
    const end = this.time + ms;
    this.followUp();
    for (let due = nextDue(this.state, this.genesis); due !== undefined && due <= end; due = nextDue(this.state, this.genesis)) {
      this.time = Math.max(this.time, due);
      this.followUp();
    }
    this.time = end;
  }

  fund(actor: string, sym: string): void {
    const account = this.address(actor);
    this.#ledger.escrows.set(account, (this.#ledger.escrows.get(account) ?? 0n) + parseSym(sym));
  }
  /** Base units that the chain's schedule has minted since. */
  mint(amount: bigint): void {
    this.#ledger.minted += amount;
  }
  /** Base units that come into the dividend pot otherwise: what an expired root left over, say. */
  leaveOver(amount: bigint): void {
    this.#ledger.pot += amount;
  }
  bond(reading: EconomyReading['bonds'][number]): void {
    this.#ledger.bonds = [...this.#ledger.bonds.filter(({ holder }) => holder !== reading.holder), reading];
  }
  /** All decided leaves have landed. Undefined where the chain has nothing to tell, as before there was an economy. */
  #economy(): EconomyReading | undefined {
    const { minted, bonds } = this.#ledger;
    const { next } = economyIn(this.state);
    for (; this.#ledger.leaves < next.dividends - 1n; this.#ledger.leaves += 1n)
      this.#ledger.pot -= decodeDividendRoot(this.state.map.get(dividendKey(this.#ledger.leaves + 1n))!).total;
    const landed = {
      'node-rewards': next['node-rewards'] - 1n,
      dividends: next.dividends - 1n,
      slash: next.slash - 1n,
      governance: next.governance - 1n,
    };
    const silent = minted === 0n && bonds.length === 0 && Object.values(landed).every((n) => n === 0n);
    return silent ? undefined : { minted, unpromised: this.#ledger.pot, bonds, landed };
  }
  /** The chain as it is now: escrows read, decided batches and leaves landed and observed. */
  observe(): void {
    const { chain, nextBatch } = this.state.must('meta');
    this.#ledger.version += 1n;
    const settled = [];
    for (let number = (chain?.settled ?? 0n) + 1n; number < nextBatch; number++) {
      const batch = decodeBatch(this.state.map.get(batchKey(number))!);
      for (const { account, amount } of batch.debits) this.#ledger.escrows.set(account, (this.#ledger.escrows.get(account) ?? 0n) - amount);
      this.#ledger.pot += batch.dividends;
      const transaction = `0x${digestOf(`transaction ${number}`)}`;
      settled.push({ batch: number, tasksRoot: batch.tasksRoot, transaction, version: this.#ledger.version });
    }
    const escrows = [...this.#ledger.escrows].map(([account, balance]) => ({ account, balance, withdrawing: 0n }));
    const economy = this.#economy();
    const reading = { ledgerVersion: this.#ledger.version, time: this.time, escrows, settled };
    this.block({ type: 'chain.observed', ...reading, ...(economy && { economy }) });
  }

  /** Admits and resolves; returns the uid. */
  submit(task: TaskBuilder | AdmitCommand): string {
    const command = 'signed' in task ? task.signed(this.genesis) : task;
    this.block(command);
    this.followUp();
    return command.uid;
  }
  /** The next sequence of a Vault's journal. */
  sequence(vault: string): bigint {
    const next = (this.#sequences.get(vault) ?? 0n) + 1n;
    this.#sequences.set(vault, next);
    return next;
  }
  /** The Vaults whose part of the task is in that state. */
  vaultsIn(uid: string, state: VaultPart['state']): string[] {
    return this.task(uid).parts.flatMap((p) => (p.state === state ? [p.vault] : []));
  }
  answer(uid: string, vaults = this.vaultsIn(uid, 'asked')): void {
    for (const vault of vaults) this.block(answerCommand(this, this.task(uid), vault, this.sequence(vault)));
    this.followUp();
  }
  refuse(uid: string, vault: string, code = 'VaultBusy'): void {
    this.block(answerCommand(this, this.task(uid), vault, 0n, { code, message: 'not now' }));
    this.followUp();
  }
  ready(uid: string, vaults = this.vaultsIn(uid, 'reserved')): void {
    for (const vault of vaults) this.block(sliceReadyCommand(this, this.task(uid), vault));
  }
  release(uid: string, vaults = this.vaultsIn(uid, 'ready')): void {
    for (const vault of vaults) this.block(releaseCommand(this, this.task(uid), vault, this.sequence(vault)));
  }
  /** Address and name of the enterprise that aggregates now. */
  aggregator(uid: string): { address: string; name: string } {
    const { aggregators, aggregator } = this.task(uid);
    const address = aggregators![aggregator!]!;
    return { address, name: enterprises.find((name) => this.address(name) === address)! };
  }
  aggregatorReady(uid: string, start = 0): void {
    const { address, name } = this.aggregator(uid);
    this.block(readyCommand(this, this.task(uid), 'aggregator', address, name, start));
  }
  aggregate(uid: string): void {
    this.block(aggregateCommand(this, this.task(uid), this.aggregator(uid).address));
  }
  /** Windows pass, the batch is cut and lands. */
  settle(): void {
    const { windows, settlement } = this.genesis.policy;
    this.advance(windows.challengeMs + settlement.maxDelayMs + 1000);
    this.observe();
  }
  /** From wherever the task is, everything goes well until it is in `state`. */
  runTo(uid: string, state: 'dispatched' | 'verifying' | 'awaiting_settlement' | 'completed'): TaskRecord {
    const execute = (): void => {
      this.ready(uid);
      this.release(uid);
      this.aggregatorReady(uid);
      this.aggregate(uid);
    };
    const steps = [
      ['resolving', () => this.answer(uid)],
      ['dispatched', execute],
      ['verifying', () => this.followUp()],
      ['awaiting_settlement', () => this.settle()],
    ] as const;
    for (const [from, step] of steps) {
      if (this.task(uid).state === state) break;
      if (this.task(uid).state === from) step();
    }
    return this.task(uid);
  }
}
