import { z } from 'zod';

export const GROUP = 'scp.symphony.foundation';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Kubernetes metadata as far as we read it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  readonly finalizers?: readonly string[];
}
export interface Resource<Spec, Status> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: Status;
}

export const Address = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .max(66);
export const PublicKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .max(64);
export const Hex = (maxBytes: number) =>
  z
    .string()
    .regex(/^([0-9a-f]{2})*$/)
    .max(2 * maxBytes);
export const DigestHex = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .max(64);
/** Decimal strings: no float ever carries money or privacy. */
export const Decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?$/)
  .max(21);
export const Timestamp = z.string().max(40).meta({ format: 'date-time' });

export const Condition = z.object({
  type: z.string().min(1).max(64).describe('Kind of condition, in PascalCase.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so.'),
  reason: z.string().min(1).max(64).describe('Stable PascalCase code; the same word in events, logs and metrics.'),
  message: z.string().max(2048).describe('One sentence for a person: what is so, and what to change.'),
  lastTransitionTime: Timestamp.describe('When the status last changed.'),
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that it is about.'),
});
export type Condition = z.infer<typeof Condition>;

/** Proof that a projection is what the masters certified (N6): two votes, and a path from the record to the state root. */
export const Proof = z.object({
  key: z.string().max(256).describe('Key of the certified state entry.'),
  value: Hex(32_768).describe('Canonical bytes of the certified entry, in hex.'),
  siblings: z.array(DigestHex).max(256).describe('Digests beside the path from the entry to the state root.'),
  head: z
    .object({
      genesis: DigestHex.describe('Digest of the genesis file (G7).'),
      generation: Decimal.describe('Generation of the group.'),
      height: Decimal.describe('Height of the block.'),
      stateRoot: DigestHex.describe('Root of the state after the block.'),
      block: DigestHex.describe('Digest of the block.'),
    })
    .describe('What the masters voted for.'),
  votes: z
    .array(
      z.object({
        master: z.int().min(0).max(2).describe('Index of the master.'),
        signature: Hex(64).describe('Ed25519 signature over the head.'),
      }),
    )
    .max(3)
    .describe('Votes of at least two masters.'),
});
