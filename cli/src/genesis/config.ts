/** What a person writes to `genesis build`; paths are relative to the file. Amounts in SYM, epsilon as a decimal, windows as 5s, 10m, 2h. */
import { z } from 'zod';
import { parseEpsilon, parseSym, Policy, usages } from '@scs/protocol';

const path = z.string().min(1).max(512);
/** A decimal as people write it, quoted or not. */
const decimal = <T>(parse: (text: string) => T) =>
  z.union([z.string(), z.number()]).transform((value, context): T => {
    try {
      return parse(String(value));
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      context.addIssue({ code: 'custom', message: cause.message });
      return z.NEVER;
    }
  });
/** Hex in quotes, as tools print it; a plain number only where it is exact. */
const tcb = z.union([z.int().min(0), z.string().regex(/^0x[0-9a-f]{1,16}$/, 'minimumTcb is written in hex, as "0x..."')]).transform(BigInt);
const amount = decimal((text): bigint => parseSym(text));
const epsilon = decimal((text): bigint => parseEpsilon(text));
const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const windowMs = z
  .string()
  .regex(/^\d{1,9}(ms|s|m|h|d)$/, 'a window is written as 300ms, 5s, 10m, 2h or 7d')
  .transform(milliseconds);

/** Who earns what beside fees, and who bonds how much (docs/economics.md); each part has its default. */
const economy = z.strictObject({
  stakes: z.strictObject({ master: amount.default(0n), enterprise: amount.default(0n), producer: amount.default(0n) }).exactOptional(),
  nodeRewards: z.strictObject({ masters: z.int(), enterprises: z.int() }).exactOptional(),
  dividends: z.strictObject({ subjectBits: z.array(z.int()).min(1), claim: windowMs }).exactOptional(),
  creditBasisPoints: z.int().exactOptional(),
  quality: z
    .strictObject({
      pot: amount,
      cap: amount,
      weights: z.strictObject({
        parsability: z.int(),
        completeness: z.int(),
        freshness: z.int(),
        nonDuplication: z.int(),
        demand: z.int(),
      }),
    })
    .exactOptional(),
});

export const GenesisConfig = z.strictObject({
  name: z.string().min(1).max(63),
  time: z.iso.datetime().optional(),
  protocolVersion: z.literal(1).default(1),
  masters: z.array(path).length(3),
  recoveryKeys: z.array(path).length(3),
  enterprises: z
    .array(
      z.strictObject({
        keys: path,
        namespace: z.string().min(1).max(63),
        contributesCompute: z.boolean().default(false),
        /** Who may present tasks of its own. */
        kubernetesUsers: z.array(z.string()).default([]),
        /** CHIP_IDs (A2); hardware needs them. */
        chips: z.array(z.string()).optional(),
        allocation: amount.default(0n),
      }),
    )
    .default([]),
  submitters: z
    .array(
      z.strictObject({
        keys: path,
        kubernetesUsers: z.array(z.string()).default([]),
        allocation: amount.default(0n),
        /** Public key file of the enterprise that it belongs to: that one earns no credits on its fees (N3). */
        affiliation: path.exactOptional(),
      }),
    )
    .default([]),
  chain: z.strictObject({
    chainId: z.int().min(1).max(255),
    publisher: path,
    treasuryReserve: amount.default(0n),
    escrowDelay: windowMs,
    escrowWindow: windowMs,
  }),
  enclave: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('simulated'), root: path }),
    z.strictObject({ kind: z.literal('hardware'), roots: z.array(path).min(1).max(8) }),
  ]),
  catalogue: path,
  policy: z.strictObject({
    fees: z.strictObject({
      query: z.strictObject({ base: amount, perVault: amount, perSizeBand: z.array(amount).min(1), perEpsilon: amount }),
      shares: Policy.shape.fees.shape.shares,
    }),
    privacy: z.strictObject({
      minimumResultCardinality: z.int().min(1),
      maxEpsilonPerTask: epsilon,
      subjectLimitMicroRho: z.record(z.enum(usages), z.int().min(0).transform(BigInt)),
      actorShareBasisPoints: z.int().min(0).max(10_000),
      /** Delta is 10^-this, where limits are told as (epsilon, delta) (B7). */
      deltaExponent: z.int().min(3).max(18).exactOptional(),
      /** Epochs between replenishments (B2); absent: only by two masters' approval. */
      replenishEpochs: z.int().min(1).max(100_000).exactOptional(),
    }),
    windows: z.strictObject({
      answer: windowMs,
      execution: windowMs,
      verification: windowMs,
      challenge: windowMs,
      clockBound: windowMs,
      maxTask: windowMs,
      aggregatorReplace: windowMs,
    }),
    settlement: z.strictObject({ maxTasks: z.int().min(1), maxDelay: windowMs, maxEscrowAge: windowMs }),
    epoch: z.strictObject({ length: windowMs }),
    economy: economy.exactOptional(),
    enclave: z.strictObject({
      measurements: z.array(z.string()).default([]),
      minimumTcb: tcb.default(0n),
      hostData: z.array(z.string()).optional(),
    }),
  }),
});
export type GenesisConfig = z.infer<typeof GenesisConfig>;

function milliseconds(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text)!;
  return Number(count) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
}
