/**
 * Projections (rule G7): what masters show of genesis and log, for the whole cluster. Editing them changes nothing and is repaired;
 * the proof in `status` is what counts (N6).
 */
import { z } from 'zod';
import { attributeStates } from '../catalogue.ts';
import { leafKinds } from '../leaf-kinds.ts';
import { usages } from '../policy.ts';
import { Address, Condition, Decimal, DigestHex, Hex, Proof, PublicKey, Timestamp, type Resource } from './common.ts';

const ordinal = z.int().min(0);
const attributeName = z.string().min(1).max(100);
const description = z.string().max(500).describe('What it means, for people.');
const basisPoints = z.int().min(0).max(10_000);
const milliseconds = z.int().min(0);
/** Amounts of privacy can exceed what JSON numbers hold exactly. */
const microRho = z
  .string()
  .regex(/^[0-9]{1,30}$/)
  .max(30);

/** What every projection's status has. */
const projected = {
  observedGeneration: ordinal.optional().describe('Generation of the spec that this status is about.'),
  height: ordinal.optional().describe('Height of the decided block that it shows.'),
  conditions: z.array(Condition).max(16).optional().describe('Conditions by type.'),
  proof: Proof.optional().describe('Two masters votes and the path from the entry to the certified state root (N6).'),
};

export const PolicyVersionSpec = z.object({
  version: z.int().min(1).describe('Number of the policy version.'),
  digest: DigestHex.optional().describe('Digest of its canonical bytes.'),
  fees: z
    .object({
      base: Decimal.describe('SYM a query.'),
      perVault: Decimal.describe('SYM a Vault.'),
      perSizeBand: z.array(Decimal).min(1).max(32).describe('SYM by public size band of the Vault; the index is the band.'),
      perEpsilon: Decimal.describe('SYM for one whole epsilon.'),
      shares: z
        .object({
          operators: basisPoints.describe('Vault operators.'),
          executors: basisPoints.describe('Executors.'),
          verifiers: basisPoints.describe('Masters.'),
          dividends: basisPoints.describe('Dividends of producers.'),
          treasury: basisPoints.describe('Treasury.'),
        })
        .describe('How a charge is shared, in basis points that sum to 10,000 (K3).'),
    })
    .describe('Price of a query (K1).'),
  privacy: z
    .object({
      minimumResultCardinality: z.int().min(1).describe('Least minimum that a task may ask for (S5).'),
      maxEpsilonPerTask: Decimal.describe('Most epsilon that one task may spend.'),
      subjectLimits: z
        .array(
          z.object({
            usage: z.enum(usages).describe('Usage category.'),
            microRho: Decimal.describe('Limit in micro-rho, over all Vaults together.'),
          }),
        )
        .max(4)
        .describe('What a data subject may lose by usage until the next replenishment (B1).'),
      deltaExponent: z
        .int()
        .min(3)
        .max(18)
        .optional()
        .describe('Delta is 10 to the power of minus this, where limits are told as (epsilon, delta) (B7).'),
      replenishEpochs: z
        .int()
        .min(1)
        .max(100_000)
        .optional()
        .describe('Epochs between two replenishments (B2); by approval alone if absent.'),
      actorShareBasisPoints: basisPoints.describe("Part of a Vault's odometer that one actor may use an epoch (B4)."),
    })
    .describe('Privacy thresholds.'),
  windows: z
    .object({
      answerMs: milliseconds.describe('How long Vaults have to answer.'),
      executionMs: milliseconds.describe('How long enclaves and slices have.'),
      verificationMs: milliseconds.describe('How long the masters have to verify.'),
      challengeMs: milliseconds.describe('How long a verified result can be challenged (H2).'),
      maxTaskMs: milliseconds.describe('Longest task.'),
    })
    .describe('Windows in log time (T5).'),
  epochLengthMs: milliseconds.describe('Length of an epoch.'),
  measurements: z.array(Hex(48)).max(32).describe('Enclave measurements allowed (A2).'),
});
export const PolicyVersionStatus = z.object({
  ...projected,
  state: z.enum(['Approved', 'Active', 'Superseded']).optional().describe('Whether tasks are admitted under it now.'),
  sinceEpoch: ordinal.optional().describe('First epoch of its force.'),
});

export const EpochSpec = z.object({
  number: ordinal.describe('Number of the epoch.'),
  policyVersion: ordinal.describe('Policy version in force (G1).'),
  start: Timestamp.describe('First moment, in log time.'),
});
export const EpochStatus = z.object({
  ...projected,
  state: z.enum(['Open', 'Closed']).optional().describe('Open for settlement, or closed (G2).'),
  end: Timestamp.optional().describe('When it was closed, in log time.'),
  tasks: ordinal.optional().describe('Tasks verified in it.'),
});

export const SettlementSpec = z.object({
  kind: z
    .enum(['batch', ...leafKinds])
    .default('batch')
    .describe('A batch of tasks, or another leaf that the contracts take: node rewards (K7), a root of dividends (K6), a penalty (G3).'),
  number: ordinal.describe('Number in the line of its kind; each is accepted once (P4).'),
  epoch: ordinal.describe('Epoch of all its tasks (P1), or that it is for.'),
  taskCount: ordinal.describe('Number of tasks.'),
  tasksRoot: DigestHex.optional().describe('Merkle root of the tasks (P3).'),
});
export const SettlementStatus = z.object({
  ...projected,
  state: z
    .enum(['collecting', 'verifying_inputs', 'candidate_ready', 'finalizing', 'finalized'])
    .optional()
    .describe('Where the batch stands (P1).'),
  taken: Decimal.optional().describe('SYM taken from escrows.'),
  distributed: Decimal.optional().describe('SYM given to actors, dividends and treasury; of a leaf, what it gives out at most.'),
  transaction: z.string().max(66).optional().describe('Hash of the transaction on chain.'),
  ledgerVersion: z.string().max(20).optional().describe('Ledger version of that transaction.'),
});

export const ActorSpec = z.object({
  address: Address.describe('Account address on chain.'),
  publicKey: PublicKey.describe('Ed25519 key that signs for the actor (N5).'),
  role: z.enum(['enterprise', 'submitter', 'producer']).describe('What the actor is (N3, N4).'),
  displayName: z.string().min(1).max(63).describe('Name for people.'),
  kubernetesUsers: z.array(z.string().min(1).max(256)).max(16).default([]).describe('Kubernetes users who may present its tasks (N5).'),
  enterprise: z
    .object({
      namespace: z.string().min(1).max(63).describe('Namespace of its agent.'),
      contributesCompute: z.boolean().default(false).describe('Whether it runs aggregators.'),
    })
    .optional()
    .describe('For enterprises.'),
});
export const ActorStatus = z.object({
  ...projected,
  state: z.enum(['active', 'suspended']).optional().describe('A suspended actor has no task admitted and serves none (N3).'),
  bonded: Decimal.optional().describe('SYM bonded as an enterprise, as last read from the chain (N3, G3).'),
  credits: Decimal.optional().describe('Data contribution credits in SYM, which offset its own fees (N3).'),
  offences: ordinal.optional().describe('Penalties decided against it; repeats climb (G3).'),
});

export const DomainSpec = z.object({
  name: attributeName.describe('Name in the semantic catalogue.'),
  parent: attributeName.optional().describe('Domain above; the global one has none (S4).'),
  overlapBound: z.int().min(1).max(1000).describe('At most so many Vaults hold one subject of the domain (B1).'),
  description,
});
export const DomainStatus = z.object({
  ...projected,
  vaults: ordinal.optional().describe('Vaults registered in it.'),
  odometers: z
    .array(
      z.object({
        vault: z.string().max(128).describe('Namespace and name of the Vault.'),
        usage: z.enum(usages).describe('Usage category.'),
        limit: microRho.describe('Most micro-rho until replenishment.'),
        reserved: microRho.describe('Held by running tasks.'),
        spent: microRho.describe('Used since the last replenishment.'),
        actorShare: microRho.describe('Most that one actor may take of it an epoch (B4).'),
        replenishEvery: z
          .int()
          .min(2)
          .max(100_000)
          .optional()
          .describe('The Vault follows only every so many replenishments (C5); absent = each.'),
        actors: z
          .array(z.object({ actor: Address.describe('Account address.'), taken: microRho.describe('Taken in this epoch.') }))
          .max(100)
          .describe('Actors who took some in this epoch.'),
      }),
    )
    .max(400)
    .optional()
    .describe('The public odometer of each Vault and usage (B4): what refusals and estimates go by.'),
});

const attributeStatus = {
  ...projected,
  state: z.enum(attributeStates).optional().describe('Where it is in its life (S1, S7).'),
  semanticVersion: DigestHex.optional().describe('Semantic version that it belongs to.'),
};
export const CanonicalAttributeSpec = z.object({
  name: attributeName.describe('Name in the semantic catalogue.'),
  domain: attributeName.describe('The one domain that it belongs to (S1).'),
  type: z.enum(['string', 'integer', 'date']).describe('Type of its values.'),
  directlyQueryable: z.boolean().describe('Whether tasks may name it without a derivation.'),
  successor: attributeName.optional().describe('What replaces it, once it is superseded.'),
  description,
});
export const CanonicalAttributeStatus = z.object(attributeStatus);

export const QueryAttributeSpec = z.object({
  name: attributeName.describe('Name in the semantic catalogue.'),
  domain: attributeName.describe('Domain that it belongs to.'),
  vault: z.string().max(128).optional().describe("The Vault whose own it is, on a local attribute (S3); absent = the catalogue's."),
  derivation: z
    .object({
      kind: z.enum(['bucket', 'boolean', 'threshold', 'hash', 'aggregate']).describe('How values are derived (S2).'),
      from: attributeName.describe('Canonical attribute that it derives from.'),
      buckets: z
        .array(z.string().min(1).max(64))
        .max(100)
        .optional()
        .describe('Names of the groups; for kinds bucket, boolean and threshold.'),
      otherwise: z.string().min(1).max(64).optional().describe('Group of the values that no other lists.'),
      groups: z.int().min(2).max(100).optional().describe('Number of groups "0" to "n-1"; for kind hash.'),
      unit: z.enum(['day', 'number']).optional().describe('Unit of ranges, or a number to measure; for kind aggregate.'),
    })
    .describe('How it derives from a canonical attribute (S2).'),
  granularity: z
    .object({
      minimumDays: z.int().min(1).max(3660).optional().describe('Shortest range, in days.'),
      minimumBuckets: z.int().min(1).max(100).optional().describe('Fewest groups that a predicate may name.'),
    })
    .describe('A finer predicate is refused (S2).'),
  groupable: z.boolean().describe('Whether results may be grouped by it (S8).'),
  measure: z
    .object({
      low: z.int().describe("Least that a subject's total counts."),
      high: z.int().describe("Most that a subject's total counts."),
      grid: z.array(z.int()).max(64).optional().describe('Values that quantiles come from, ascending.'),
    })
    .optional()
    .describe('Public bounds of sums, means and quantiles (B7); for numbers.'),
  crossDomain: z
    .object({
      from: attributeName.describe('Domain of the values.'),
      approved: z.boolean().describe('Whether queries may use it there.'),
      why: z.string().min(1).max(500).describe('What governance said.'),
    })
    .optional()
    .describe('What governance decided of deriving from another domain (S4); absent = not approved, or not needed.'),
  successor: attributeName.optional().describe('What replaces it, once it is superseded.'),
  description,
});
export const QueryAttributeStatus = z.object(attributeStatus);

export type PolicyVersion = Resource<z.infer<typeof PolicyVersionSpec>, z.infer<typeof PolicyVersionStatus>>;
export type Epoch = Resource<z.infer<typeof EpochSpec>, z.infer<typeof EpochStatus>>;
export type Settlement = Resource<z.infer<typeof SettlementSpec>, z.infer<typeof SettlementStatus>>;
export type ActorObject = Resource<z.infer<typeof ActorSpec>, z.infer<typeof ActorStatus>>;
export type DomainObject = Resource<z.infer<typeof DomainSpec>, z.infer<typeof DomainStatus>>;
export type CanonicalAttributeObject = Resource<z.infer<typeof CanonicalAttributeSpec>, z.infer<typeof CanonicalAttributeStatus>>;
export type QueryAttributeObject = Resource<z.infer<typeof QueryAttributeSpec>, z.infer<typeof QueryAttributeStatus>>;
