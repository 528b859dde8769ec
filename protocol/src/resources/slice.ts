/** Slice: one Vault's part of a task, or its aggregator; made by the enterprise's agent from a certified command (rules M1, N10). */
import { z } from 'zod';
import { Condition, DigestHex, Proof, Timestamp, type Resource } from './common.ts';

export const SliceSpec = z.object({
  taskUid: z.string().min(1).max(64).describe('Uid of the task.'),
  taskName: z.string().min(1).max(253).describe('Name of the task, for people.'),
  taskNamespace: z.string().min(1).max(63).describe('Namespace of the task, for people.'),
  role: z.enum(['slice', 'aggregator']).describe('slice reads a Vault; aggregator sums the outputs of all slices (M2).'),
  vault: z.string().max(253).optional().describe('Name of the Vault in this namespace; absent for an aggregator.'),
  envelopeDigest: DigestHex.describe('Digest of the certified task envelope (E2).'),
  deadline: Timestamp.describe('Until when its output is paid, in log time (M4).'),
});
export const SliceStatus = z.object({
  state: z.enum(['Pending', 'Attesting', 'Running', 'Released', 'Done', 'Failed']).optional().describe('Where it stands.'),
  reason: z.string().max(64).optional().describe('Why, as a stable PascalCase code.'),
  message: z.string().max(1024).optional().describe('What is waited for and why, for people.'),
  pod: z.string().max(253).optional().describe('Pod that runs it.'),
  attempt: z.int().min(0).optional().describe('Which attempt this is, from 0.'),
  observedGeneration: z.int().min(0).optional().describe('Generation of the spec that this status is about.'),
  conditions: z.array(Condition).max(16).optional().describe('Conditions by type.'),
  certified: Proof.optional().describe("The masters' certified entry of the task."),
});
export type SliceSpec = z.infer<typeof SliceSpec>;
export type SliceStatus = z.infer<typeof SliceStatus>;
export type Slice = Resource<SliceSpec, SliceStatus>;
