/** Keys, attestations and signed statements of one fake sidecar: what an enclave sidecar says to the masters, without what it computes. */
import { randomBytes } from 'node:crypto';
import {
  blobDigest,
  decodeSlicePayload,
  encodeSlicePayload,
  encodeTaskResult,
  envelopeAad,
  outputCommitment,
  publicKeyOf,
  signStatement,
  sliceEvidenceDigest,
  sliceOutputAad,
  type Attestation,
  type Command,
  type EnclaveReady,
  type Plan,
  type SignedSliceEvidence,
  type SliceOutput,
  type SlicePayload,
  type TaskRecord,
} from '@scs/protocol';
import { noiseCells } from '@scs/protocol/noise.ts';
import { identityOf } from '@scs/protocol/rules/enclave-ready.ts';
import { attest } from '@scs/protocol/simulated-enclave.ts';
import { chipOf, MEASUREMENT } from '@scs/protocol/testing/genesis.ts';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { generateSealKey, open, packSealed, seal, unpackSealed, type SealKeyPair } from '@scs/proto';
import { combine } from '../../../enclave-sidecar/src/combine.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

/** Cells as an executor would find them; large enough that none is suppressed. */
const exactCells = (plan: Plan): readonly bigint[] => plan.group.cells.map((_, i) => BigInt(1_000 + 100 * i));

export class FakeEnclave {
  readonly #genesis: string;
  readonly #seed: string;
  readonly #seal: SealKeyPair;
  readonly #attestation: Attestation;
  readonly task: string;
  readonly role: 'slice' | 'aggregator';
  readonly subject: string;
  readonly signKey: string;

  private constructor(
    genesis: string,
    task: string,
    role: 'slice' | 'aggregator',
    subject: string,
    seed: string,
    sealKeys: SealKeyPair,
    chip: string,
  ) {
    this.#genesis = genesis;
    this.#seed = seed;
    this.#seal = sealKeys;
    this.task = task;
    this.role = role;
    this.subject = subject;
    this.signKey = publicKeyOf(seed);
    this.#attestation = attest(chipOf(chip), identityOf(this.#keys(), genesis), MEASUREMENT);
  }

  /** `chip`: name of the enterprise whose simulated chip attests. */
  static async start(genesis: string, task: string, role: 'slice' | 'aggregator', subject: string, chip: string): Promise<FakeEnclave> {
    return new FakeEnclave(genesis, task, role, subject, randomBytes(32).toString('hex'), await generateSealKey(), chip);
  }

  get sealKey(): string {
    return this.#seal.publicKey;
  }
  #keys() {
    return { task: this.task, role: this.role, subject: this.subject, signKey: this.signKey, sealKey: this.sealKey };
  }

  ready(): CommandOf<'enclave.ready'> {
    const statement: EnclaveReady = { ...this.#keys(), attestation: this.#attestation };
    return { type: 'enclave.ready', statement, signature: signStatement(this.#seed, 'enclave.ready', this.#genesis, statement) };
  }

  /** A noised output with its evidence, as the plan asks. */
  output(record: TaskRecord): SlicePayload {
    const part = record.parts.find(({ vault }) => vault === this.subject)!;
    const plan = record.plan!;
    const cells = noiseCells(randomBytes(32), exactCells(plan), plan.cellsPerSubject, plan.epsilon);
    const output: SliceOutput = { cells, nonce: randomBytes(32).toString('hex') };
    const evidence = {
      envelope: record.envelope!,
      vault: this.subject,
      round: 0,
      attestation: this.#attestation,
      signKey: this.signKey,
      sealKey: this.sealKey,
      program: digestOf('program'),
      snapshotCommitment: part.snapshotCommitment!,
      consentCommitment: part.consentCommitment!,
      outputCommitment: outputCommitment(output),
    };
    return { output, evidence: { evidence, signature: signStatement(this.#seed, 'slice.evidence', this.#genesis, evidence) } };
  }

  /** Opens what slices sealed to this aggregator, sums it, and seals the result to the submitter. */
  async combine(
    record: TaskRecord,
    blobs: readonly { readonly vault: string; readonly blob: Uint8Array }[],
  ): Promise<{ readonly blob: Uint8Array; readonly slices: readonly SignedSliceEvidence[] }> {
    const envelope = record.envelope!;
    const payloads = await Promise.all(
      blobs.map(async ({ vault, blob }) =>
        decodeSlicePayload(await open(this.#seal.privateKey, 'slice-output', unpackSealed(blob), sliceOutputAad(envelope, vault))),
      ),
    );
    const result = combine(
      envelope,
      record.plan!,
      payloads.map(({ output }) => output),
    );
    const sealed = await seal(record.spec.resultKey, 'task-result', encodeTaskResult(result), envelopeAad(envelope));
    return { blob: packSealed(sealed), slices: payloads.map(({ evidence }) => evidence) };
  }

  evidence(record: TaskRecord, blob: Uint8Array, slices: readonly SignedSliceEvidence[]): CommandOf<'aggregate.evidence'> {
    const evidence = {
      envelope: record.envelope!,
      attestation: this.#attestation,
      signKey: this.signKey,
      sealKey: this.sealKey,
      enterprise: this.subject,
      inputs: survivors(record).map(({ vault, release }) => ({ vault, outputCommitment: release!.outputCommitment })),
      sealedResult: blobDigest(blob),
    };
    const signature = signStatement(this.#seed, 'aggregate.evidence', this.#genesis, evidence);
    return { type: 'aggregate.evidence', task: this.task, aggregate: { evidence, signature }, slices: [...slices] };
  }
}

export const survivors = (record: TaskRecord) => record.parts.filter(({ vault }) => record.survivors?.includes(vault));
export const sealPayload = async (payload: SlicePayload, aggregatorSealKey: string): Promise<Uint8Array> => {
  const { envelope, vault } = payload.evidence.evidence;
  return packSealed(await seal(aggregatorSealKey, 'slice-output', encodeSlicePayload(payload), sliceOutputAad(envelope, vault)));
};
export const receiptOf = (record: TaskRecord, { evidence }: SlicePayload, sequence: bigint, head: string) => ({
  envelope: record.envelope!,
  task: record.uid,
  vault: evidence.evidence.vault,
  evidence: sliceEvidenceDigest(evidence),
  outputCommitment: evidence.evidence.outputCommitment,
  committedMicroRho: record.plan!.microRho,
  journal: { sequence, head },
});
