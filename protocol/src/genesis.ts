/**
 * Genesis (rule G7): one file of canonical bytes; its digest is in every certificate. From it everyone knows the masters,
 * the first actors, the policy, the catalogue, the chain, and whether enclaves are simulated (A4).
 */
import { z } from 'zod';
import { U64_MAX } from './amounts.ts';
import { Catalogue } from './catalogue.ts';
import { decodeCanonical, encodeCanonical } from './encoding/canonical.ts';
import { digest, type Digest } from './encoding/hash.ts';
import { INFLATION, mintedBy, YEAR_SECONDS } from './inflation.ts';
import { Policy } from './policy.ts';

const publicKey = z.string().regex(/^[0-9a-f]{64}$/);
const address = z.string().regex(/^0x[0-9a-f]{64}$/);
/** PEM of the X.509 authority that a registered key signs its TLS certificates with. */
const authority = z.string().max(4096);

/** The contract takes no longer delay or window (escrow.move). */
const MAX_SECONDS = YEAR_SECONDS;

export const Actor = z.strictObject({
  address,
  publicKey,
  role: z.enum(['enterprise', 'submitter', 'producer']),
  name: z.string().min(1).max(63),
  state: z.enum(['active', 'suspended']),
  /** Kubernetes user names that may present this actor's tasks (N5). */
  kubernetesUsers: z.array(z.string().min(1).max(256)).max(16),
  /** Enterprise that the actor belongs to: it earns no credits on the actor's fees (N3). */
  affiliation: address.optional(),
  /** Base units minted to the actor at genesis. */
  allocation: z
    .bigint()
    .min(0n)
    .max(2n ** 63n),
  /** Enterprises: namespace of its agent, TLS authority, and whether it runs aggregators. */
  enterprise: z
    .strictObject({
      namespace: z.string().min(1).max(63),
      tlsAuthority: authority,
      contributesCompute: z.boolean(),
      /** CHIP_IDs that are the actor's (A2), hex of 64 bytes. Hardware needs a listed one. */
      chips: z
        .array(z.string().regex(/^[0-9a-f]{128}$/))
        .max(1000)
        .optional(),
    })
    .optional(),
});
export type Actor = z.infer<typeof Actor>;

interface Allotted {
  readonly actors: readonly { readonly allocation: bigint }[];
  readonly chain: { readonly treasuryReserve: bigint };
}
const supplyAfterSchedule = ({ actors, chain }: Allotted): bigint => {
  const supply = actors.reduce((sum, { allocation }) => sum + allocation, chain.treasuryReserve);
  return supply + mintedBy(supply, BigInt(INFLATION.length) * YEAR_SECONDS);
};

export const Genesis = z
  .strictObject({
    protocolVersion: z.int().min(1),
    name: z.string().min(1).max(63),
    /** Log time of height 0, milliseconds. */
    time: z.int().min(0),
    masters: z.array(z.strictObject({ publicKey, tlsAuthority: authority, rewardAddress: address })).length(3),
    recoveryKeys: z.array(publicKey).length(3),
    policy: Policy,
    actors: z.array(Actor).max(10_000),
    catalogue: Catalogue,
    chain: z.strictObject({
      chainId: z.int().min(1).max(255),
      contract: address,
      /** Base units of SYM that the treasury advances shortfalls from (P3). */
      treasuryReserve: z
        .bigint()
        .min(0n)
        .max(2n ** 63n),
      /** A withdrawal from escrow ripens after this (K2), and expires unused after the window that follows. */
      escrowDelaySeconds: z.bigint().min(1n).max(MAX_SECONDS),
      escrowWindowSeconds: z.bigint().min(1n).max(MAX_SECONDS),
    }),
    enclave: z.discriminatedUnion('kind', [
      /** A4: for machines without the hardware. `root` signs the simulated chips' certificates (Ed25519). */
      z.strictObject({ kind: z.literal('simulated'), root: publicKey }),
      /** `roots`: PEM certificates of the vendors' root keys (AMD's ARK), self-signed RSA-4096 or P-384. */
      z.strictObject({ kind: z.literal('hardware'), roots: z.array(z.string().max(8192)).min(1).max(8) }),
    ]),
  })
  .refine(({ chain, policy }) => chain.escrowDelaySeconds * 1000n > BigInt(policy.windows.maxTaskMs + policy.windows.challengeMs), {
    path: ['chain', 'escrowDelaySeconds'],
    message: 'must be longer than the longest task plus its challenge window (K2)',
  })
  .refine((genesis) => supplyAfterSchedule(genesis) <= U64_MAX, {
    path: ['actors'],
    message: 'allocations, reserve and all that the schedule mints must stay below 2^64 base units: the chain counts in 64 bits (K7)',
  });
export type Genesis = z.infer<typeof Genesis>;

export const encodeGenesis = (genesis: Genesis): Uint8Array => encodeCanonical(genesis);
/** Throws ZodError, RangeError or SyntaxError on anything that is not a genesis in its one spelling. */
export const decodeGenesis = (bytes: Uint8Array): Genesis => Genesis.parse(decodeCanonical(bytes));
/** Of a genesis whose masters were replaced since: the digest is that of the file. */
const origins = new WeakMap<Genesis, Digest<'genesis'>>();
export const genesisDigest = (genesis: Genesis): Digest<'genesis'> => origins.get(genesis) ?? digest('genesis', encodeGenesis(genesis));
/** The same group with other masters (succession.ts): its digest stays. */
export const derivedGenesis = (genesis: Genesis, masters: Genesis['masters']): Genesis => {
  const derived = { ...genesis, masters };
  origins.set(derived, genesisDigest(genesis));
  return derived;
};
