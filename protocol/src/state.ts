/**
 * The protocol's state (rules X2, N6): typed records over one Merkle map. A record is a leaf under the certified root, so
 * anyone may be shown one with its path. Keys are listed in `keys`; nothing else is in the map.
 */
import type { Handover } from './succession.ts';
import type { Seat } from './seat.ts';
import type { CanonicalAttribute, Catalogue, Domain, QueryAttribute } from './catalogue.ts';
import type { Actor } from './genesis.ts';
import type { Attestation } from './attestation.ts';
import type { VaultOffer, EnclaveReady } from './commands.ts';
import { decodeCanonical, encodeCanonical } from './encoding/canonical.ts';
import { fromHex } from './encoding/bytes.ts';
import { MerkleMap } from './merkle.ts';
import type { LeafKind } from './leaf-kinds.ts';
import type { OwnAttributesRecord } from './own-attributes.ts';
import type { Plan } from './plan.ts';
import type { TaskSpec, TaskState } from './resources/task.ts';
import type { Rejection } from './rejection.ts';

export interface MetaRecord {
  readonly protocolVersion: number;
  readonly genesis: string;
  readonly height: bigint;
  readonly time: number;
  readonly epoch: number;
  readonly epochStart: number;
  readonly policyVersion: number;
  readonly semanticVersion: string;
  /** Digest of the last applied block; the genesis digest at height 0. */
  readonly block: string;
  readonly nextBatch: bigint;
  /** Last decided reading of the chain (K2). */
  readonly chain: { readonly ledgerVersion: bigint; readonly time: number; readonly settled: bigint } | null;
}
export interface VaultRecord extends VaultOffer {
  readonly registeredAt: bigint;
}
/** Last journal statement that the masters decided of a Vault (B8): the next one may not go behind it. */
export interface JournalRecord {
  readonly sequence: bigint;
  readonly head: string;
}
/**
 * A decided enclave. While its task is dispatched its attestation is here, for the Vault and the other enclaves to check; afterwards its digest
 * alone: the attestation is in the evidence that the task's leaf names, and in the block that decided it (A3, X1).
 */
export interface EnclaveRecord extends Omit<EnclaveReady, 'attestation'> {
  readonly attestation?: Attestation;
  readonly attested?: string;
}
/** One Vault's part in a task. What the Vault registered when it was asked holds to the end. */
export interface VaultPart {
  readonly vault: string;
  readonly enterprise: string;
  /** The Vault's Ed25519 key, hex. */
  readonly key: string;
  readonly sizeBand: number;
  readonly state: 'asked' | 'reserved' | 'refused' | 'ready' | 'released' | 'late' | 'absent';
  readonly reservedMicroRho?: bigint;
  readonly snapshotCommitment?: string;
  readonly consentCommitment?: string;
  readonly refusal?: { readonly code: string; readonly message: string };
  /** Current enclave; a restarted pod replaces it until the part has been used. */
  readonly enclave?: EnclaveRecord;
  /** Seal keys of enclaves that were replaced: none of them comes back. */
  readonly formerEnclaves?: readonly string[];
  /** The decided receipt (B3): `receiptOf` in rules/release.ts rebuilds what `signature`, by the Vault's key, covers. */
  readonly release?: {
    readonly evidence: string;
    readonly outputCommitment: string;
    readonly microRho: bigint;
    readonly journal: JournalRecord;
    readonly signature: string;
    readonly height: bigint;
  };
}
export interface HistoryEntry {
  readonly state: TaskState;
  readonly height: bigint;
  readonly time: number;
  readonly reason?: string;
}
export interface TaskRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: TaskSpec;
  readonly state: TaskState;
  readonly history: readonly HistoryEntry[];
  readonly rejection?: Rejection;
  readonly policyVersion: number;
  readonly semanticVersion: string;
  readonly epoch: number;
  /** Log time by which the current state ends, if nothing else ends it: no state without a deadline. */
  readonly deadline: number;
  /** Log time by which the whole task ends. */
  readonly finalDeadline: number;
  readonly maxFee: bigint;
  readonly locked: bigint;
  readonly quote?: bigint;
  readonly charge?: bigint;
  readonly plan?: Plan;
  /** Epoch whose actor shares the reservation counts against (B4). */
  readonly reservedEpoch?: number;
  /** Replenishments of its usage when it was resolved (B2); none if absent. A Vault that has had fewer follows. */
  readonly replenished?: number;
  readonly warnings?: readonly string[];
  readonly parts: readonly VaultPart[];
  readonly envelope?: string;
  readonly aggregators?: readonly string[];
  /** Index into `aggregators` of the current one. */
  readonly aggregator?: number;
  readonly aggregatorEnclave?: EnclaveRecord;
  /** Seal keys of replaced ones, the latest. */
  readonly formerAggregatorEnclaves?: readonly string[];
  /** How often the current aggregator has started anew. */
  readonly aggregatorRestarts?: number;
  /** Vaults whose output enters the aggregate, fixed once (M4). */
  readonly survivors?: readonly string[];
  /** Digest of the aggregate's evidence and its slices' (`taskEvidenceDigest`). */
  readonly evidence?: string;
  readonly sealedResult?: string;
  readonly cancelRequested?: boolean;
  readonly verifiedEpoch?: number;
  /** Log time at which it became ready for a batch: once, and from then on no deadline moves it. */
  readonly readyAt?: number;
  /** N3: what of the charge the payer's credits met; never taken from escrow. Fixed with the batch. */
  readonly creditUsed?: bigint;
  /** K6: what the batch set aside for the subjects of each Vault that delivered, in the pot of which epoch. */
  readonly dividend?: { readonly epoch: number; readonly share: bigint };
  readonly batch?: bigint;
  readonly transaction?: { readonly hash: string; readonly version: bigint };
}
export interface EscrowRecord {
  readonly account: string;
  readonly balance: bigint;
  readonly withdrawing: bigint;
  readonly locked: bigint;
  readonly ledgerVersion: bigint;
}
/** The public odometer of a Vault, usage and domain (B4), micro-rho. */
export interface OdometerRecord {
  readonly reserved: bigint;
  readonly spent: bigint;
  readonly byActor: Readonly<Record<string, bigint>>;
  readonly epoch: number;
  /** Replenishments of the usage that the Vault followed when `spent` was counted (C5); none if absent. */
  readonly replenished?: number;
}
/** Of a usage (B2): how often it was replenished, since which epoch, and the epoch at whose end it will be by approval. */
export interface ReplenishmentRecord {
  readonly count: number;
  readonly epoch: number;
  readonly approved?: number;
}
export interface EpochRecord {
  readonly number: number;
  readonly start: number;
  readonly end: number | null;
  readonly policyVersion: number;
  readonly tasks: number;
}
/**
 * How far what the chain is to take has come (P1): a batch, whose BCS is the leaf `batch/<n>`, or one of the other leaves, each
 * counted in a line of its own.
 */
export interface SettlementRecord {
  readonly number: bigint;
  /** Absent for a batch. */
  readonly leaf?: LeafKind;
  readonly epoch: number;
  readonly tasks: readonly string[];
  readonly state: 'collecting' | 'verifying_inputs' | 'candidate_ready' | 'finalizing' | 'finalized';
  readonly transaction?: { readonly hash: string; readonly version: bigint };
}

/** The last counter identity that a master had admitted (N8). Those of a formation (N9) are in no record. */
export interface CounterRecord {
  readonly key: string;
  readonly sequence: number;
  /** Height of the block that admitted it. */
  readonly height: bigint;
}

/** What is on the chain beside escrows, as last read, and what the masters have promised out of it. */
export interface EconomyRecord {
  /** Base units that the schedule had minted by the last reading (K7), and the epoch in which that was last read to have grown. */
  readonly minted: bigint;
  readonly mintedEpoch: number;
  /** In the chain's dividend pot and under no root, as last read (K6); and what of that pot, there or still to come, is for Vaults. */
  readonly unpromised: bigint;
  readonly earmarked: bigint;
  /** Promised to nodes; never above `minted`. */
  readonly rewarded: bigint;
  readonly next: Readonly<Record<LeafKind, bigint>>;
  /** The last that has landed with all before it. */
  readonly landed: Readonly<Record<LeafKind, bigint>>;
}
/** What a Vault's subjects earn for an epoch (K6), base units. */
export interface PotRecord {
  readonly epoch: number;
  readonly vault: string;
  /** Shares of the tasks whose batches were decided in that epoch. */
  readonly amount: bigint;
  /** Fixed when the epoch closed: with what earlier roots left over. */
  readonly total?: bigint;
  /** Once the Vault has published: its root, and the number of the leaf `dividends/<n>`. */
  readonly root?: string;
  readonly number?: bigint;
}
/** What is bonded, in base units, as last read; 0 for who was expelled (N3, G3). */
export interface BondRecord {
  readonly bonded: bigint;
}

/** Changes of the catalogue decided so far, and the version that the next epoch begins with (G5). */
export interface SemanticsRecord {
  /** Semantic version of the genesis. */
  readonly first: string;
  readonly changes: number;
  readonly staged?: string;
}

/** A first-in-first-out queue; its items are index/<name>/<n> for head <= n < tail. */
export interface QueueRecord {
  readonly head: number;
  readonly tail: number;
}

/** Record kinds by key prefix; `index` entries are short lists that rules walk (rules/due-index.ts, rules/queue.ts). */
export interface Records {
  meta: MetaRecord;
  actor: Actor;
  semantics: SemanticsRecord;
  /** By semantic version; none is ever dropped. */
  catalogue: Catalogue;
  domain: Domain;
  canonical: CanonicalAttribute;
  attribute: QueryAttribute;
  vault: VaultRecord;
  /** Query attributes of a Vault's own (S3). */
  own: OwnAttributesRecord;
  task: TaskRecord;
  escrow: EscrowRecord;
  odometer: OdometerRecord;
  replenishment: ReplenishmentRecord;
  epoch: EpochRecord;
  settlement: SettlementRecord;
  nonce: { readonly expiry: number };
  journal: JournalRecord;
  counter: CounterRecord;
  /** What a master's build was last announced to carry (X4). */
  version: { readonly newest: number; readonly sequence: number };
  /** The version of the protocol that is to be active from the end of an epoch on. */
  upgrade: { readonly version: number };
  /** Who is to take a master's seat at the end of the epoch (G5). */
  replacement: Seat;
  /** By the generation that is handed over to: its first block comes after block `last`. */
  succession: Handover;
  queue: QueueRecord;
  economy: EconomyRecord;
  bond: BondRecord;
  pot: PotRecord;
  /** A penalty that is decided: whose, and the number of its leaf `slash/<n>`. */
  offence: { readonly offender: string; readonly number: bigint };
  /** How many penalties were decided against an account: repeats climb (G3). */
  conduct: { readonly offences: number };
  credit: { readonly balance: bigint };
  work: { readonly done: number };
  index: readonly string[];
}
export type RecordKind = keyof Records;

/**
 * keys: meta/ · semantics/ · catalogue/<semantic version> · domain/, canonical/, attribute/<name> · actor/<address> · vault/, own/<ns>/<name> · task/<uid> · escrow/<address> · odometer/<ns>/<name>/<usage>/<domain> ·
 * replenishment/<usage> ·
 * epoch/<n> · settlement/<n> · settlement/<leaf kind>-<n> · economy/ · bond/enterprise/<address> · bond/master/<public key> · work/<epoch>/<address> · pot/<epoch>/<ns>/<name> · credit/<address> · offence/<uid>/<what>/<who> · conduct/<address> · nonce/<address>/<nonce> · journal/<ns>/<name> · counter/<master> · version/<master> · upgrade/ · replacement/ · succession/<generation> · queue/<name> · index/<name> · and raw BCS: envelope/<uid> · batch/<n> · <leaf kind>/<n> · committee/<generation>
 */
export class State {
  readonly map: MerkleMap;
  constructor(map: MerkleMap = MerkleMap.empty) {
    this.map = map;
  }

  get<K extends RecordKind>(kind: K, name = ''): Records[K] | undefined {
    const bytes = this.map.get(`${kind}/${name}`);
    return bytes && (cached(bytes) as Records[K]);
  }
  /** Throws if absent: for records that the rules know to exist. */
  must<K extends RecordKind>(kind: K, name = ''): Records[K] {
    const record = this.get(kind, name);
    if (record === undefined) throw new Error(`state lacks ${kind}/${name}`);
    return record;
  }
  put<K extends RecordKind>(kind: K, name: string, record: Records[K]): State {
    return new State(this.map.set(`${kind}/${name}`, encodeCanonical(record)));
  }
  putRaw(key: string, bytes: Uint8Array): State {
    return new State(this.map.set(key, bytes));
  }
  drop(kind: RecordKind, name: string): State {
    return new State(this.map.delete(`${kind}/${name}`));
  }
  root(): Uint8Array {
    return this.map.root();
  }
}

/** Decoded records by their bytes: entries are immutable and shared between versions of the state. */
const decoded = new WeakMap<Uint8Array, unknown>();
const cached = (bytes: Uint8Array): unknown => {
  let value = decoded.get(bytes);
  if (value === undefined) {
    value = decodeCanonical(bytes);
    decoded.set(bytes, value);
  }
  return value;
};

/** A record out of a certified leaf's hex value. The caller has checked the leaf. */
export const decodeRecord = <K extends RecordKind>(_kind: K, valueHex: string): Records[K] =>
  decodeCanonical(fromHex(valueHex)) as Records[K];
