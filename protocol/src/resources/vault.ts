/** Vault: an enterprise's data, and what it permits (rules C1, C5, B1). Written by the enterprise; narrowed, never widened, by governance. */
import { z } from 'zod';
import { taskClasses, usages } from '../policy.ts';
import { Backup, Encryption, Journal, Quota, Source } from './vault-storage.ts';
import { OwnAttribute } from './own-attribute.ts';
import { Address, Condition, Decimal, DigestHex, Hex, Proof, PublicKey, type Resource } from './common.ts';
import { RightsSpec } from './rights.ts';

export const VaultSpec = z.object({
  enterprise: Address.describe('Account address of the enterprise.'),
  domains: z
    .array(
      z.object({
        name: z.string().min(1).max(100).describe('Domain of the semantic catalogue.'),
        usages: z.array(z.enum(usages)).min(1).max(4).describe('Usage categories offered for it.'),
        classes: z.array(z.enum(taskClasses)).min(1).max(4).describe('Task classes offered for it.'),
      }),
    )
    .min(1)
    .max(32)
    .describe('What the Vault offers.'),
  actors: z.array(Address).max(1000).default([]).describe('Actors that may use it; "deny by default".'),
  sizeBand: z.int().min(0).max(31).describe('Public size band (price, K1); never depends on who matched.'),
  measurements: z.array(Hex(48)).max(32).default([]).describe('Enclave measurements accepted, a subset of the policy; empty = the policy.'),
  limits: z
    .array(
      z.object({
        usage: z.enum(usages).describe('Usage category.'),
        microRho: Decimal.optional().describe('Lower limit a subject than the policy, in micro-rho.'),
        replenishEvery: z
          .int()
          .min(1)
          .max(100_000)
          .optional()
          .describe('Follow only every so many replenishments of the masters (B2): 2 halves how often budgets come back here.'),
      }),
    )
    .max(4)
    .default([])
    .describe('Limits of privacy loss, narrower than the policy.'),
  storage: z
    .object({
      size: z.string().max(16).default('1Gi').describe('Size as a Kubernetes quantity.'),
      storageClassName: z.string().max(253).optional().describe("The cluster's default class if absent."),
    })
    .default({ size: '1Gi' })
    .describe('Volume of the records, consents and ledgers.'),
  cloudSecret: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Secret with access-key-id and secret-access-key (and session-token) for S3 and KMS.'),
  encryption: Encryption.optional().describe("What wraps the key of the Vault's file; absent = the Secret <vault>-data-key."),
  journal: Journal.optional().describe(
    'Encrypted copy of the journal outside the volume, written before each step takes effect; without it the chain is local.',
  ),
  backup: Backup.optional().describe('Encrypted backups of the whole Vault; without them, none are made.'),
  sources: z.array(Source).max(32).default([]).describe('Files loaded at start.'),
  quotas: z.array(Quota).max(256).default([]).describe('Limits of what actors may ask for, beside the privacy budget.'),
  attributes: z
    .array(OwnAttribute)
    .max(32)
    .default([])
    .describe("Local attributes promoted to query attributes of this Vault's own (S3): queries that name one ask this Vault alone."),
  importVolumeClaim: z
    .string()
    .max(253)
    .optional()
    .describe('PersistentVolumeClaim with the files of those `sources` that name no bucket.'),
  activation: z
    .object({
      url: z
        .string()
        .regex(/^https:[/][/][^ ]+$/)
        .max(500)
        .describe('HTTPS address that takes batches of subjects with a message.'),
      keySecret: z
        .string()
        .min(1)
        .max(253)
        .describe(
          'Secret with the entry `key`, at least 32 bytes, that signs each request; and `ca.crt`, if the certificate is of an own authority.',
        ),
    })
    .optional()
    .describe('Webhook that kept audiences are activated through, by the operator (rule T1); absent = none are.'),
  rights: RightsSpec.optional().describe('Serves data subjects over HTTPS (rule C4); absent = not served.'),
});
export const VaultStatus = z.object({
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that this status is about.'),
  state: z.enum(['Provisioning', 'Importing', 'Registering', 'Ready', 'Degraded']).optional().describe('Where it stands.'),
  publicKey: PublicKey.optional().describe("The Vault's Ed25519 key, made by itself."),
  records: z.string().max(32).optional().describe('Public size band as text, never a count.'),
  certified: Proof.optional().describe("The masters' certified entry of this Vault."),
  registeredAtHeight: z.int().min(0).optional().describe('Height at which the masters registered its offer.'),
  offer: DigestHex.optional().describe('Digest of the registered offer.'),
  localAttributes: z
    .array(
      z.object({
        domain: z.string().max(100).describe('Domain of the records.'),
        name: z.string().max(64).describe('Column of the files.'),
        type: z.enum(['string', 'integer', 'date']).describe('Type of its values.'),
        coverage: z.enum(['few', 'some', 'most']).describe('Records that have a value: below a tenth, below nine tenths, more.'),
      }),
    )
    .max(64)
    .optional()
    .describe('Columns that are not canonical, never their values (S3).'),
  conditions: z.array(Condition).max(16).optional().describe('Conditions by type.'),
});
export type VaultSpec = z.infer<typeof VaultSpec>;
export type VaultStatus = z.infer<typeof VaultStatus>;
export type Vault = Resource<VaultSpec, VaultStatus>;
