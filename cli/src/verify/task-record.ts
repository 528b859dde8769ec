/** The task's record out of a leaf, field for field: what a certificate would vouch for is still read like anything from outside. */
import { z } from 'zod';
import {
  decodeCanonical,
  EnclaveReady,
  fromHex,
  Plan,
  rejectionCodes,
  taskStates,
  TaskSpec,
  type HistoryEntry,
  type Rejection,
  type TaskRecord,
  type VaultPart,
} from '@scs/protocol';

/** One schema for each field of `T`: a field that the rules gain is missed here by the compiler, not by a user. */
type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> };

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const amount = z
  .bigint()
  .min(0n)
  .max(2n ** 64n - 1n);
const time = z.int().min(0);
const name = z.string().min(1).max(253);
const signature = z.string().regex(/^[0-9a-f]{128}$/);
const address = z.string().regex(/^0x[0-9a-f]{64}$/);
const keys = z.array(digest).max(1000);

const EnclaveFile = z.strictObject({
  ...EnclaveReady.shape,
  attestation: EnclaveReady.shape.attestation.exactOptional(),
  attested: digest.exactOptional(),
});

const part = {
  vault: name,
  enterprise: address,
  key: digest,
  sizeBand: z.int().min(0).max(31),
  state: z.enum(['asked', 'reserved', 'refused', 'ready', 'released', 'late', 'absent']),
  reservedMicroRho: amount.exactOptional(),
  snapshotCommitment: digest.exactOptional(),
  consentCommitment: digest.exactOptional(),
  refusal: z.strictObject({ code: z.string().max(64), message: z.string().max(1024) }).exactOptional(),
  enclave: EnclaveFile.exactOptional(),
  formerEnclaves: keys.exactOptional(),
  release: z
    .strictObject({
      evidence: digest,
      outputCommitment: digest,
      microRho: amount,
      journal: z.strictObject({ sequence: amount, head: digest }),
      signature,
      height: amount,
    })
    .exactOptional(),
} satisfies Fields<VaultPart>;

const history = {
  state: z.enum(taskStates),
  height: amount,
  time,
  reason: z.string().max(64).exactOptional(),
} satisfies Fields<HistoryEntry>;

/** Its figures are for people; the code is what counts. */
const rejection = z.custom<Rejection>(
  (value) => typeof value === 'object' && value !== null && 'code' in value && rejectionCodes.some((code) => code === value.code),
);

const record = {
  uid: z.string().regex(/^[0-9a-f-]{1,64}$/),
  namespace: name,
  name,
  spec: TaskSpec,
  state: z.enum(taskStates),
  history: z.array(z.strictObject(history)).min(1).max(64),
  rejection: rejection.exactOptional(),
  policyVersion: z.int().min(0),
  semanticVersion: digest,
  epoch: z.int().min(0),
  deadline: time,
  finalDeadline: time,
  maxFee: amount,
  locked: amount,
  quote: amount.exactOptional(),
  charge: amount.exactOptional(),
  plan: Plan.exactOptional(),
  reservedEpoch: z.int().min(0).exactOptional(),
  replenished: z.int().min(1).exactOptional(),
  warnings: z.array(z.string().max(1024)).max(200).exactOptional(),
  parts: z.array(z.strictObject(part)).max(1000),
  envelope: digest.exactOptional(),
  aggregators: z.array(address).max(1000).exactOptional(),
  aggregator: z.int().min(0).max(999).exactOptional(),
  aggregatorEnclave: EnclaveFile.exactOptional(),
  formerAggregatorEnclaves: keys.exactOptional(),
  aggregatorRestarts: z.int().min(0).exactOptional(),
  survivors: z.array(name).max(1000).exactOptional(),
  evidence: digest.exactOptional(),
  sealedResult: digest.exactOptional(),
  cancelRequested: z.boolean().exactOptional(),
  verifiedEpoch: z.int().min(0).exactOptional(),
  readyAt: time.exactOptional(),
  creditUsed: amount.exactOptional(),
  dividend: z.strictObject({ epoch: z.int().min(0), share: amount }).exactOptional(),
  batch: amount.exactOptional(),
  transaction: z.strictObject({ hash: z.string().regex(/^0x[0-9a-f]{64}$/), version: amount }).exactOptional(),
} satisfies Fields<TaskRecord>;

const TaskRecordFile = z.strictObject(record);

/** `valueHex`: the leaf's value. Throws ZodError, RangeError or SyntaxError on anything that is no record of a task. */
export const decodeTaskRecord = (valueHex: string): TaskRecord => TaskRecordFile.parse(decodeCanonical(fromHex(valueHex)));
