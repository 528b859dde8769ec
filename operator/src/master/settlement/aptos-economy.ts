/**
 * The economy's part of the Aptos chain (rules K6, K7, G3, G4): bonds, minting, and the leaves beside batches. Each leaf is asked for
 * before it is sent, and an abort that says "done before" is success: so a crash at any point repeats nothing.
 */
import { AccountAddress, MoveVector, U8 } from '@aptos-labs/ts-sdk';
import type {
  EntryFunctionABI,
  MoveValue,
  SimpleEntryFunctionArgumentTypes,
  EntryFunctionArgumentTypes,
  ViewFunctionABI,
} from '@aptos-labs/ts-sdk';
import type { Equivocation } from '@scs/protocol/accountability.ts';
import { encodeHead, type CertifiedLeaf } from '@scs/protocol/certificate.ts';
import { fromHex, hex } from '@scs/protocol/encoding/bytes.ts';
import { appointedBy, committeeLeaf, type ReplacementLink } from '@scs/protocol/succession.ts';
import { stakeRoles } from '@scs/protocol/staking.ts';
import { leafKinds, type LeafKind } from '@scs/protocol/leaf-kinds.ts';
import { integer, integers, present, truth } from './aptos-answers.ts';
import { ChainError } from './chain.ts';
import type { ChainFault, ChainPoint, EconomyFigures, EconomyQuestion } from './chain.ts';
import {
  committeeAbi,
  doneAbi,
  dueAbi,
  equivocatedAbi,
  mastersStandingAbi,
  mintDueAbi,
  reportAbi,
  scheduleAbi,
  settleAbi,
  standingAbi,
  totalsAbi,
} from './scs-abi.ts';

/** Gas units (not coins): for the certificate, and for each escrow or balance touched, new ones included. */
export const GAS_BASE = 100_000;
export const GAS_PER_TRANSFER = 2_000;
/** Addresses per view call: one call's arguments stay far below the node's limits. */
const ADDRESSES_A_VIEW = 500;

export type EntryArgument = EntryFunctionArgumentTypes | SimpleEntryFunctionArgumentTypes;
export type ViewArgument = bigint | U8 | MoveVector<AccountAddress> | MoveVector<MoveVector<U8>>;
export interface Transaction {
  readonly name: `${string}::${string}`;
  readonly abi: EntryFunctionABI;
  readonly arguments: readonly EntryArgument[];
  /** Gas units. */
  readonly maxGas: number;
}
/** What it needs of the node. */
export interface Node {
  ledger(): Promise<ChainPoint>;
  view(name: `${string}::${string}`, abi: ViewFunctionABI, args: readonly ViewArgument[], version?: bigint): Promise<MoveValue[]>;
  transact(transaction: Transaction): Promise<{ readonly fault?: ChainFault }>;
}

const listOf = (items: readonly string[]): MoveVector<MoveVector<U8>> => new MoveVector(items.map((item) => MoveVector.U8(fromHex(item))));

/** Head, masters, signatures, value, siblings: what every entry function takes that wants a certified leaf. */
export const leafArguments = ({ certificate: { head, votes }, value, siblings }: CertifiedLeaf): EntryArgument[] => [
  MoveVector.U8(encodeHead(head)),
  MoveVector.U8(votes.map((v) => v.master)),
  listOf(votes.map((v) => v.signature)),
  MoveVector.U8(fromHex(value)),
  listOf(siblings),
];

interface Taker {
  readonly entry: `${string}::${string}`;
  readonly done: `${string}::${string}`;
  /** The abort that says so, too. */
  readonly doneBefore: string;
}
const takers: { readonly [K in LeafKind]: Taker } = {
  'node-rewards': { entry: 'settlement::reward_nodes', done: 'settlement::is_rewarded', doneBefore: 'AlreadyRewarded' },
  dividends: { entry: 'dividends::publish', done: 'dividends::is_published', doneBefore: 'AlreadyPublished' },
  slash: { entry: 'staking::slash', done: 'staking::is_slashed', doneBefore: 'AlreadySlashed' },
  governance: { entry: 'governance::record', done: 'governance::is_recorded', doneBefore: 'AlreadyRecorded' },
};
const unless = (fault: ChainFault | undefined, reason: string): void => {
  if (fault && !(fault.code === 'ContractRefused' && fault.reason === reason)) throw new ChainError(fault);
};

export class AptosEconomy {
  readonly #node: Node;
  constructor(node: Node) {
    this.#node = node;
  }

  async figures({ enterprises, masters, open }: EconomyQuestion, { ledgerVersion }: ChainPoint): Promise<EconomyFigures> {
    const [, , minted] = await this.#node.view('inflation::schedule', scheduleAbi, [], ledgerVersion);
    const [, pot] = await this.#node.view('treasury::totals', totalsAbi, [], ledgerVersion);
    const [promised] = await this.#node.view('dividends::promised', dueAbi, [], ledgerVersion);
    const bonded: Record<string, bigint> = {};
    const note = (holders: readonly string[], answer: unknown): void => {
      const amounts = integers(answer);
      for (const [i, holder] of holders.entries()) bonded[holder] = present(amounts[i]);
    };
    note(masters, (await this.#node.view('staking::masters_standing', mastersStandingAbi, [listOf(masters)], ledgerVersion))[0]);
    for (let from = 0; from < enterprises.length; from += ADDRESSES_A_VIEW) {
      const asked = enterprises.slice(from, from + ADDRESSES_A_VIEW);
      const owners = new MoveVector(asked.map((a) => AccountAddress.from(a)));
      note(asked, (await this.#node.view('staking::standing', standingAbi, [new U8(stakeRoles.enterprise), owners], ledgerVersion))[0]);
    }
    const landed: Record<LeafKind, bigint> = { 'node-rewards': 0n, dividends: 0n, slash: 0n, governance: 0n };
    for (const kind of leafKinds) landed[kind] = await this.#landed(kind, open[kind], ledgerVersion);
    return { minted: integer(minted), unpromised: integer(pot) - integer(promised), bonded, landed };
  }

  async #landed(kind: LeafKind, { from, to }: { from: bigint; to: bigint }, version: bigint): Promise<bigint> {
    let number = from;
    while (number < to && (await this.#isDone(kind, number, version))) number += 1n;
    return number - 1n;
  }
  async #isDone(kind: LeafKind, number: bigint, version: bigint): Promise<boolean> {
    return truth((await this.#node.view(takers[kind].done, doneAbi, [number], version))[0]);
  }

  async land(kind: LeafKind, number: bigint, leaf: CertifiedLeaf): Promise<void> {
    const { ledgerVersion } = await this.#node.ledger();
    if (await this.#isDone(kind, number, ledgerVersion)) return;
    const { entry, doneBefore } = takers[kind];
    const bytes = leaf.value.length / 2;
    const { fault } = await this.#node.transact({
      name: entry,
      abi: settleAbi,
      arguments: leafArguments(leaf),
      // 40 bytes a transfer, where there are some
      maxGas: GAS_BASE + GAS_PER_TRANSFER * Math.ceil(bytes / 40),
    });
    unless(fault, doneBefore);
  }

  async appoint(link: ReplacementLink): Promise<void> {
    if ((await this.#generation()) >= appointedBy(link)) return;
    const { key, value } = committeeLeaf(link);
    const leaf = { key, value: hex(value), siblings: link.committeePath, certificate: link.certificate };
    const { fault } = await this.#node.transact({
      name: 'committee::advance',
      abi: settleAbi,
      arguments: leafArguments(leaf),
      maxGas: GAS_BASE,
    });
    // another master was quicker: then it is of a generation past
    if (fault && (await this.#generation()) < appointedBy(link)) throw new ChainError(fault);
  }
  async #generation(): Promise<bigint> {
    const { ledgerVersion } = await this.#node.ledger();
    const [generation] = await this.#node.view('committee::current', committeeAbi, [], ledgerVersion);
    return integer(generation);
  }

  async mintDue(): Promise<void> {
    const { ledgerVersion } = await this.#node.ledger();
    const [due] = await this.#node.view('inflation::due', dueAbi, [], ledgerVersion);
    if (integer(due) === 0n) return;
    const { fault } = await this.#node.transact({ name: 'inflation::mint_due', abi: mintDueAbi, arguments: [], maxGas: GAS_BASE });
    unless(fault, 'NothingDue');
  }

  async report({ master, votes: [a, b] }: Equivocation): Promise<void> {
    const { ledgerVersion } = await this.#node.ledger();
    const { generation } = a.head;
    const known = await this.#node.view('accountability::equivocated', equivocatedAbi, [generation, new U8(master)], ledgerVersion);
    if (truth(known[0])) return;
    const votes = [a, b].flatMap(({ head, signature }) => [MoveVector.U8(encodeHead(head)), MoveVector.U8(fromHex(signature))]);
    const { fault } = await this.#node.transact({
      name: 'accountability::report',
      abi: reportAbi,
      arguments: [new U8(master), ...votes],
      maxGas: GAS_BASE,
    });
    unless(fault, 'AlreadyRecorded');
  }
}
