/**
 * Dividends as claims (rules K5, K6): a certified root over leaves of account and amount, from which everyone fetches their own
 * by a path. Twin of `scs::dividends`. Who earns how much is decided elsewhere; here it only has to add up.
 */
import { bcs } from '@mysten/bcs';
import { U64_MAX } from './amounts.ts';
import { fromHex, hex } from './encoding/bytes.ts';
import { sha3 } from './encoding/hash.ts';
import type { Transfer } from './settlement-layout.ts';

/**
 * The state leaf `dividends/<number>`: `total` is for the leaves until `expiresAt`. Whoever has bonded at least `least` base units as
 * a producer since `since` or before gets all of a leaf, others half, the treasury the rest (K5). Times in seconds of the chain.
 */
export interface DividendRoot {
  readonly number: bigint;
  readonly root: string;
  readonly count: bigint;
  readonly total: bigint;
  readonly least: bigint;
  readonly since: bigint;
  readonly expiresAt: bigint;
}
export type DividendTerms = Pick<DividendRoot, 'least' | 'since' | 'expiresAt'>;
/** What its owner sends: siblings from the leaf upwards. */
export interface DividendClaim {
  readonly number: bigint;
  readonly index: number;
  readonly amount: bigint;
  readonly path: readonly Uint8Array[];
}

const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });
const Root = bcs.struct('DividendRoot', {
  number: U64,
  root: bcs.fixedArray(32, bcs.u8()),
  count: U64,
  total: U64,
  least: U64,
  since: U64,
  expiresAt: U64,
});

export const dividendKey = (number: bigint): string => `dividends/${number}`;
export const encodeDividendRoot = (root: DividendRoot): Uint8Array => Root.serialize({ ...root, root: [...fromHex(root.root)] }).toBytes();
export const decodeDividendRoot = (bytes: Uint8Array): DividendRoot => {
  const { root, ...figures } = Root.parse(bytes);
  return { ...figures, root: hex(Uint8Array.from(root)) };
};
/** BCS of (address, u64), laid out by hand: there may be a million of them. */
export const dividendLeaf = ({ account, amount }: Transfer): Uint8Array => {
  const leaf = new Uint8Array(ADDRESS_BYTES + 8);
  leaf.set(fromHex(account.slice(2)));
  new DataView(leaf.buffer).setBigUint64(ADDRESS_BYTES, amount, true);
  return leaf;
};

/** No stake asked for, no end. */
export const FOR_ALL: DividendTerms = { least: 0n, since: 0n, expiresAt: U64_MAX };
const ADDRESS_BYTES = 32;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const above = (nodes: readonly Uint8Array[]): Uint8Array[] => {
  const parents: Uint8Array[] = [];
  for (let i = 0; i < nodes.length; i += 2) {
    const [left, right] = [nodes[i]!, nodes[i + 1]];
    parents.push(right ? sha3(NODE, left, right) : left);
  }
  return parents;
};

/**
 * All claims of a root at once, each node hashed once: the tree of `listRoot` (RFC 6962), level by level, a node without a
 * neighbour going up as it is. Throws RangeError when there is nothing to give out, or more than 64 bits hold.
 */
export const dividendTree = (number: bigint, shares: readonly Transfer[], terms: DividendTerms = FOR_ALL) => {
  const total = shares.reduce((sum, { amount }) => sum + amount, 0n);
  if (total > U64_MAX || shares.length === 0 || shares.some(({ amount }) => amount <= 0n))
    throw new RangeError('dividends are above zero, and fit in 64 bits together');
  const levels = [shares.map((share) => sha3(LEAF, dividendLeaf(share)))];
  while (levels.at(-1)!.length > 1) levels.push(above(levels.at(-1)!));
  const root: DividendRoot = { number, root: hex(levels.at(-1)![0]!), count: BigInt(shares.length), total, ...terms };
  const claim = (index: number): DividendClaim => {
    const share = shares[index];
    if (!share) throw new RangeError(`there is no share ${index}`);
    const path = levels.slice(0, -1).flatMap((level, height) => level[(index >> height) ^ 1] ?? []);
    return { number, index, amount: share.amount, path };
  };
  return { root, claim };
};
