/**
 * The part of a policy version that says who earns what beside fees, and who has to bond how much (rules G1, G3, N3, K4 to K7).
 * A policy may leave it out: then `DEFAULT_ECONOMY` holds, which asks for no bonds. Amounts in base units of SYM.
 */
import { z } from 'zod';

const sym = z
  .bigint()
  .min(0n)
  .max(2n ** 63n);
const basisPoints = z.int().min(0).max(10_000);
const sumTo = (all: Record<string, number>): boolean => Object.values(all).reduce((a, b) => a + b, 0) === 10_000;
const WHOLE = 'must sum to 10000 basis points';

/** What a record is scored by (K4); each score is 0 to 10,000. */
export const qualities = ['parsability', 'completeness', 'freshness', 'nonDuplication', 'demand'] as const;
export type Quality = (typeof qualities)[number];

export const Economy = z.strictObject({
  /** S_master, S_enterprise, S_producer (G3): who has bonded less is paid no node rewards, serves no task, is paid half. */
  stakes: z.strictObject({ master: sym, enterprise: sym, producer: sym }),
  /** K7: how minted SYM is divided between masters and the enterprises that ran slices. */
  nodeRewards: z.strictObject({ masters: basisPoints, enterprises: basisPoints }).refine(sumTo, WHOLE),
  dividends: z.strictObject({
    /** K6: a Vault of size band i has at most 2^bits[i] subjects; a larger band than there is has the last. */
    subjectBits: z.array(z.int().min(4).max(24)).min(1).max(32),
    /** How long a root can be claimed; seconds. */
    claimSeconds: z
      .bigint()
      .min(3600n)
      .max(10n * 31_536_000n),
  }),
  /** N3: what enterprises earn of a fee that an unaffiliated payer paid, as credits; below the fee itself. */
  creditBasisPoints: z.int().min(0).max(9_999),
  /** K4: pot an epoch, most that one producer gets of it, and the weights of the scores. */
  quality: z.strictObject({
    pot: sym,
    cap: sym,
    weights: z
      .strictObject({
        parsability: basisPoints,
        completeness: basisPoints,
        freshness: basisPoints,
        nonDuplication: basisPoints,
        demand: basisPoints,
      })
      .refine(sumTo, WHOLE),
  }),
});
export type Economy = z.infer<typeof Economy>;

export const DEFAULT_ECONOMY: Economy = {
  stakes: { master: 0n, enterprise: 0n, producer: 0n },
  nodeRewards: { masters: 4000, enterprises: 6000 },
  dividends: { subjectBits: [10, 14, 17, 20], claimSeconds: 31_536_000n },
  creditBasisPoints: 1000,
  quality: {
    pot: 0n,
    cap: 0n,
    weights: { parsability: 3000, completeness: 2500, freshness: 1500, nonDuplication: 2000, demand: 1000 },
  },
};
export const economyOf = (policy: { readonly economy?: Economy | undefined }): Economy => policy.economy ?? DEFAULT_ECONOMY;
