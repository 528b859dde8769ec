/** Where a Vault keeps what must not be lost, where its data comes from, and how it is read (rules B8, K4's inputs). */
import { z } from 'zod';
import { usages } from '../policy.ts';
import { Address, Decimal } from './common.ts';

const region = z
  .string()
  .regex(/^[a-z0-9-]{1,40}$/)
  .max(40)
  .describe('Region that requests are signed for.');
const endpoint = z
  .string()
  .regex(/^(https:\/\/[A-Za-z0-9.-]+|http:\/\/(127\.0\.0\.1|[a-z0-9-]+\.[a-z0-9-]+\.svc))(:[0-9]{1,5})?$/)
  .max(253)
  .describe("Other than Amazon's: https, or http to a Service of the cluster.");

export const S3Place = z.object({
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .max(63)
    .describe('Bucket.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._/-]*$/)
    .max(200)
    .default('')
    .describe('What names of objects begin with.'),
  region,
  endpoint: endpoint.optional(),
});
export type S3Place = z.infer<typeof S3Place>;

const volumeClaim = (what: string) => z.string().min(1).max(253).optional().describe(`PersistentVolumeClaim of ${what}.`);
const column = (what: string) => z.string().min(1).max(200).describe(what);

export const Encryption = z.object({
  kms: z
    .object({
      keyId: z
        .string()
        .regex(/^[A-Za-z0-9:/_-]+$/)
        .max(300)
        .describe('Id, ARN or alias/NAME of the key.'),
      region,
      endpoint: endpoint.optional(),
    })
    .describe("KMS that speaks AWS KMS's protocol; its key wraps the data key and never leaves it."),
});
export const Journal = z.object({
  volumeClaim: volumeClaim('the copy, on storage that backups and failures of the first do not share'),
  s3: S3Place.optional().describe('Bucket of the copy; it must honour If-None-Match.'),
  lost: z.boolean().default(false).describe('Declares the copy lost for good: budgets count as spent and consents as revoked (rule B8).'),
});
export const Backup = z.object({
  volumeClaim: volumeClaim('the backups'),
  s3: S3Place.optional().describe('Bucket of the backups.'),
  everyHours: z.int().min(1).max(168).default(24).describe('Hours between two backups.'),
  keep: z.int().min(1).max(100).default(7).describe('Backups kept; older ones are removed.'),
  restore: z
    .string()
    .regex(/^(latest|[0-9]{8}T[0-9]{6}Z)$/)
    .max(16)
    .optional()
    .describe('Backup that a Vault with an empty volume begins with: "latest" or its id.'),
});

export const Mapping = z.object({
  subject: column("Column of the subject's name.").default('subject'),
  producer: Address.optional().describe('Producer of all records; without it, `producerColumn` says.'),
  producerColumn: column("Column of the producer's address.").default('producer'),
  key: column('Column that names a record; a record whose name came before is left out.').optional(),
  attributes: z
    .array(
      z.object({
        attribute: z.string().min(1).max(100).describe('Canonical attribute.'),
        column: column('Column that it is read from.'),
        dateFormat: z
          .string()
          .regex(/^[A-Za-z0-9%/.: -]+$/)
          .max(40)
          .optional()
          .describe('Of dates written as text, in the terms of strptime: %d.%m.%Y. Without it: YYYY-MM-DD.'),
        values: z
          .array(
            z.object({
              from: z.string().max(200).describe('Value in the file.'),
              to: z.string().max(200).describe('Value that it stands for.'),
            }),
          )
          .max(200)
          .default([])
          .describe('What values stand for; with any given, others do not map.'),
      }),
    )
    .max(100)
    .default([])
    .describe('Attributes whose column has another name, format or other values.'),
  others: z
    .enum(['ignore', 'report'])
    .optional()
    .describe('What columns that are not read do: nothing, or be reported by name, type and coverage band, in public (S3).'),
  unmatched: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('What a record that does not map does: refuse the file, or be left out and counted by column and reason.'),
});
export type Mapping = z.infer<typeof Mapping>;

export const Source = z.object({
  domain: z.string().min(1).max(100).describe('Domain that the records belong to.'),
  format: z.enum(['parquet', 'csv']).describe('Format of the file.'),
  path: z
    .string()
    .min(1)
    .max(512)
    .describe('File under the import volume, or object under the prefix; a / at the end: all files of that format there.'),
  s3: S3Place.optional().describe('Bucket that the file is in, instead of the import volume.'),
  mapping: Mapping.optional().describe('How columns become canonical attributes; without it they are named after them.'),
});
export type Source = z.infer<typeof Source>;

export const Quota = z.object({
  actor: Address.optional().describe('Actor that it limits; without it: each actor that no other quota names.'),
  usage: z.enum(usages).optional().describe('Usage category that it limits; without it: all together.'),
  openTasks: z.int().min(0).max(100_000).optional().describe('Tasks that hold a reservation at a time.'),
  tasksPerDay: z.int().min(0).max(1_000_000).optional().describe('Reservations in 24 hours.'),
  microRhoPerDay: Decimal.optional().describe('Micro-rho reserved in 24 hours.'),
});
export type Quota = z.infer<typeof Quota>;
