/** For tests: the slice's side, as its sidecar plays it; real keys, a real simulated attestation, cells as given. */
import {
  attest,
  audienceCommitment,
  decodeSliceInput,
  encodeCanonical,
  encodeSliceRelease,
  envelopeAad,
  filesBytes,
  identityOf,
  noiseCells,
  outputCommitment,
  outputNonce,
  publicKeyOf,
  signStatement,
  type Command,
  type KeptAudience,
  type SignedSliceEvidence,
  type SliceInput,
  type SliceOutput,
  type SnapshotInput,
  fromHex,
} from '@scs/protocol';
import { chipOf, MEASUREMENT } from '@scs/protocol/testing/genesis.ts';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { generateSealKey, openContext, seal, type OpenContext, type SealKeyPair } from '@scs/proto';
import type { SealedPart } from '../open-slice.ts';
import type { ReleaseAsked } from '../release.ts';
import { OURS } from './a-group.ts';

export interface ReceivedSlice {
  readonly input: SliceInput;
  /** Snapshot and eligible subjects, one after the other. */
  readonly files: Uint8Array;
}
export class SliceEnclave {
  readonly #signSeed: string;
  readonly #seal: SealKeyPair;
  readonly #genesisDigest: string;
  readonly #measurement: string;
  private constructor(signSeed: string, keys: SealKeyPair, genesisDigest: string, measurement: string) {
    this.#signSeed = signSeed;
    this.#seal = keys;
    this.#genesisDigest = genesisDigest;
    this.#measurement = measurement;
  }
  static async start(genesisDigest: string, name = 'first', measurement = MEASUREMENT): Promise<SliceEnclave> {
    return new SliceEnclave(digestOf(`slice enclave ${name}`), await generateSealKey(), genesisDigest, measurement);
  }
  get sealKey(): string {
    return this.#seal.publicKey;
  }

  ready(task: string): Extract<Command, { type: 'enclave.ready' }> {
    const keys = { task, role: 'slice' as const, subject: OURS, signKey: publicKeyOf(this.#signSeed), sealKey: this.sealKey };
    const attestation = attest(chipOf('alder'), identityOf(keys, this.#genesisDigest), this.#measurement);
    const statement = { ...keys, attestation };
    return { type: 'enclave.ready', statement, signature: signStatement(this.#signSeed, 'enclave.ready', this.#genesisDigest, statement) };
  }

  async receive(parts: AsyncIterable<SealedPart> | Iterable<SealedPart>, envelope: string): Promise<ReceivedSlice> {
    let context: OpenContext | undefined;
    const plain: Uint8Array[] = [];
    let ended = false;
    for await (const { enc, ciphertext, last } of parts) {
      if (ended) throw new Error('a chunk after the last');
      ended = last;
      context ??= await openContext(this.#seal.privateKey, 'slice-input', enc);
      plain.push(await context.open(ciphertext, envelopeAad(envelope)));
    }
    if (!ended) throw new Error('the stream was cut');
    const input = decodeSliceInput(plain[0]!);
    return { input, files: Uint8Array.from(Buffer.concat(plain.slice(1)).subarray(0, filesBytes(input))) };
  }

  /** Noises `cells` with the Vault's seed and signs the evidence. */
  async compute(
    task: string,
    input: SnapshotInput,
    cells: readonly bigint[],
    audience?: KeptAudience,
  ): Promise<ReleaseAsked & { readonly output: SliceOutput }> {
    const { plan, noiseSeed } = input;
    const output = { cells: noiseCells(fromHex(noiseSeed), cells, plan.cellsPerSubject, plan.epsilon), nonce: outputNonce(noiseSeed) };
    const { attestation, signKey, sealKey } = this.ready(task).statement;
    const evidence = {
      envelope: input.envelope,
      vault: input.vault,
      round: 0,
      attestation,
      signKey,
      sealKey,
      program: digestOf('program'),
      snapshotCommitment: input.snapshot.commitment,
      consentCommitment: input.consent.commitment,
      outputCommitment: outputCommitment(output),
      ...(audience && { audienceCommitment: audienceCommitment(audience) }),
    };
    const signed: SignedSliceEvidence = {
      evidence,
      signature: signStatement(this.#signSeed, 'slice.evidence', this.#genesisDigest, evidence),
    };
    const sealed = await seal(
      input.vaultSealKey,
      'slice-release',
      encodeSliceRelease({ ...output, ...(audience && { audience }) }),
      envelopeAad(input.envelope),
    );
    return { task, evidence: encodeCanonical(signed), sealedOutput: sealed.ciphertext, enc: sealed.enc, output };
  }
}
