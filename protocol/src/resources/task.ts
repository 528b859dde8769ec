/** Task: what a submitter asks for (rules T, N5, S2, S5, B). The spec is immutable (T7); status is a certified projection (N6). */
import { z } from 'zod';
import { taskClasses, usages } from '../policy.ts';
import { Address, Condition, Decimal, DigestHex, Hex, Proof, PublicKey, Timestamp, type Resource } from './common.ts';

const attribute = z.string().min(1).max(100).describe('Name of a query attribute of the semantic catalogue.');
const day = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/)
  .max(10);

export const Predicate = z.object({
  attribute,
  in: z.array(z.string().min(1).max(64)).min(1).max(100).optional().describe('Buckets that match; for bucketed attributes.'),
  from: day.optional().describe('First day that matches; for dates.'),
  until: day.optional().describe('First day that no longer matches; for dates.'),
});
export const Measure = z.object({
  kind: z.enum(['sum', 'mean', 'quantile']).describe("Of the subjects' totals of the attribute."),
  attribute: attribute.describe('A measurable query attribute of the semantic catalogue.'),
  rank: z
    .string()
    .regex(/^0[.][0-9]{1,3}$/)
    .max(5)
    .optional()
    .describe('Between 0 and 1, "0.5" being the median; for kind quantile.'),
  clipAt: z
    .int()
    .min(1)
    .max(1_000_000_000_000)
    .optional()
    .describe(
      'A larger total of a subject counts as this much; less noise than with the larger bound of the attribute. Not for quantiles.',
    ),
});
export const Query = z.object({
  domain: z.string().min(1).max(100).describe('Concrete domain, for example retail.purchase.'),
  where: z.array(Predicate).max(16).default([]).describe('All must hold.'),
  anyOf: z
    .array(z.array(Predicate).min(2).max(4))
    .max(4)
    .optional()
    .describe('Of each list at least one must hold, beside all of `where`.'),
  count: z.enum(['subjects']).default('subjects').describe('What is counted.'),
  measures: z
    .array(Measure)
    .min(1)
    .max(4)
    .optional()
    .describe('Measured beside the count; epsilon is shared equally among the count and these.'),
  cellsPerSubject: z.int().min(1).max(100).optional().describe('Most cells that a subject enters; noise grows with it. One if absent.'),
  audience: z
    .object({
      expiresSeconds: z.int().min(60).max(7_776_000).describe('How long Vaults keep it.'),
    })
    .optional()
    .describe('Each Vault keeps who is in a cell; its operator may activate them. For usage marketing; nobody else learns who they are.'),
  groupBy: attribute.optional().describe('A groupable query attribute; one cell a bucket.'),
});
/** What the actor signs, with defaults filled in. */
export const TaskTerms = z.object({
  class: z.enum(taskClasses).describe('parse, query, compute or train.'),
  submitter: Address.describe('Account address of the actor who pays.'),
  usage: z.enum(usages).describe('The usage category that data subjects must have consented to.'),
  query: Query.optional().describe('What is asked; for class query.'),
  privacy: z
    .object({
      epsilon: Decimal.describe('Differential-privacy epsilon of the result, per Vault.'),
      minimumResultCardinality: z.int().min(1).max(1_000_000).describe('Cells whose noisy count is below are suppressed.'),
    })
    .describe('What the answer may tell about a person at most.'),
  coordination: z
    .object({ quorum: z.int().min(1).max(1000).default(2).describe('Fewest Vaults that must deliver.') })
    .default({ quorum: 2 })
    .describe('How the Vaults work together.'),
  maxFee: Decimal.describe('Most SYM that the task may cost.'),
  resultKey: PublicKey.describe('X25519 public key that the result is sealed to (kubectl symphony keygen result).'),
  deadlineSeconds: z.int().min(10).max(86_400).default(600).describe('Longest time from admission to verification.'),
});
export const Authorization = z.object({
  publicKey: PublicKey.describe("The actor's Ed25519 key."),
  nonce: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .max(32)
    .describe('Random, never used twice until expiry.'),
  expiry: Timestamp.describe('Until when the task can be admitted.'),
  signature: Hex(64).describe('Ed25519 signature over genesis, namespace, name, spec, nonce and expiry (N5).'),
});
export const TaskSpec = TaskTerms.extend({
  ttlSecondsAfterFinished: z
    .int()
    .min(0)
    .max(31_536_000)
    .optional()
    .describe('How long the object stays after its end; for ever if absent (T7).'),
  authorization: Authorization.optional().describe("The actor's signature over the rest of the spec (kubectl symphony submit or sign)."),
});

export const taskStates = [
  'accepted',
  'resolving',
  'dispatched',
  'verifying',
  'awaiting_settlement',
  'completed',
  'challenged',
  'rejected',
  'timed_out',
] as const;
export const TaskStatus = z.object({
  state: z.enum(taskStates).optional().describe('Where the task stands (T2, T3).'),
  reason: z.string().max(64).optional().describe('Why it was rejected or timed out, as a stable PascalCase code (T6).'),
  message: z.string().max(2048).optional().describe('What is wrong, and what to change.'),
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that this status is about.'),
  envelopeDigest: DigestHex.optional().describe('Digest of the certified envelope (E2).'),
  epoch: z.int().min(0).optional().describe('Epoch of admission.'),
  policyVersion: z.int().min(0).optional().describe('Policy version that it is judged under (G1).'),
  semanticVersion: DigestHex.optional().describe('Semantic version that it is resolved under (S6).'),
  fee: z
    .object({
      maximum: Decimal.describe('spec.maxFee.'),
      locked: Decimal.describe('Locked now.'),
      quoted: Decimal.optional().describe('Most that it will cost, known at dispatch.'),
      charged: Decimal.optional().describe('What it did cost.'),
      freed: Decimal.optional().describe('What was locked and not charged.'),
    })
    .optional()
    .describe('SYM of the escrow (K2).'),
  vaults: z
    .array(
      z.object({
        vault: z.string().max(128).describe('Namespace and name of the Vault.'),
        state: z.string().max(32).describe('Where its part stands.'),
        reason: z.string().max(64).optional().describe('Why it refused, as a stable PascalCase code.'),
        message: z.string().max(1024).optional().describe('What would have to change.'),
      }),
    )
    .max(1000)
    .optional()
    .describe('The Vaults asked.'),
  aggregator: z.string().max(128).optional().describe('Enterprise that runs the aggregator.'),
  result: z
    .object({
      configMap: z.string().max(253).describe('ConfigMap beside the task that holds the sealed result.'),
      digest: DigestHex.describe('Digest of the sealed result.'),
      provisional: z.boolean().describe('True until its challenge window has ended (T8).'),
    })
    .optional()
    .describe('The result, sealed to spec.resultKey (M5).'),
  settlement: z
    .object({
      batch: z.int().min(0).describe('Number of the settlement batch.'),
      transaction: z.string().max(66).optional().describe('Hash of the transaction on chain.'),
      version: z.string().max(20).optional().describe('Ledger version of that transaction.'),
    })
    .optional()
    .describe('How it was settled (P).'),
  history: z
    .array(
      z.object({
        state: z.enum(taskStates).describe('State entered.'),
        height: z.int().min(0).describe('Height of the block that decided it.'),
        time: Timestamp.describe('Log time of that block.'),
        reason: z.string().max(64).optional().describe('Why, as a stable PascalCase code.'),
      }),
    )
    .max(32)
    .optional()
    .describe('Each transition.'),
  conditions: z.array(Condition).max(16).optional().describe('Conditions by type.'),
  proof: Proof.optional().describe('Two votes of the masters and the path from the entry to the certified state root (N6).'),
});
export type Predicate = z.infer<typeof Predicate>;
export type Measure = z.infer<typeof Measure>;
export type Query = z.infer<typeof Query>;
export type TaskTerms = z.infer<typeof TaskTerms>;
export type Authorization = z.infer<typeof Authorization>;
export type TaskSpec = z.infer<typeof TaskSpec>;
export type TaskState = (typeof taskStates)[number];
export type TaskStatus = z.infer<typeof TaskStatus>;
export type Task = Resource<TaskSpec, TaskStatus>;
