/** TaskEnvelope (rules E1, E2): immutable, BCS, one SHA3-256 digest that all evidence, aggregates, leaves and contract calls carry. */
import { bcs } from '@mysten/bcs';
import { fromHex, hex } from './encoding/bytes.ts';
import { digest, type Digest } from './encoding/hash.ts';
import type { Usage, TaskClass } from './policy.ts';

const Bytes32 = bcs.fixedArray(32, bcs.u8()).transform({
  input: (text: string) => [...fromHex(text.replace(/^0x/, ''))],
  output: (bytes) => hex(Uint8Array.from(bytes)),
});
const Address = Bytes32.transform({ input: (a: string) => a.slice(2), output: (h) => `0x${h}` });
const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });
const Bytes = bcs.vector(bcs.u8()).transform({ input: (h: string) => [...fromHex(h)], output: (b) => hex(Uint8Array.from(b)) });

/** One Vault of the task: its answer (B2, C3), in the order of the plan's Vaults. Commitments are hiding. */
export interface EnvelopeVault {
  readonly vault: string;
  readonly key: string;
  readonly enterprise: string;
  readonly snapshotCommitment: string;
  readonly consentCommitment: string;
  readonly reservedMicroRho: bigint;
}
export interface TaskEnvelope {
  readonly protocolVersion: bigint;
  readonly genesis: string;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly class: TaskClass;
  readonly usage: Usage;
  readonly submitter: string;
  /** Digest of the signed terms (N5) and the nonce that made them unique. */
  readonly terms: string;
  readonly nonce: string;
  readonly policyVersion: bigint;
  readonly semanticVersion: string;
  readonly epoch: bigint;
  /** Canonical bytes of the plan, hex. */
  readonly plan: string;
  readonly resultKey: string;
  readonly quote: bigint;
  /** Log time in milliseconds. */
  readonly deadline: bigint;
  readonly quorum: bigint;
  readonly vaults: readonly EnvelopeVault[];
  /** Addresses of enterprises that may aggregate, in order (M4). */
  readonly aggregators: readonly string[];
}

const EnvelopeBcs = bcs.struct('TaskEnvelope', {
  protocolVersion: U64,
  genesis: Bytes32,
  uid: bcs.string(),
  namespace: bcs.string(),
  name: bcs.string(),
  class: bcs.string(),
  usage: bcs.string(),
  submitter: Address,
  terms: Bytes32,
  nonce: Bytes,
  policyVersion: U64,
  semanticVersion: Bytes32,
  epoch: U64,
  plan: Bytes,
  resultKey: Bytes32,
  quote: U64,
  deadline: U64,
  quorum: U64,
  vaults: bcs.vector(
    bcs.struct('EnvelopeVault', {
      vault: bcs.string(),
      key: Bytes32,
      enterprise: Address,
      snapshotCommitment: Bytes32,
      consentCommitment: Bytes32,
      reservedMicroRho: U64,
    }),
  ),
  aggregators: bcs.vector(Address),
});

export const encodeEnvelope = (envelope: TaskEnvelope): Uint8Array =>
  EnvelopeBcs.serialize({ ...envelope, vaults: [...envelope.vaults], aggregators: [...envelope.aggregators] }).toBytes();
export const decodeEnvelope = (bytes: Uint8Array): TaskEnvelope => EnvelopeBcs.parse(bytes) as TaskEnvelope;
export const envelopeDigest = (envelope: TaskEnvelope): Digest<'envelope'> => digest('envelope', encodeEnvelope(envelope));
/** State key of the certified envelope. */
export const envelopeKey = (uid: string): string => `envelope/${uid}`;
