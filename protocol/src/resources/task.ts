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
export const Query = z.object({
  domain: z.string().min(1).max(100).describe('Concrete domain, for example retail.purchase.'),
  where: z.array(Predicate).max(16).default([]).describe('All must hold.'),
  count: z.enum(['subjects']).default('subjects').describe('What is counted.'),
  groupBy: attribute.optional().describe('A groupable query attribute; one cell a bucket.'),
});
/** What the actor signs, with defaults filled in. */
export const TaskTerms = z.object({
  class: z.enum(taskClasses).describe('parse, query, compute or train.'),
  submitter: Address.describe('Account address of the actor who pays.'),
  usage: z.enum(usages).describe('The usage category that data subjects must have consented to.'),
  query: Query.optional(),
  privacy: z.object({
    epsilon: Decimal.describe('Differential-privacy epsilon of the result, per Vault.'),
    minimumResultCardinality: z.int().min(1).max(1_000_000).describe('Cells whose noisy count is below are suppressed.'),
  }),
  coordination: z
    .object({ quorum: z.int().min(1).max(1000).default(2).describe('Fewest Vaults that must deliver.') })
    .default({ quorum: 2 }),
  maxFee: Decimal.describe('Most SYM that the task may cost.'),
  resultKey: PublicKey.describe('X25519 public key that the result is sealed to (kubectl symphony keygen result).'),
  deadlineSeconds: z.int().min(10).max(86_400).default(600),
});
export const Authorization = z.object({
  publicKey: PublicKey.describe("The actor's Ed25519 key."),
  nonce: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .max(32),
  expiry: Timestamp,
  signature: Hex(64),
});
export const TaskSpec = TaskTerms.extend({
  ttlSecondsAfterFinished: z.int().min(0).max(31_536_000).optional(),
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
  state: z.enum(taskStates).optional(),
  reason: z.string().max(64).optional(),
  message: z.string().max(2048).optional(),
  observedGeneration: z.int().min(0).optional(),
  envelopeDigest: DigestHex.optional(),
  epoch: z.int().min(0).optional(),
  policyVersion: z.int().min(0).optional(),
  semanticVersion: DigestHex.optional(),
  fee: z
    .object({ maximum: Decimal, locked: Decimal, quoted: Decimal.optional(), charged: Decimal.optional(), freed: Decimal.optional() })
    .optional(),
  vaults: z
    .array(
      z.object({
        vault: z.string().max(128),
        state: z.string().max(32),
        reason: z.string().max(64).optional(),
        message: z.string().max(1024).optional(),
      }),
    )
    .max(1000)
    .optional(),
  aggregator: z.string().max(128).optional(),
  result: z.object({ configMap: z.string().max(253), digest: DigestHex, provisional: z.boolean() }).optional(),
  settlement: z
    .object({ batch: z.int().min(0), transaction: z.string().max(66).optional(), version: z.string().max(20).optional() })
    .optional(),
  history: z
    .array(z.object({ state: z.enum(taskStates), height: z.int().min(0), time: Timestamp, reason: z.string().max(64).optional() }))
    .max(32)
    .optional(),
  conditions: z.array(Condition).max(16).optional(),
  proof: Proof.optional(),
});
export type Predicate = z.infer<typeof Predicate>;
export type Query = z.infer<typeof Query>;
export type TaskTerms = z.infer<typeof TaskTerms>;
export type Authorization = z.infer<typeof Authorization>;
export type TaskSpec = z.infer<typeof TaskSpec>;
export type TaskState = (typeof taskStates)[number];
export type TaskStatus = z.infer<typeof TaskStatus>;
export type Task = Resource<TaskSpec, TaskStatus>;
