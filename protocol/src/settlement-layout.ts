/**
 * What the settlement contract reads (rules P3, P5, E3): BCS, the same field for field as `contracts/scs/sources/settlement.move`.
 * A batch is the state leaf `batch/<number>`; a committee is the leaf `committee/<generation>`.
 */
import { bcs } from '@mysten/bcs';
import { fromHex, hex } from './encoding/bytes.ts';
import { sha3, taggedHash } from './encoding/hash.ts';

const Bytes32 = bcs.fixedArray(32, bcs.u8()).transform({
  input: (text: string) => [...fromHex(text.replace(/^0x/, ''))],
  output: (bytes) => hex(Uint8Array.from(bytes)),
});
const Address = bcs.fixedArray(32, bcs.u8()).transform({
  input: (text: string) => [...fromHex(text.slice(2))],
  output: (bytes) => `0x${hex(Uint8Array.from(bytes))}`,
});
const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });

/** Base units of SYM (10^-8). */
export interface Transfer {
  readonly account: string;
  readonly amount: bigint;
}
export interface Batch {
  readonly number: bigint;
  readonly epoch: bigint;
  readonly tasksRoot: string;
  readonly taskCount: bigint;
  /** Taken from escrows, ascending by address, each address once. */
  readonly debits: readonly Transfer[];
  /** Added to actors' pull balances, ascending by address, each address once. */
  readonly credits: readonly Transfer[];
  /** To the dividend pot, and to the treasury. debits = credits + dividends + treasury. */
  readonly dividends: bigint;
  readonly treasury: bigint;
}
/** One settled task: what anyone can prove against `tasksRoot`. */
export interface SettlementLeaf {
  readonly envelope: string;
  readonly submitter: string;
  readonly quote: bigint;
  readonly charge: bigint;
  readonly refund: bigint;
  readonly evidence: string;
}

const TransferBcs = bcs.struct('Transfer', { account: Address, amount: U64 });
export const BatchBcs = bcs.struct('Batch', {
  number: U64,
  epoch: U64,
  tasksRoot: Bytes32,
  taskCount: U64,
  debits: bcs.vector(TransferBcs),
  credits: bcs.vector(TransferBcs),
  dividends: U64,
  treasury: U64,
});
export const SettlementLeafBcs = bcs.struct('SettlementLeaf', {
  envelope: Bytes32,
  submitter: Address,
  quote: U64,
  charge: U64,
  refund: U64,
  evidence: Bytes32,
});
export const CommitteeBcs = bcs.struct('Committee', { generation: U64, keys: bcs.vector(Bytes32) });

export const encodeBatch = (batch: Batch): Uint8Array =>
  BatchBcs.serialize({ ...batch, debits: [...batch.debits], credits: [...batch.credits] }).toBytes();
export const decodeBatch = (bytes: Uint8Array): Batch => BatchBcs.parse(bytes);
export const encodeSettlementLeaf = (leaf: SettlementLeaf): Uint8Array => SettlementLeafBcs.serialize(leaf).toBytes();
export const encodeCommittee = (c: { generation: bigint; keys: readonly string[] }): Uint8Array =>
  CommitteeBcs.serialize({ generation: c.generation, keys: [...c.keys] }).toBytes();

/** The first batch that the contract takes; each later one is one more (P4). */
export const FIRST_BATCH = 1n;

export const batchKey = (number: bigint): string => `batch/${number}`;
export const committeeKey = (generation: bigint): string => `committee/${generation}`;

/**
 * Merkle tree over an ordered list (RFC 6962, section 2.1, with SHA3-256): leaf = H(0x00 || bytes), node = H(0x01 || l || r),
 * split at the largest power of two below the count; the empty list has the hash of nothing.
 */
export const listRoot = (leaves: readonly Uint8Array[]): Uint8Array => {
  if (leaves.length === 0) return sha3();
  if (leaves.length === 1) return sha3(Uint8Array.of(0), leaves[0]!);
  const split = splitOf(leaves.length);
  return sha3(Uint8Array.of(1), listRoot(leaves.slice(0, split)), listRoot(leaves.slice(split)));
};

/** Siblings from the leaf upwards (RFC 6962, section 2.1.1). */
export const listPath = (index: number, leaves: readonly Uint8Array[]): Uint8Array[] => {
  if (leaves.length <= 1) return [];
  const split = splitOf(leaves.length);
  return index < split
    ? [...listPath(index, leaves.slice(0, split)), listRoot(leaves.slice(split))]
    : [...listPath(index - split, leaves.slice(split)), listRoot(leaves.slice(0, split))];
};

/** The root that a leaf and its path lead to, or undefined when the path has the wrong length for the count. */
export const rootFromPath = (index: number, count: number, leaf: Uint8Array, path: readonly Uint8Array[]): Uint8Array | undefined => {
  if (index < 0 || index >= count) return undefined;
  if (count === 1) return path.length === 0 ? sha3(Uint8Array.of(0), leaf) : undefined;
  const sibling = path.at(-1);
  if (!sibling || sibling.length !== 32) return undefined;
  const split = splitOf(count);
  const left = index < split;
  const below = left
    ? rootFromPath(index, split, leaf, path.slice(0, -1))
    : rootFromPath(index - split, count - split, leaf, path.slice(0, -1));
  if (!below) return undefined;
  return left ? sha3(Uint8Array.of(1), below, sibling) : sha3(Uint8Array.of(1), sibling, below);
};

const splitOf = (count: number): number => 2 ** (31 - Math.clz32(count - 1));

/** A refund and a charge of one task are public by K1: none of these figures depends on record contents. */
export const evidenceDigest = (bytes: Uint8Array): string => hex(taggedHash('SCS::evidence', bytes));
