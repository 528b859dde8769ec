/**
 * Certificates (rules G4, N6): one layout everywhere. Two of three masters sign, with durable keys, the same Head; all
 * else that the chain, a Vault, an agent or `verify` must believe is a leaf under `stateRoot` with its path.
 */
import { concat, equalBytes, fromHex, hex, utf8 } from './encoding/bytes.ts';
import { isSignature, verifySignature } from './keys.ts';
import { provesEntry } from './merkle.ts';

/** All digests are hex of 32 bytes; `generation` counts committees (P5), `height` blocks. */
export interface Head {
  readonly genesis: string;
  readonly generation: bigint;
  readonly height: bigint;
  readonly stateRoot: string;
  readonly block: string;
}
/** `master` is the index 0..2 in the committee of `head.generation`; `signature` is hex of 64 bytes. */
export interface Vote {
  readonly master: number;
  readonly signature: string;
}
export interface Certificate {
  readonly head: Head;
  readonly votes: readonly Vote[];
}
export interface Committee {
  readonly generation: bigint;
  readonly keys: readonly string[];
  /** Where it began, when it came after another. */
  readonly base?: { readonly height: bigint; readonly stateRoot: string };
  /** Committees before it: each certifies up to its last height and no further (N9). */
  readonly former?: readonly { readonly generation: bigint; readonly keys: readonly string[]; readonly last: bigint }[];
}
/** The committee of a generation, for what its masters signed (G4); undefined when there was none. */
export const committeeIn = (committee: Committee, generation: bigint): Committee | undefined =>
  committee.generation === generation ? committee : committee.former?.find((c) => c.generation === generation);
/** Generation of the block at a height. */
export const generationAt = ({ generation, former = [] }: Committee, height: bigint): bigint =>
  former.find(({ last }) => height <= last)?.generation ?? generation;
/** Generation of the block after this head; undefined when a recovery began at that height with another state. */
export const generationAfter = (committee: Committee, { height, stateRoot }: Pick<Head, 'height' | 'stateRoot'>): bigint | undefined =>
  committee.base?.height === height && committee.base.stateRoot !== stateRoot ? undefined : generationAt(committee, height + 1n);

/** A leaf under a certified root: what leaves the masters. `value` and siblings are hex. */
export interface CertifiedLeaf {
  readonly key: string;
  readonly value: string;
  readonly siblings: readonly string[];
  readonly certificate: Certificate;
}

export const MASTERS = 3;
export const QUORUM = 2;
/** Generation of the committee that genesis names (`scs::committee`). */
export const FIRST_GENERATION = 0n;

const U64_MOST = 2n ** 64n - 1n;
const digest32 = (digits: string): Uint8Array => {
  const bytes = fromHex(digits);
  if (bytes.length !== 32) throw new RangeError('a digest has 32 bytes');
  return bytes;
};
const u64 = (value: bigint): Uint8Array => {
  if (value < 0n || value > U64_MOST) throw new RangeError(`not a u64: ${value}`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
};
/** BCS of the struct { genesis, generation, height, state_root, block }, written out: it is signed and verified with every vote. */
export const encodeHead = ({ genesis, generation, height, stateRoot, block }: Head): Uint8Array =>
  concat(digest32(genesis), u64(generation), u64(height), digest32(stateRoot), digest32(block));

/** What a decide vote signs: the tag keeps it apart from every other use of a durable key. */
export const decideMessage = (head: Head): Uint8Array => concat(utf8('SCS::decide::v1'), encodeHead(head));

export type CertificateFault =
  | { code: 'WrongGenesis' }
  | { code: 'WrongGeneration'; expected: bigint; got: bigint }
  | { code: 'TooFewVotes'; valid: number }
  | { code: 'VotesNotOrdered' }
  | { code: 'BadSignature'; master: number }
  | { code: 'PathMismatch' };

/** undefined when the certificate holds. Votes must be in ascending order of master, so that none counts twice. */
export const certificateFault = (certificate: Certificate, genesis: string, committee: Committee): CertificateFault | undefined => {
  const { head, votes } = certificate;
  if (head.genesis !== genesis) return { code: 'WrongGenesis' };
  const expected = generationAt(committee, head.height);
  if (head.generation !== expected) return { code: 'WrongGeneration', expected, got: head.generation };
  const keys = committee.former?.find(({ generation }) => generation === expected)?.keys ?? committee.keys;
  if (votes.length < QUORUM) return { code: 'TooFewVotes', valid: votes.length };
  const message = decideMessage(head);
  let last = -1;
  for (const { master, signature } of votes) {
    if (master <= last) return { code: 'VotesNotOrdered' };
    last = master;
    const key = keys[master];
    if (!key || !isSignature(signature) || !verifySignature(key, message, signature)) return { code: 'BadSignature', master };
  }
  return undefined;
};

/** undefined when certificate and path both hold. */
export const leafFault = (leaf: CertifiedLeaf, genesis: string, committee: Committee): CertificateFault | undefined => {
  const fault = certificateFault(leaf.certificate, genesis, committee);
  if (fault) return fault;
  const path = { siblings: leaf.siblings.map(fromHex) };
  return provesEntry(fromHex(leaf.certificate.head.stateRoot), leaf.key, fromHex(leaf.value), path) ? undefined : { code: 'PathMismatch' };
};

export const sameHead = (a: Head, b: Head): boolean => equalBytes(encodeHead(a), encodeHead(b));
export const headDigestHex = (head: Head): string => hex(encodeHead(head));
