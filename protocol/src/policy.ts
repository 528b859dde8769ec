/**
 * Policy versions (rule G1): every configurable number. One version is in force an epoch; a task is judged under the one
 * at its admission for good. Amounts in base units of SYM, times in milliseconds of log time.
 */
import { z } from 'zod';
import { Economy } from './economy.ts';

const sym = z
  .bigint()
  .min(0n)
  .max(2n ** 63n);
const basisPoints = z.int().min(0).max(10_000);
const windowMs = z
  .int()
  .min(100)
  .max(90 * 86_400_000);

export const FeeShares = z
  .strictObject({ operators: basisPoints, executors: basisPoints, verifiers: basisPoints, dividends: basisPoints, treasury: basisPoints })
  .refine((s) => s.operators + s.executors + s.verifiers + s.dividends + s.treasury === 10_000, 'shares must sum to 10000 basis points');
export type FeeShares = z.infer<typeof FeeShares>;

/** A master may lag or lead the others by `clockBoundMs`; a window this many times as long can't be eaten up by that (T5). */
const boundsInWindow = 20;

const Windows = z
  .strictObject({
    /** How long Vaults have to answer, enclaves to become ready and slices to release, before M4's deadline rule. */
    answerMs: windowMs,
    executionMs: windowMs,
    /** Verification by the masters. */
    verificationMs: windowMs,
    challengeMs: windowMs,
    /** How far a first proposal's time may be from a voter's clock (T5); every window is at least 20 bounds. */
    clockBoundMs: z.int().min(1),
    maxTaskMs: windowMs,
    aggregatorReplaceMs: windowMs,
  })
  .superRefine(({ clockBoundMs, ...windows }, context) => {
    for (const [name, length] of Object.entries(windows)) {
      if (length >= boundsInWindow * clockBoundMs) continue;
      const message = `must be at least ${boundsInWindow} times the clock bound (${boundsInWindow * clockBoundMs} ms), so that no clock within the bound can eat it up (T5)`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  });

export const Policy = z.strictObject({
  version: z.int().min(1),
  /** Enterprises whose Vaults must report a local attribute before it can become canonical (S3). */
  semantics: z.strictObject({ promotionEnterprises: z.int().min(2).max(1000) }).exactOptional(),
  fees: z.strictObject({
    /** K1: query = base + per Vault + per record band + per epsilon. */
    query: z.strictObject({
      base: sym,
      perVault: sym,
      /** One price a public size band; index = band. */
      perSizeBand: z.array(sym).min(1).max(32),
      /** For one whole epsilon. */
      perEpsilon: sym,
    }),
    shares: FeeShares,
  }),
  privacy: z.strictObject({
    /** The least minimum_result_cardinality a task may use (S5). */
    minimumResultCardinality: z.int().min(1),
    maxEpsilonPerTask: z.bigint().min(1n),
    /** Micro-rho a subject may lose per usage until replenishment, over all Vaults together (B1). */
    subjectLimitMicroRho: z.record(z.enum(['personal', 'marketing', 'analytics', 'training']), z.bigint().min(0n)),
    /** Limits stand in micro-rho; people are told them as (epsilon, delta) at delta = 10^-this (B7). Not told if absent. */
    deltaExponent: z.int().min(3).max(18).exactOptional(),
    /** What was spent counts from nothing again at the end of every so many epochs (B2); never by itself if absent. */
    replenishEpochs: z.int().min(1).max(100_000).optional(),
    /** Basis points of a Vault's odometer that one actor may use an epoch (B4). */
    actorShareBasisPoints: basisPoints,
  }),
  windows: Windows,
  settlement: z.strictObject({
    /** A batch is cut at this many tasks, or this long after its first. */
    maxTasks: z.int().min(1).max(10_000),
    maxDelayMs: windowMs,
    /** Admission of paid tasks stops while the escrow reading is older (K2). */
    maxEscrowAgeMs: windowMs,
  }),
  epoch: z.strictObject({ lengthMs: windowMs }),
  /** Without it, `DEFAULT_ECONOMY` holds. */
  economy: Economy.optional(),
  enclave: z.strictObject({
    /** Allowed launch measurements, hex of 48 bytes. */
    measurements: z
      .array(z.string().regex(/^[0-9a-f]{96}$/))
      .min(1)
      .max(32),
    /** TCB_VERSION as in the report (little endian); each of its eight components must be reached. */
    minimumTcb: z
      .bigint()
      .min(0n)
      .max(2n ** 64n - 1n),
    /** HOST_DATA values (agent policy and image digests, A2), hex of 32 bytes. Hardware needs a listed one; without a list the simulated enclave's is zero. */
    hostData: z
      .array(z.string().regex(/^[0-9a-f]{64}$/))
      .min(1)
      .max(32)
      .optional(),
  }),
});
export type Policy = z.infer<typeof Policy>;
export const usages = ['personal', 'marketing', 'analytics', 'training'] as const;
export type Usage = (typeof usages)[number];
export const taskClasses = ['parse', 'query', 'compute', 'train'] as const;
export type TaskClass = (typeof taskClasses)[number];
