/** One Vault's gRPC service: seals a made-up snapshot, checks and stores what a slice releases, has the masters decide it. For tests. */
import { create } from '@bufbuild/protobuf';
import { Server, status, type handleServerStreamingCall, type handleUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import {
  consentCommitment,
  decodeCanonical,
  audienceCommitment,
  decodeSliceRelease,
  encodeSliceInput,
  envelopeAad,
  outputCommitment,
  SignedSliceEvidence,
  signStatement,
  sliceEvidenceDigest,
  snapshotCommitment,
  statementFits,
  utf8,
  type SliceInput,
  type SliceOutput,
  type SnapshotInput,
} from '@scs/protocol';
import { fileClass } from '@scs/protocol/size-class.ts';
import { digestOf, vaultKey } from '@scs/protocol/testing/keys.ts';
import {
  generateSealKey,
  open,
  ReleaseReplySchema,
  SealedChunkSchema,
  SliceChangeSchema,
  sealContext,
  serviceDefinition,
  VaultNode,
  type OpenSliceRequest,
  type ReleaseReply,
  type ReleaseRequest,
  type SealedChunk,
  type SliceChange,
  type SealKeyPair,
} from '@scs/proto';
import type { TlsFiles } from '@scs/proto/tls.ts';
import { bind, type MastersServer } from './masters-server.ts';

const CHUNK = 700;

export class VaultServer {
  readonly vault: string;
  readonly masters: MastersServer;
  /** Content of the snapshot: another text is another snapshot, with other noise. */
  snapshot = 'first snapshot';
  /** Real files instead of made-up text. */
  files: { readonly snapshot: Uint8Array; readonly eligible: Uint8Array } | undefined;
  /** Replies of the next releases, instead of storing anything. */
  readonly replies: { code: string; message?: string }[] = [];
  /** Calls of OpenSlice to be answered with UNAVAILABLE first. */
  unavailable = 0;
  /** "Code: sentence" that every OpenSlice is refused with. */
  refusal: string | undefined;
  /** Changes what is sent. */
  alter: (input: SliceInput) => SliceInput = (input) => input;
  /** Says "released" although the masters were not told. */
  silent = false;
  /** Hex; of the last release. */
  audience: string | undefined;
  stored: { readonly output: SliceOutput; readonly evidence: SignedSliceEvidence } | undefined;
  readonly opened: string[] = [];
  /** Of each opening answered: whether the snapshot went with it. */
  readonly sent: boolean[] = [];
  #seal: SealKeyPair | undefined;
  readonly #server = new Server();

  constructor(vault: string, masters: MastersServer) {
    this.vault = vault;
    this.masters = masters;
  }

  get noiseSeed(): string {
    return digestOf(`noise ${this.vault} ${this.snapshot}`);
  }
  file(of: 'snapshot' | 'eligible'): Uint8Array {
    if (this.files) return this.files[of];
    return utf8(`${of} of ${this.vault}: ${this.snapshot} `.repeat(50));
  }

  async #input(task: string, held = ''): Promise<SliceInput> {
    const record = this.masters.world.task(task);
    const envelope = record.envelope!;
    if (this.stored) return { kind: 'stored', envelope, vault: this.vault, ...this.stored };
    this.#seal ??= await generateSealKey();
    const [nonce, receipt] = [digestOf(`nonce ${this.snapshot}`), 'abcd'];
    const snapshot = this.file('snapshot');
    const commitment = snapshotCommitment(nonce, snapshot);
    return {
      kind: 'snapshot',
      envelope,
      vault: this.vault,
      plan: record.plan!,
      noiseSeed: this.noiseSeed,
      snapshot: { commitment, nonce, bytes: snapshot.length, ...(held === commitment && { held: true }) },
      consent: { commitment: consentCommitment(nonce, receipt), nonce, receipt },
      eligibleBytes: this.file('eligible').length,
      vaultSealKey: this.#seal.publicKey,
    };
  }

  async #send(request: OpenSliceRequest, send: (chunk: SealedChunk) => void): Promise<void> {
    const part = this.masters.world.task(request.task).parts.find(({ vault }) => vault === this.vault);
    if (part?.enclave?.sealKey !== request.sealKey) throw new Error('not the decided enclave');
    const input = await this.#input(request.task, request.held);
    const snapshot = input.kind === 'snapshot' && !input.snapshot.held ? [this.file('snapshot')] : [];
    this.sent.push(snapshot.length > 0);
    const aad = envelopeAad(input.envelope);
    const context = await sealContext(request.sealKey, 'slice-input');
    const whole = input.kind === 'snapshot' ? Buffer.concat([...snapshot, this.file('eligible')]) : Buffer.alloc(0);
    const files = Buffer.concat([whole, Buffer.alloc(whole.length === 0 ? 0 : fileClass(whole.length) - whole.length)]);
    const plain = [encodeSliceInput(this.alter(input))];
    for (let at = 0; at < files.length; at += CHUNK) plain.push(files.subarray(at, at + CHUNK));
    for (const [i, bytes] of plain.entries())
      send(create(SealedChunkSchema, { enc: context.enc, ciphertext: await context.seal(bytes, aad), last: i === plain.length - 1 }));
  }

  readonly #openSlice: handleServerStreamingCall<OpenSliceRequest, SealedChunk> = (call) => {
    this.opened.push(call.request.sealKey);
    if (this.unavailable-- > 0) {
      call.emit('error', { code: status.UNAVAILABLE, details: 'starting' });
      return;
    }
    if (this.refusal !== undefined) {
      call.emit('error', { code: status.FAILED_PRECONDITION, details: this.refusal });
      return;
    }
    const answer = async (): Promise<void> => {
      try {
        await this.#send(call.request, (chunk) => call.write(chunk));
        call.end();
      } catch {
        call.emit('error', { code: status.FAILED_PRECONDITION, details: 'EnclaveMissing: not yet' });
      }
    };
    void answer();
  };

  readonly #watching = new Set<ServerWritableStream<OpenSliceRequest, SliceChange>>();
  readonly #watchSlice: handleServerStreamingCall<OpenSliceRequest, SliceChange> = (call) => {
    this.#watching.add(call);
    call.on('cancelled', () => this.#watching.delete(call));
  };
  /** How many run slices are watched. */
  get watched(): number {
    return this.#watching.size;
  }
  /** Somebody in each running slice revokes. */
  revoke(): void {
    this.snapshot = 'fresh snapshot';
    for (const call of this.#watching) {
      call.write(create(SliceChangeSchema, { code: 'ConsentChanged' }));
      call.end();
    }
    this.#watching.clear();
  }

  async #accept(request: ReleaseRequest): Promise<{ height?: bigint; code?: string; message?: string }> {
    const record = this.masters.world.task(request.task);
    const sealed = { enc: request.enc, ciphertext: request.sealedOutput };
    const opened = decodeSliceRelease(await open(this.#seal!.privateKey, 'slice-release', sealed, envelopeAad(record.envelope!)));
    const { audience, ...output } = opened;
    const signed = SignedSliceEvidence.parse(decodeCanonical(request.evidence));
    const { evidence, signature } = signed;
    const { genesisDigest } = this.masters.world;
    if (!statementFits(evidence.signKey, 'slice.evidence', genesisDigest, evidence, signature)) return { code: 'EvidenceInvalid' };
    if ((audience && audienceCommitment(audience)) !== evidence.audienceCommitment) return { code: 'EvidenceInvalid' };
    this.audience = audience?.bitmap;
    const input = (await this.#input(request.task)) as SnapshotInput;
    if (evidence.snapshotCommitment !== input.snapshot.commitment || evidence.outputCommitment !== outputCommitment(output))
      return { code: 'EvidenceInvalid' };
    const refusal = this.replies.shift();
    if (refusal) {
      if (refusal.code === 'ConsentChanged') this.snapshot = 'fresh snapshot';
      return refusal;
    }
    this.stored = { output, evidence: signed };
    if (!this.silent) this.release(request.task);
    return { height: this.masters.world.height };
  }

  /** Has the masters decide what is stored. */
  release(task: string): void {
    const { evidence } = this.stored!;
    const record = this.masters.world.task(task);
    const sequence = this.masters.world.sequence(this.vault);
    const receipt = {
      envelope: record.envelope!,
      task,
      vault: this.vault,
      evidence: sliceEvidenceDigest(evidence),
      outputCommitment: evidence.evidence.outputCommitment,
      committedMicroRho: record.plan!.microRho,
      journal: { sequence, head: digestOf(`journal ${this.vault} ${sequence}`) },
    };
    const signature = signStatement(vaultKey(this.vault).seed, 'slice.release', this.masters.world.genesisDigest, receipt);
    const fault = this.masters.decide({ type: 'slice.release', receipt, signature });
    if (fault) throw new Error(`${fault.code}: ${fault.message}`);
  }

  readonly #release: handleUnaryCall<ReleaseRequest, ReleaseReply> = (call, reply) => {
    const answer = async (): Promise<void> => {
      try {
        reply(null, create(ReleaseReplySchema, await this.#accept(call.request)));
      } catch {
        reply({ code: status.INTERNAL, details: 'no' });
      }
    };
    void answer();
  };

  async listen(tls: TlsFiles): Promise<string> {
    this.#server.addService(serviceDefinition(VaultNode), {
      openSlice: this.#openSlice,
      watchSlice: this.#watchSlice,
      release: this.#release,
    });
    return `127.0.0.1:${await bind(this.#server, '127.0.0.1:0', tls, this.masters.world)}`;
  }
  close(): void {
    this.#server.forceShutdown();
  }
}
