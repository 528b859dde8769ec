/**
 * What the chain keeps of governance (rules G1, G2, X4): one state leaf `governance/<number>` a closed epoch, with what holds from
 * its end on. Twin of `scs::governance`.
 */
import { bcs } from '@mysten/bcs';
import { fromHex } from './encoding/bytes.ts';

export interface GovernanceLeaf {
  /** From 1: epoch 0 is the first. */
  readonly number: bigint;
  /** Of the closed epoch's record. */
  readonly digest: string;
  /** In force from its end on; never lower than before. */
  readonly policyVersion: bigint;
  /** Digest of that policy: one version, one content. */
  readonly policy: string;
  readonly protocolVersion: bigint;
}

const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });
const Bytes32 = bcs.fixedArray(32, bcs.u8()).transform({ input: (text: string) => [...fromHex(text)], output: (bytes) => bytes });
const Leaf = bcs.struct('GovernanceLeaf', { number: U64, digest: Bytes32, policyVersion: U64, policy: Bytes32, protocolVersion: U64 });

export const governanceKey = (number: bigint): string => `governance/${number}`;
export const encodeGovernanceLeaf = (leaf: GovernanceLeaf): Uint8Array => Leaf.serialize(leaf).toBytes();
