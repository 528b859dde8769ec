/** Slice: one Vault's part of a task, or its aggregator; made by the enterprise's agent from a certified command (rules M1, N10). */
import { z } from 'zod';
import { Condition, DigestHex, Proof, Timestamp, type Resource } from './common.ts';

export const SliceSpec = z.object({
  taskUid: z.string().min(1).max(64),
  taskName: z.string().min(1).max(253),
  taskNamespace: z.string().min(1).max(63),
  role: z.enum(['slice', 'aggregator']),
  vault: z.string().max(253).optional().describe('Name of the Vault in this namespace; absent for an aggregator.'),
  envelopeDigest: DigestHex,
  deadline: Timestamp,
});
export const SliceStatus = z.object({
  state: z.enum(['Pending', 'Attesting', 'Running', 'Released', 'Done', 'Failed']).optional(),
  reason: z.string().max(64).optional(),
  message: z.string().max(1024).optional(),
  pod: z.string().max(253).optional(),
  attempt: z.int().min(0).optional(),
  observedGeneration: z.int().min(0).optional(),
  conditions: z.array(Condition).max(16).optional(),
  certified: Proof.optional(),
});
export type SliceSpec = z.infer<typeof SliceSpec>;
export type SliceStatus = z.infer<typeof SliceStatus>;
export type Slice = Resource<SliceSpec, SliceStatus>;
