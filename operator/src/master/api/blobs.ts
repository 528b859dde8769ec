/** Sealed blobs of tasks (rules M3, M5, H5): bounded by what was decided of the task, held by at least two masters, dropped with it. */
import { blobDigest, isTerminal, type TaskRecord } from '@scs/protocol';
import type { Disk, StoredBlob } from '../log/disk.ts';
import type { TaskIndex } from '../task-index.ts';
import { concerns } from '../task-index.ts';
import { denied, invalid, notNow, tooMuch } from './refusal.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';

/** The other masters, as far as blobs go. */
export interface BlobPeer {
  readonly index: number;
  storeBlob(task: string, name: string, bytes: Uint8Array): Promise<void>;
  /** undefined when the peer hasn't got it. */
  fetchBlob(task: string, name: string): Promise<Uint8Array | undefined>;
}

/** A slice's output and evidence; a result that must fit in a ConfigMap beside its proof, base64 and all. */
const LIMIT = { slice: 512 * 1024, result: 500 * 1024 } as const;
/** Results beside the one that is decided: an aggregator that starts anew seals anew. */
const MOST_RESULTS = 16;
/** Copies under way to one peer: nobody waits for a slow one, so it alone would not slow down what is put. */
const MOST_COPYING = 32;

type BlobName =
  { readonly kind: 'slice'; readonly vault: string; readonly sealKey: string } | { readonly kind: 'result'; readonly digest: string };
const parseName = (name: string): BlobName | undefined => {
  const slice = /^slice\/([a-z0-9-]{1,63}\/[a-z0-9.-]{1,63})\/([0-9a-f]{64})$/.exec(name);
  if (slice) return { kind: 'slice', vault: slice[1]!, sealKey: slice[2]! };
  const result = /^result\/([0-9a-f]{64})$/.exec(name);
  return result ? { kind: 'result', digest: result[1]! } : undefined;
};

const sliceFolder = (vault: string): string => `slice/${vault}/`;
/** Sealed to the aggregator's enclave that is decided now. */
const isCurrent = ({ aggregatorEnclave }: TaskRecord, name: BlobName | undefined): boolean =>
  name?.kind === 'slice' && name.sealKey === aggregatorEnclave?.sealKey;

/** The first that is something, without waiting for the others, one of which may stand still; undefined when none is. They never reject. */
const firstOf = <T>(asked: readonly Promise<T | undefined>[]): Promise<T | undefined> => {
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  for (const one of asked) void one.then((found) => found !== undefined && resolve(found));
  void Promise.all(asked).then(() => resolve(undefined));
  return promise;
};

export class Blobs {
  readonly #disk: Disk;
  readonly #tasks: TaskIndex;
  readonly #peers: readonly BlobPeer[];
  readonly #logger: Logger;
  readonly #copying = new Map<BlobPeer, number>();
  constructor(disk: Disk, tasks: TaskIndex, peers: readonly BlobPeer[], logger: Logger) {
    this.#disk = disk;
    this.#tasks = tasks;
    this.#peers = peers;
    this.#logger = logger;
  }

  /** From an enterprise: checked against the decided task, stored here and at one other master at least. Throws Refusal. */
  async put(enterprise: string, task: string, name: string, bytes: Uint8Array): Promise<string> {
    const { record, parsed } = this.#acceptable(task, name, bytes);
    if (parsed.kind === 'slice') {
      const part = record.parts.find((p) => p.vault === parsed.vault);
      if (part?.enterprise !== enterprise) throw denied(`${parsed.vault} is not a Vault of yours in this task`);
      if (!isCurrent(record, parsed)) throw notNow('that is not the current aggregator’s seal key, as far as this master knows');
      this.#disk.dropBlobs(task, sliceFolder(parsed.vault));
    } else {
      if (record.aggregators?.[record.aggregator ?? 0] !== enterprise) throw denied('another enterprise aggregates this task');
      // nothing is decided yet, and whoever aggregates now must find room: what filled it is of no use any more
      if (this.#results(task, name) >= MOST_RESULTS) this.#disk.dropBlobs(task, 'result/');
    }
    this.#disk.putBlob({ task, name, bytes });
    const stored = await firstOf(this.#peers.map((peer) => this.#copyTo(peer, task, name, bytes)));
    if (!stored) throw notNow('no other master could store the blob');
    return blobDigest(bytes);
  }

  async #copyTo(peer: BlobPeer, task: string, name: string, bytes: Uint8Array): Promise<true | undefined> {
    const underWay = this.#copying.get(peer) ?? 0;
    if (underWay >= MOST_COPYING) return undefined;
    this.#copying.set(peer, underWay + 1);
    try {
      await peer.storeBlob(task, name, bytes);
      return true;
    } catch (thrown) {
      this.#logger.info({ peer: peer.index, ...errorFields(thrown) }, 'a blob could not be copied to a peer');
      return undefined;
    } finally {
      this.#copying.set(peer, (this.#copying.get(peer) ?? 1) - 1);
    }
  }

  /** From another master, which may lie: it adds within bounds, and neither replaces nor removes. Throws Refusal. */
  take(task: string, name: string, bytes: Uint8Array): string {
    const { record, parsed } = this.#acceptable(task, name, bytes);
    if (parsed.kind === 'result' && this.#results(task, name) >= MOST_RESULTS) throw tooMuch('too many results of one task');
    this.#keep(record, parsed, { task, name, bytes });
    return blobDigest(bytes);
  }

  /** A Vault has two blobs at most: the current aggregator's, and one for a key that this master may not have heard of yet. */
  #keep(record: TaskRecord, parsed: BlobName, blob: StoredBlob): void {
    const { task, name } = blob;
    if (this.#disk.blob(task, name)) return;
    if (parsed.kind === 'slice' && !isCurrent(record, parsed))
      for (const other of this.#disk.blobSizes(task))
        if (other.name.startsWith(sliceFolder(parsed.vault)) && !isCurrent(record, parseName(other.name)))
          this.#disk.dropBlobs(task, other.name);
    this.#disk.putBlob(blob);
  }
  /** How many results beside this one. */
  #results(task: string, name: string): number {
    return this.#disk.blobSizes(task).filter((b) => b.name !== name && b.name.startsWith('result/')).length;
  }

  #acceptable(task: string, name: string, bytes: Uint8Array): { record: TaskRecord; parsed: BlobName } {
    const parsed = parseName(name);
    if (!parsed) throw invalid('no such kind of blob');
    if (bytes.length === 0 || bytes.length > LIMIT[parsed.kind])
      throw invalid(`a ${parsed.kind} blob has at most ${LIMIT[parsed.kind]} bytes`);
    if (parsed.kind === 'result' && parsed.digest !== blobDigest(bytes)) throw invalid('name and content do not agree');
    const record = this.#tasks.record(task);
    if (!record || record.state !== 'dispatched') throw notNow('the task takes no blobs now, as far as this master knows');
    if (parsed.kind === 'slice' && !record.parts.some((p) => p.vault === parsed.vault)) throw invalid('no such Vault in the task');
    return { record, parsed };
  }

  /** undefined when nobody has it. Throws Refusal for a caller who has no part in the task. */
  async get(enterprise: string, task: string, name: string): Promise<Uint8Array | undefined> {
    const record = this.#tasks.record(task);
    if (!record || !concerns(record, enterprise)) throw denied('you have no part in that task');
    return this.find(task, name);
  }
  local(task: string, name: string): Uint8Array | undefined {
    return this.#disk.blob(task, name);
  }

  /** Here, or at another master; what is fetched is kept. */
  async find(task: string, name: string): Promise<Uint8Array | undefined> {
    const here = this.local(task, name);
    if (here || !parseName(name)) return here;
    const bytes = await firstOf(this.#peers.map((peer) => this.#fetchFrom(peer, task, name)));
    if (bytes) this.#keepFetched(task, name, bytes);
    return bytes;
  }

  /** What a peer gave is kept where it could have been stored; else a lying one could fill the disk. */
  #keepFetched(task: string, name: string, bytes: Uint8Array): void {
    const [record, parsed] = [this.#tasks.record(task), parseName(name)];
    if (!record || !parsed) return;
    const decided = parsed.kind === 'result' && parsed.digest === record.sealedResult;
    const open =
      record.state === 'dispatched' && (parsed.kind === 'slice' ? isCurrent(record, parsed) : this.#results(task, name) < MOST_RESULTS);
    if (decided || open) this.#keep(record, parsed, { task, name, bytes });
  }

  async #fetchFrom(peer: BlobPeer, task: string, name: string): Promise<Uint8Array | undefined> {
    try {
      const bytes = await peer.fetchBlob(task, name);
      const parsed = parseName(name);
      const fits =
        bytes && parsed && bytes.length <= LIMIT[parsed.kind] && (parsed.kind === 'slice' || parsed.digest === blobDigest(bytes));
      return fits ? bytes : undefined;
    } catch (thrown) {
      this.#logger.info({ peer: peer.index, ...errorFields(thrown) }, 'a blob could not be fetched from a peer');
      return undefined;
    }
  }

  /** Drops what ended tasks left: slices at once, the result when its Task object is gone. */
  collect(objectExists: (uid: string) => boolean): void {
    for (const task of this.#disk.blobTasks()) {
      const record = this.#tasks.record(task);
      if (record && !isTerminal(record.state)) continue;
      if (record && objectExists(task)) this.#disk.dropBlobs(task, 'slice/');
      else this.#disk.dropBlobs(task);
    }
  }
}
