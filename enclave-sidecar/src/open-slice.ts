/** Opening a slice at its Vault (rules A2, B6, C5): what arrives counts only if it opens the Vault's own commitments and fits the certified plan. */
import {
  consentCommitment,
  decodeSliceInput,
  encodePlan,
  envelopeAad,
  equalBytes,
  filesBytes,
  MAX_SLICE_BYTES,
  outputCommitment,
  snapshotBytes,
  snapshotCommitment,
  statementFits,
  type Plan,
  type SliceInput,
  type SnapshotInput,
} from '@scs/protocol';
import { fileClass } from '@scs/protocol/size-class.ts';
import { openContext, type GrpcClient, type OpenContext, type SealedChunk, type VaultNode } from '@scs/proto';
import { EnclaveFault } from './fault.ts';
import type { WarmSnapshot } from './warm-snapshot.ts';

/** What a slice asks of its Vault. */
export type VaultPort = Pick<GrpcClient<typeof VaultNode>, 'openSlice' | 'watchSlice' | 'release' | 'close'>;

export type OpenedSlice =
  /** `snapshot` is the path of a file, `warm`'s. */
  | { readonly kind: 'snapshot'; readonly input: SnapshotInput; readonly snapshot: string; readonly eligible: Uint8Array }
  | { readonly kind: 'stored'; readonly input: Extract<SliceInput, { kind: 'stored' }> };

/** The slice that the certified record speaks of. */
export interface ExpectedSlice {
  readonly task: string;
  readonly vault: string;
  readonly envelope: string;
  readonly plan: Plan;
  readonly genesisDigest: string;
}

const faulty = (vault: string, problem: string): EnclaveFault => new EnclaveFault('VaultFaulty', `Vault ${vault} sent ${problem}.`);

/** Fills one buffer of the announced size; after it only its padding may come, of zeros (`fileClass`). */
class Filling {
  readonly bytes: Uint8Array;
  readonly #padded: number;
  #at = 0;
  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#padded = length === 0 ? 0 : fileClass(length);
  }
  /** False when it does not fit. */
  add(part: Uint8Array): boolean {
    const room = Math.max(0, this.bytes.length - this.#at);
    if (this.#at + part.length > this.#padded || part.subarray(room).some((byte) => byte !== 0)) return false;
    if (room > 0) this.bytes.set(part.subarray(0, room), this.#at);
    this.#at += part.length;
    return true;
  }
  get full(): boolean {
    return this.#at === this.#padded;
  }
}

interface Received {
  readonly input: SliceInput;
  readonly files: Uint8Array;
}

const receive = async (chunks: AsyncIterable<SealedChunk>, privateKey: string, { vault, envelope }: ExpectedSlice): Promise<Received> => {
  const aad = envelopeAad(envelope);
  let context: OpenContext | undefined;
  let input: SliceInput | undefined;
  let filling: Filling | undefined;
  for await (const chunk of chunks) {
    context ??= await openContext(privateKey, 'slice-input', chunk.enc);
    const plain = await context.open(chunk.ciphertext, aad);
    if (!input) {
      input = decodeSliceInput(plain);
      const length = filesBytes(input);
      if (length > MAX_SLICE_BYTES) throw faulty(vault, 'more than a slice may hold');
      filling = new Filling(length);
    } else if (!filling?.add(plain)) throw faulty(vault, 'more bytes than it announced');
  }
  if (!input || !filling?.full) throw faulty(vault, 'fewer bytes than it announced');
  return { input, files: filling.bytes };
};

const snapshotProblem = (input: SnapshotInput, snapshot: Uint8Array, { plan }: ExpectedSlice): string | undefined => {
  if (!equalBytes(encodePlan(input.plan), encodePlan(plan))) return 'another plan than the certified one';
  if (snapshotCommitment(input.snapshot.nonce, snapshot) !== input.snapshot.commitment)
    return 'a snapshot that does not open its commitment';
  return consentCommitment(input.consent.nonce, input.consent.receipt) === input.consent.commitment
    ? undefined
    : 'a consent receipt that does not open its commitment';
};
const storedProblem = (
  { output, evidence: { evidence, signature } }: Extract<SliceInput, { kind: 'stored' }>,
  { vault, envelope, genesisDigest }: ExpectedSlice,
): string | undefined => {
  if (evidence.vault !== vault || evidence.envelope !== envelope) return 'stored evidence of another slice';
  if (!statementFits(evidence.signKey, 'slice.evidence', genesisDigest, evidence, signature))
    return 'stored evidence with a wrong signature';
  return outputCommitment(output) === evidence.outputCommitment ? undefined : 'a stored output that does not open its commitment';
};

/** Keeps the snapshot in `warm`, and asks for none that is kept there. Throws EnclaveFault VaultFaulty when what came does not hold, SealError or a decoder's error when it can't be read, a gRPC error when nothing came. */
export const openSlice = async (
  vault: VaultPort,
  keys: { readonly sealKey: string; sealPrivateKey(): string },
  expected: ExpectedSlice,
  warm: WarmSnapshot,
  signal: AbortSignal,
): Promise<OpenedSlice> => {
  const held = await warm.held();
  const chunks = vault.openSlice({ task: expected.task, sealKey: keys.sealKey, held }, { signal });
  const { input, files } = await receive(chunks, keys.sealPrivateKey(), expected);
  if (input.envelope !== expected.envelope || input.vault !== expected.vault) throw faulty(expected.vault, 'a slice of another task');
  if (input.kind === 'stored') {
    const problem = storedProblem(input, expected);
    if (problem) throw faulty(expected.vault, problem);
    return { kind: 'stored', input };
  }
  const { commitment } = input.snapshot;
  if (input.snapshot.held && commitment !== held) throw faulty(expected.vault, 'no snapshot, and this slice holds none');
  const sent = snapshotBytes(input);
  const snapshot = input.snapshot.held ? await warm.read(commitment) : files.subarray(0, sent);
  const problem = snapshotProblem(input, snapshot, expected);
  if (problem) {
    await warm.drop();
    throw faulty(expected.vault, problem);
  }
  if (!input.snapshot.held) await warm.keep(commitment, snapshot);
  return { kind: 'snapshot', input, snapshot: warm.path(commitment), eligible: files.subarray(sent) };
};
