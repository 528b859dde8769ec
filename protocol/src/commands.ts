/**
 * Commands: the only inputs of the rules. Whatever comes from outside (an answer, evidence, a ledger version, the time) is in
 * the command itself (X4), so that every master judges the same bytes. Decoding is strict and bounded.
 */
import { z } from 'zod';
import { Attestation, enclaveRoles } from './attestation.ts';
import { decodeCanonicalAs, encodeCanonical } from './encoding/canonical.ts';
import { CatalogueChange } from './catalogue-change.ts';
import { ReleaseReceipt, SignedAggregateEvidence, SignedSliceEvidence } from './evidence.ts';
import { taskClasses, usages } from './policy.ts';
import { OwnAttribute } from './resources/own-attribute.ts';
import { Seat } from './seat.ts';
import { TaskSpec } from './resources/task.ts';

const uid = z.string().regex(/^[0-9a-f-]{1,64}$/);
const kubeName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
  .max(253);
/** `namespace/name` of a Vault. */
const vault = z.string().regex(/^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,63}$/);
const address = z.string().regex(/^0x[0-9a-f]{64}$/);
const key = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().regex(/^[0-9a-f]{128}$/);

/** Words of another party that end up on a person's terminal: printable, on one line. */
const sentence = z
  .string()
  .max(500)
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]*$/u);

/** Share of a domain's records that have a value of a local attribute (S3). */
export const coverageBands = ['few', 'some', 'most'] as const;
export const LocalAttribute = z.strictObject({
  domain: z.string().max(100),
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_. -]{0,63}$/),
  type: z.enum(['string', 'integer', 'date']),
  coverage: z.enum(coverageBands),
});
export type LocalAttribute = z.infer<typeof LocalAttribute>;

/** What an enterprise's agent registers for a Vault; signed by the enterprise's actor key. */
export const VaultOffer = z.strictObject({
  vault,
  uid,
  enterprise: address,
  publicKey: key,
  noiseKeyCommitment: key,
  domains: z
    .array(
      z.strictObject({
        name: z.string().max(100),
        usages: z.array(z.enum(usages)).min(1).max(usages.length),
        classes: z.array(z.enum(taskClasses)).min(1).max(taskClasses.length),
      }),
    )
    .min(1)
    .max(32),
  actors: z.array(address).max(1000),
  sizeBand: z.int().min(0).max(31),
  /** Rises with each new registration of the same Vault: an old offer can't be replayed. */
  revision: z.int().min(0),
  journal: z.strictObject({ sequence: z.bigint().min(0n), head: key }),
  /** S3: what gathered in the Vault and is not canonical: never values. */
  localAttributes: z.array(LocalAttribute).max(64).exactOptional(),
  /** C5: where it is narrower than the policy. */
  limits: z
    .array(
      z.strictObject({
        usage: z.enum(usages),
        microRho: z.bigint().min(0n).exactOptional(),
        replenishEvery: z.int().min(1).max(100_000).exactOptional(),
      }),
    )
    .min(1)
    .max(usages.length)
    .exactOptional(),
  /** S3: query attributes of this Vault's own. */
  attributes: z.array(OwnAttribute).min(1).max(32).exactOptional(),
});
/**
 * `journal` (here and in ReleaseReceipt) is the journal's head when the statement was signed. Masters refuse one behind the last
 * decided (fault JournalBehind): sign the same statement again with the present head. Statements are compared without it.
 */
export const VaultAnswer = z.strictObject({
  task: uid,
  vault,
  answer: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('reserved'),
      microRho: z.bigint().min(1n),
      snapshotCommitment: key,
      consentCommitment: key,
      journal: z.strictObject({ sequence: z.bigint().min(0n), head: key }),
    }),
    z.strictObject({ kind: z.literal('refused'), code: z.string().regex(/^[A-Z][A-Za-z]{2,40}$/), message: sentence }),
  ]),
});
export const EnclaveReady = z.strictObject({
  task: uid,
  role: z.enum(enclaveRoles),
  /** Vault of a slice; the enterprise's address for an aggregator. */
  subject: z.string().max(128),
  signKey: key,
  sealKey: key,
  attestation: Attestation,
});
/** What a master says of its new trusted counter (N8); signed by its durable key. */
export const CounterStatement = z.strictObject({
  master: z.int().min(0).max(2),
  key,
  /** One more than the last admission of this master: an old statement can't be replayed. */
  sequence: z.int().min(1),
  /** The certified head that the attestation binds. */
  height: z.bigint().min(0n),
  block: key,
  attestation: Attestation,
});
const counter = z.bigint().min(0n);
/** The chain's side of the economy at the reading's point: what is left out of `bonds` is as it was. */
export const EconomyReading = z.strictObject({
  minted: counter,
  /** In the dividend pot and under no root (K6). */
  unpromised: counter,
  /** Of each kind of leaf, the last that has landed with all before it. */
  landed: z.strictObject({ 'node-rewards': counter, dividends: counter, slash: counter, governance: counter }),
  bonds: z
    .array(
      z.discriminatedUnion('role', [
        z.strictObject({ role: z.literal('master'), holder: key, bonded: counter }),
        z.strictObject({ role: z.literal('enterprise'), holder: address, bonded: counter }),
      ]),
    )
    .max(10_003),
});
export type EconomyReading = z.infer<typeof EconomyReading>;
/** What masters approve of the catalogue (G5): change after change, each of the version before it. */
export const CatalogueStatement = z.strictObject({
  number: z.int().min(1),
  /** Semantic version that the approvers saw: the one in force, or staged by the change before. */
  base: key,
  changes: z.array(CatalogueChange).min(1).max(200),
});
export type CatalogueStatement = z.infer<typeof CatalogueStatement>;
/** What masters approve: their words for this group (its genesis is signed, too), this usage and the end of this epoch alone. */
export const ReplenishStatement = z.strictObject({ usage: z.enum(usages), epoch: z.int().min(0) });
/** Newest version of the protocol that the master's build carries (X4); signed by its durable key. */
export const VersionAnnouncement = z.strictObject({
  master: z.int().min(0).max(2),
  newest: z.int().min(1),
  /** Rises with each: an old announcement can't be replayed. */
  sequence: z.int().min(1),
});
export type VersionAnnouncement = z.infer<typeof VersionAnnouncement>;
/** What masters approve (G5): the version after the active one. */
export const VersionActivation = z.strictObject({ version: z.int().min(2) });
/** What a Vault promises its subjects for a closed epoch (K6): the root over their leaves. Signed by the Vault's key. */
export const VaultDividends = z.strictObject({ vault, epoch: z.int().min(0), root: key });
export type VaultDividends = z.infer<typeof VaultDividends>;
/** What proves an offence without anybody's judgement (G3): see rules/offences.ts. */
export const OffenceProof = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('release'), receipt: ReleaseReceipt, signature }),
  z.strictObject({ kind: z.literal('aggregate'), task: uid, aggregate: SignedAggregateEvidence }),
]);
export type OffenceProof = z.infer<typeof OffenceProof>;
export const EscrowReading = z.strictObject({ account: address, balance: z.bigint().min(0n), withdrawing: z.bigint().min(0n) });

export const Command = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('vault.register'), offer: VaultOffer, signature }),
  /** `user` is the Kubernetes user that the admission policy stamped; empty if none. */
  z.strictObject({ type: z.literal('task.admit'), uid, namespace: kubeName, name: kubeName, spec: TaskSpec, user: z.string().max(256) }),
  z.strictObject({ type: z.literal('task.resolve'), uid }),
  z.strictObject({ type: z.literal('task.cancel'), uid }),
  z.strictObject({ type: z.literal('vault.answer'), statement: VaultAnswer, signature }),
  z.strictObject({ type: z.literal('task.dispatch'), uid }),
  z.strictObject({ type: z.literal('enclave.ready'), statement: EnclaveReady, signature }),
  z.strictObject({ type: z.literal('slice.release'), receipt: ReleaseReceipt, signature }),
  z.strictObject({ type: z.literal('aggregator.replace'), uid, failed: address }),
  z.strictObject({
    type: z.literal('aggregate.evidence'),
    task: uid,
    aggregate: SignedAggregateEvidence,
    slices: z.array(SignedSliceEvidence).min(1).max(1000),
  }),
  z.strictObject({ type: z.literal('vault.dividends'), statement: VaultDividends, signature }),
  z.strictObject({ type: z.literal('offence.report'), proof: OffenceProof }),
  z.strictObject({ type: z.literal('counter.admit'), statement: CounterStatement, signature }),
  /** Two masters' approval, by their durable keys (B2, G5). */
  z.strictObject({
    type: z.literal('budget.replenish'),
    statement: ReplenishStatement,
    approvals: z
      .array(z.strictObject({ master: z.int().min(0).max(2), signature }))
      .min(2)
      .max(3),
  }),
  z.strictObject({
    type: z.literal('catalogue.change'),
    statement: CatalogueStatement,
    approvals: z
      .array(z.strictObject({ master: z.int().min(0).max(2), signature }))
      .min(2)
      .max(3),
  }),
  z.strictObject({ type: z.literal('version.announce'), statement: VersionAnnouncement, signature }),
  z.strictObject({
    type: z.literal('version.activate'),
    statement: VersionActivation,
    approvals: z
      .array(z.strictObject({ master: z.int().min(0).max(2), signature }))
      .min(2)
      .max(3),
  }),
  /** Another key for one of the three masters, from the end of the epoch on (G5, P5). */
  z.strictObject({
    type: z.literal('master.replace'),
    statement: Seat,
    approvals: z
      .array(z.strictObject({ master: z.int().min(0).max(2), signature }))
      .min(2)
      .max(3),
  }),
  /** Deadlines, windows and epochs that the block's time has passed. */
  z.strictObject({ type: z.literal('tick') }),
  z.strictObject({ type: z.literal('settlement.batch'), number: z.bigint().min(0n) }),
  z.strictObject({
    type: z.literal('chain.observed'),
    ledgerVersion: z.bigint().min(0n),
    /** Chain time of that version, milliseconds. */
    time: z.int().min(0),
    escrows: z.array(EscrowReading).max(10_000),
    settled: z
      .array(
        z.strictObject({
          batch: z.bigint().min(0n),
          tasksRoot: key,
          transaction: z.string().regex(/^0x[0-9a-f]{64}$/),
          version: z.bigint().min(0n),
        }),
      )
      .max(100),
    economy: EconomyReading.optional(),
  }),
]);
export type Command = z.infer<typeof Command>;
export type ReplenishStatement = z.infer<typeof ReplenishStatement>;
export type CommandType = Command['type'];
export type VaultOffer = z.infer<typeof VaultOffer>;
export type VaultAnswer = z.infer<typeof VaultAnswer>;
export type CounterStatement = z.infer<typeof CounterStatement>;
export type EnclaveReady = z.infer<typeof EnclaveReady>;

/** Largest command in bytes; a larger one is refused before it is parsed. */
export const MAX_COMMAND_BYTES = 512 * 1024;

export const encodeCommand = (command: Command): Uint8Array => encodeCanonical(command);
/** Throws RangeError, SyntaxError or ZodError. */
export const decodeCommand = (bytes: Uint8Array): Command => {
  if (bytes.length > MAX_COMMAND_BYTES) throw new RangeError(`command of ${bytes.length} bytes exceeds ${MAX_COMMAND_BYTES}`);
  return decodeCanonicalAs((value) => Command.parse(value), bytes);
};
