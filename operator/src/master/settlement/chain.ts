/**
 * Port to the settlement chain (rules K2, P3, P4). Effects only: the rules decide what is settled, two masters certify it,
 * the contract checks it again; whoever submits can neither change nor repeat it.
 */
import type { Equivocation } from '@scs/protocol/accountability.ts';
import type { CertifiedLeaf } from '@scs/protocol/certificate.ts';
import type { LeafKind } from '@scs/protocol/leaf-kinds.ts';
import type { ReplacementLink } from '@scs/protocol/succession.ts';

/** Base units of SYM. `withdrawing` is the part of `balance` that new tasks must not lock; `debt` comes beside balance 0. */
export interface EscrowReading {
  readonly balance: bigint;
  readonly withdrawing: bigint;
  readonly debt: bigint;
}
/** A point of the chain: what one master read, another can read again. */
export interface ChainPoint {
  readonly ledgerVersion: bigint;
  /** Chain time by which withdrawals are judged ripe or expired. */
  readonly timestampMs: bigint;
}
/** All of it as of one ledger version. `escrows` has every address that was asked for, zeros where the chain knows none. */
export interface ChainReading extends ChainPoint {
  readonly nextBatch: bigint;
  readonly escrows: Readonly<Record<string, EscrowReading>>;
}
export interface SettledBatch {
  /** Hex of 32 bytes. */
  readonly tasksRoot: string;
  /** Absent when the node no longer serves the transaction: the batch is settled all the same. */
  readonly txHash?: string;
  readonly version?: bigint;
}

/** What of the economy is asked for: whose bonds, and which decided leaves may have landed (`from` <= number < `to`). */
export interface EconomyQuestion {
  /** Addresses. */
  readonly enterprises: readonly string[];
  /** Public keys, hex. */
  readonly masters: readonly string[];
  readonly open: Readonly<Record<LeafKind, { readonly from: bigint; readonly to: bigint }>>;
}
export interface EconomyFigures {
  /** Base units that the schedule has minted so far (K7). */
  readonly minted: bigint;
  /** In the dividend pot and under no root (K6). */
  readonly unpromised: bigint;
  /** By address or public key; 0 for who was expelled (N3, G3). */
  readonly bonded: Readonly<Record<string, bigint>>;
  /** Of each kind, the last that has landed with all from `from` on; `from` - 1 when that one hasn't. */
  readonly landed: Readonly<Record<LeafKind, bigint>>;
}

export interface Chain {
  /**
   * Addresses in long form. With `at`, the same point gives every master the same reading, `ChainUnavailable` when its node
   * isn't there yet or no longer, or `PointFalse` when the chain had left that version behind before that time: version and
   * time go together, or a proposer could make an old balance look fresh. Throws ChainError.
   */
  observe(addresses: readonly string[], at?: ChainPoint): Promise<ChainReading>;
  /**
   * Lands the batch of a certified leaf `batch/<number>`, or finds that it has landed: safe to call again after any failure,
   * from any master (P4). Throws ChainError.
   */
  settle(input: { leaf: CertifiedLeaf }): Promise<{ txHash: string; version: bigint }>;
  /** undefined while the batch isn't settled. Throws ChainError. */
  settledBatch(number: bigint): Promise<SettledBatch | undefined>;
  /** The economy as of a point that `observe` gave or took: the same for every master. Throws ChainError. */
  economy(question: EconomyQuestion, at: ChainPoint): Promise<EconomyFigures>;
  /** Lands a certified leaf of that kind and number, or finds that it has landed: safe to repeat, from any master. Throws ChainError. */
  land(kind: LeafKind, number: bigint, leaf: CertifiedLeaf): Promise<void>;
  /**
   * Tells the contract of the next committee, unless it knows that generation (P5): before that it takes nothing which the next one
   * certified. Throws ChainError.
   */
  appoint(link: ReplacementLink): Promise<void>;
  /** Mints what the schedule says is due, if anything is (K7): anyone may, and twice does no harm. Throws ChainError. */
  mintDue(): Promise<void>;
  /** Brings two decide votes of one master before the contract, unless that is on record (G4). Throws ChainError. */
  report(proof: Equivocation): Promise<void>;
  /** Base units of the chain's gas coin that the master's gas account holds. Throws ChainError. */
  gasBalance(): Promise<bigint>;
}

export type ChainFault =
  /** No answer in time, connection lost, 429, 5xx, or a node that is behind: try again later. */
  | { code: 'ChainUnavailable'; detail: string }
  /** Submitted, and not seen committed in time: try again later; nothing can be paid twice. */
  | { code: 'TransactionPending'; txHash: string }
  /** At that time the chain was past that version: somebody made the point up. */
  | { code: 'PointFalse'; ledgerVersion: bigint; timestampMs: bigint }
  /** A batch before this one isn't settled. */
  | { code: 'BatchOutOfOrder'; next: bigint; got: bigint }
  /** The gas account can't pay: somebody must fund it. */
  | { code: 'GasInsufficient'; account: string }
  /** The node serves another chain than genesis names. */
  | { code: 'WrongChain'; expected: number; got: number }
  /** The contracts at the address were initialised for another genesis. */
  | { code: 'WrongGenesis'; expected: string; got: string }
  /** No initialised contracts at the address. */
  | { code: 'ContractMissing'; contract: string }
  /** The contract refused: `reason` is the abort's name without its prefix, PascalCase (`TooFewVotes`, `SumsDiffer`, ...). */
  | { code: 'ContractRefused'; reason: string; detail: string }
  /** Another batch has this number: two certificates over different content, which is proof of a fault. */
  | { code: 'SettledOtherwise'; number: bigint; tasksRoot: string }
  /** The node's answer makes no sense, or it refused for a reason not listed here. */
  | { code: 'ChainMisbehaves'; detail: string };

/** Which faults pass by waiting; the others need somebody to act. */
const transient: ReadonlySet<ChainFault['code']> = new Set(['ChainUnavailable', 'TransactionPending', 'BatchOutOfOrder']);

const sentences: { readonly [C in ChainFault['code']]: (fault: Extract<ChainFault, { code: C }>) => string } = {
  ChainUnavailable: (f) => `The chain does not answer: ${f.detail}`,
  TransactionPending: (f) => `Transaction ${f.txHash} is not committed yet`,
  PointFalse: (f) => `At ${f.timestampMs} ms of its time the chain was past version ${f.ledgerVersion}`,
  BatchOutOfOrder: (f) => `Batch ${f.got} must wait for batch ${f.next}`,
  GasInsufficient: (f) => `Gas account ${f.account} cannot pay: fund it`,
  WrongChain: (f) => `The node serves chain ${f.got}, genesis names ${f.expected}`,
  WrongGenesis: (f) => `The contracts belong to genesis ${f.got}, not ${f.expected}`,
  ContractMissing: (f) => `No initialised contracts at ${f.contract}`,
  ContractRefused: (f) => `The contract refused: ${f.reason} (${f.detail})`,
  SettledOtherwise: (f) => `Batch ${f.number} is settled with another content, tasks root ${f.tasksRoot}`,
  ChainMisbehaves: (f) => `The chain's node misbehaves: ${f.detail}`,
};
/** One sentence for a person. */
export const explainChainFault = (fault: ChainFault): string => (sentences[fault.code] as (f: ChainFault) => string)(fault);

export class ChainError extends Error {
  readonly fault: ChainFault;
  constructor(fault: ChainFault, options?: ErrorOptions) {
    super(explainChainFault(fault), options);
    this.name = 'ChainError';
    this.fault = fault;
  }
  /** True when the same call may succeed later without anybody's help. */
  get transient(): boolean {
    return transient.has(this.fault.code);
  }
}
