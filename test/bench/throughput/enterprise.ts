/**
 * One enterprise's Vault and all its enclave sidecars, played by this process over the real gRPC: what they say to the masters, when
 * the certified record and the pods that the real agent made call for it. Nothing here has a way around the masters' checks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeEnvelope,
  decodeRecord,
  envelopeKey,
  fromHex,
  resultBlobName,
  blobDigest,
  signStatement,
  sliceBlobName,
  type Command,
  type SlicePayload,
  type TaskRecord,
} from '@scs/protocol';
import type { MastersPort } from '@scs/proto';
import { anOffer, answerCommand, registerCommand } from '@scs/protocol/testing/statements.ts';
import { actorKey, digestOf, vaultKey } from '@scs/protocol/testing/keys.ts';
import { FakeEnclave, receiptOf, sealPayload, survivors } from './enclave.ts';
import { Lane } from './lane.ts';

const AT_A_TIME = 64;
const AGAIN_MS = 200;
const MOST_OVERTAKEN = 16;

interface Progress {
  record: TaskRecord;
  /** Which of its pods run here now. */
  readonly pods: Set<'slice' | 'aggregator'>;
  /** What was begun, so that no news starts it twice. */
  readonly begun: Set<string>;
  slice?: FakeEnclave;
  aggregator?: FakeEnclave;
  payload?: SlicePayload;
}

export class Enterprise {
  readonly name: string;
  readonly address: string;
  readonly vault: string;
  readonly #masters: MastersPort;
  readonly #group: { readonly genesisDigest: string };
  readonly #tasks = new Map<string, Progress>();
  /** Pods whose task has not been heard of yet. */
  readonly #early = new Map<string, Set<'slice' | 'aggregator'>>();
  readonly #lane = new Lane(AT_A_TIME);
  /** Aggregators wait for the others' outputs: in the same lane they could keep those from being delivered. */
  readonly #aggregations = new Lane(AT_A_TIME);
  readonly #stopping = new AbortController();
  #sequence = 0n;
  /** Refusals and failures by code. */
  readonly faults = new Map<string, number>();

  constructor(name: string, masters: MastersPort, genesisDigest: string) {
    this.name = name;
    this.address = actorKey(name).address;
    this.vault = `${name}/shoppers`;
    this.#masters = masters;
    this.#group = { genesisDigest };
  }

  /** The Vault's registration, signed by the enterprise. Throws when the masters refuse it. */
  async register(): Promise<void> {
    const reply = await this.#masters.submit(registerCommand(this.#group, anOffer(this.vault)), { timeoutMs: 60_000 });
    if (!reply.ok && reply.code !== 'AlreadyDecided') throw new Error(`${this.vault}: ${reply.code}: ${reply.message}`);
  }

  async follow(): Promise<void> {
    for await (const leaf of this.#masters.watchTasks({ signal: this.#stopping.signal })) {
      const record = decodeRecord('task', leaf.value);
      const { uid } = record;
      const known = this.#tasks.get(uid);
      if (known) known.record = record;
      else this.#tasks.set(uid, { record, pods: this.#early.get(uid) ?? new Set(), begun: new Set() });
      this.#early.delete(uid);
      this.#look(uid);
    }
  }
  stop(): void {
    this.#stopping.abort();
  }

  /** A slice's pod of that task runs. */
  podRuns(uid: string, role: 'slice' | 'aggregator'): void {
    const known = this.#tasks.get(uid);
    if (known) {
      known.pods.add(role);
      this.#look(uid);
    } else this.#early.set(uid, (this.#early.get(uid) ?? new Set()).add(role));
  }

  /** Where the first few unfinished tasks stand here, for the error when a run stalls. */
  unfinished(): string {
    return [...this.#tasks.values()]
      .filter(({ record }) => record.state === 'resolving' || record.state === 'dispatched')
      .slice(0, 5)
      .map(({ record, pods, begun }) => {
        const parts = record.parts.map(({ vault, state }) => `${vault} ${state}`).join(', ');
        const aggregator = `aggregator ${record.aggregator} ${record.aggregatorEnclave ? 'ready' : 'not ready'}`;
        return `${this.name} ${record.name} ${record.state}: ${parts}, ${aggregator}, survivors ${record.survivors?.length}; pods ${[...pods].join('+')}; begun ${[...begun].join('+')}`;
      })
      .join('\n');
  }

  #look(uid: string): void {
    const progress = this.#tasks.get(uid);
    if (!progress) return;
    const { record, pods } = progress;
    const part = record.parts.find(({ vault }) => vault === this.vault);
    if (record.state === 'resolving' && part?.state === 'asked') this.#once(progress, 'answer', () => this.#answer(record));
    if (record.state !== 'dispatched') return;
    if (part?.state === 'reserved' && pods.has('slice')) this.#once(progress, 'slice', () => this.#startSlice(progress));
    if (part?.state === 'ready' && part.enclave?.signKey === progress.slice?.signKey)
      this.#once(progress, 'release', () => this.#release(progress));
    const current = record.aggregatorEnclave;
    if (part?.state === 'released' && current && progress.payload)
      this.#once(progress, `deliver ${current.sealKey}`, () => this.#deliver(progress, current.sealKey));
    if (record.aggregators?.[record.aggregator ?? 0] !== this.address || !pods.has('aggregator')) return;
    this.#once(progress, 'aggregator', () => this.#startAggregator(progress));
    if (record.survivors && current && current.sealKey === progress.aggregator?.sealKey)
      this.#once(progress, 'aggregate', () => this.#aggregate(progress), this.#aggregations);
  }

  #once(progress: Progress, key: string, work: () => Promise<void>, lane = this.#lane): void {
    if (progress.begun.has(key)) return;
    progress.begun.add(key);
    void lane.run(work).catch((error: unknown) => this.#failed(progress, key, error));
  }
  #failed(progress: Progress, key: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#count(error instanceof Refused ? error.code : error instanceof Error ? error.name : 'Unknown');
    setTimeout(() => {
      progress.begun.delete(key);
      this.#look(progress.record.uid);
    }, AGAIN_MS).unref();
  }
  #count(code: string): void {
    this.faults.set(code, (this.faults.get(code) ?? 0) + 1);
  }

  async #submit(command: Command): Promise<void> {
    const reply = await this.#masters.submit(command, { signal: this.#stopping.signal });
    if (!reply.ok && reply.code !== 'AlreadyDecided') throw new Refused(reply.code);
  }
  /** A statement overtaken by a later one of the same Vault is signed again with the journal's present head, as Vaults do. */
  async #state(make: (sequence: bigint) => Command): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#submit(make(tries === 1 ? (this.#sequence += 1n) : this.#sequence));
        return;
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== 'JournalBehind' || tries >= MOST_OVERTAKEN) throw error;
        this.#count(error.code);
      }
    }
  }

  #answer(record: TaskRecord): Promise<void> {
    return this.#state((sequence) => answerCommand(this.#group, record, this.vault, sequence));
  }
  async #startSlice(progress: Progress): Promise<void> {
    progress.slice ??= await FakeEnclave.start(this.#group.genesisDigest, progress.record.uid, 'slice', this.vault, this.name);
    await this.#submit(progress.slice.ready());
  }
  async #release(progress: Progress): Promise<void> {
    const { record, slice } = progress;
    const payload = (progress.payload ??= slice!.output(record));
    await this.#state((sequence) => {
      const receipt = receiptOf(record, payload, sequence, digestOf(`journal ${this.vault} ${sequence}`));
      const signature = signStatement(vaultKey(this.vault).seed, 'slice.release', this.#group.genesisDigest, receipt);
      return { type: 'slice.release', receipt, signature };
    });
  }
  async #deliver({ record, payload }: Progress, sealKey: string): Promise<void> {
    const blob = await sealPayload(payload!, sealKey);
    await this.#masters.putBlob(record.uid, sliceBlobName(this.vault, sealKey), blob, { signal: this.#stopping.signal });
  }
  async #startAggregator(progress: Progress): Promise<void> {
    progress.aggregator ??= await FakeEnclave.start(this.#group.genesisDigest, progress.record.uid, 'aggregator', this.address, this.name);
    await this.#submit(progress.aggregator.ready());
  }

  async #blob(uid: string, vault: string, sealKey: string): Promise<Uint8Array> {
    const { signal } = this.#stopping;
    for (;;) {
      const blob = await this.#masters.getBlob(uid, sliceBlobName(vault, sealKey), { signal });
      if (blob) return blob;
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
  async #aggregate(progress: Progress): Promise<void> {
    const { record } = progress;
    const enclave = progress.aggregator!;
    const leaf = await this.#masters.getLeaf(envelopeKey(record.uid), { signal: this.#stopping.signal });
    if (!leaf) throw new Refused('EnvelopeMissing');
    decodeEnvelope(fromHex(leaf.value));
    const blobs = await Promise.all(
      survivors(record).map(async ({ vault }) => ({ vault, blob: await this.#blob(record.uid, vault, enclave.sealKey) })),
    );
    const { blob, slices } = await enclave.combine(record, blobs);
    await this.#masters.putBlob(record.uid, resultBlobName(blobDigest(blob)), blob, { signal: this.#stopping.signal });
    await this.#submit(enclave.evidence(record, blob, slices));
  }
}

class Refused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.name = 'Refused';
    this.code = code;
  }
}
