/**
 * WatchTasks: who follows which tasks. Leaves are made when they are sent, so each is of the last certified root; a task that
 * changed twice before it could be sent is sent once. A stream holds at most one entry a task; one that takes nothing is cut.
 */
import { create } from '@bufbuild/protobuf';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { CertifiedLeafSchema, leafToWire, type CertifiedLeaf, type WatchTasksRequest } from '@scs/proto';
import { type Clock, monotonic } from '../../kube/clock.ts';
import type { Log } from '../log/log.ts';
import { concerns, type TaskIndex } from '../task-index.ts';
import { invalid, tooMuch } from './refusal.ts';

type Call = ServerWritableStream<WatchTasksRequest, CertifiedLeaf>;
interface Stream {
  readonly call: Call;
  /** undefined for a master, which sees all. */
  readonly enterprise: string | undefined;
  readonly pending: Set<string>;
  blockedSince: number | undefined;
}
/** A task's, or empty for all. */
const UID = /^[0-9a-f-]{0,64}$/;
const SLOW_MS = 30_000;
const STREAMS_EACH = 4_096;

export class TaskStreams {
  readonly #log: Pick<Log, 'leaf' | 'height'>;
  readonly #tasks: TaskIndex;
  readonly #clock: Clock;
  /** Streams of all tasks, by caller; streams of one task, by its uid. */
  readonly #ofAll = new Set<Stream>();
  readonly #ofOne = new Map<string, Set<Stream>>();
  readonly #open = new Map<string, number>();
  #leaves = { height: -1n, byUid: new Map<string, CertifiedLeaf | undefined>() };

  constructor(log: Pick<Log, 'leaf' | 'height' | 'onDecided'>, tasks: TaskIndex, clock: Clock) {
    this.#log = log;
    this.#tasks = tasks;
    this.#clock = clock;
    log.onDecided(({ touched }) => {
      const uids = touched.filter((key) => key.startsWith('task/')).map((key) => key.slice('task/'.length));
      if (uids.length > 0) setImmediate(() => this.#changed(uids));
    });
  }

  /** Throws Refusal for what is no uid, and when the caller has too many. */
  open(call: Call, identity: string, enterprise: string | undefined): void {
    if (!UID.test(call.request.uid)) throw invalid('no such task');
    const open = this.#open.get(identity) ?? 0;
    if (open >= STREAMS_EACH) throw tooMuch('too many streams');
    this.#open.set(identity, open + 1);
    const { uid } = call.request;
    const stream: Stream = { call, enterprise, pending: new Set(), blockedSince: undefined };
    const group = uid === '' ? this.#ofAll : (this.#ofOne.get(uid) ?? new Set());
    group.add(stream);
    if (uid !== '') this.#ofOne.set(uid, group);
    call.on('close', () => this.#close(stream, identity, uid));
    call.on('cancelled', () => call.end());
    call.on('drain', () => {
      stream.blockedSince = undefined;
      this.#pump(stream);
    });
    for (const task of uid === '' ? this.#tasks.unfinished() : [uid]) if (this.#sees(stream, task)) stream.pending.add(task);
    this.#pump(stream);
  }

  #close(stream: Stream, identity: string, uid: string): void {
    const group = uid === '' ? this.#ofAll : this.#ofOne.get(uid);
    group?.delete(stream);
    if (uid !== '' && group?.size === 0) this.#ofOne.delete(uid);
    this.#open.set(identity, Math.max(0, (this.#open.get(identity) ?? 1) - 1));
  }

  #sees({ enterprise }: Stream, uid: string): boolean {
    const record = this.#tasks.record(uid);
    return record !== undefined && (enterprise === undefined || concerns(record, enterprise));
  }

  #changed(uids: readonly string[]): void {
    const dirty = new Set<Stream>();
    for (const uid of uids) {
      for (const stream of [...this.#ofAll, ...(this.#ofOne.get(uid) ?? [])]) {
        if (!this.#sees(stream, uid)) continue;
        stream.pending.add(uid);
        dirty.add(stream);
      }
    }
    for (const stream of dirty) this.#pump(stream);
  }

  #pump(stream: Stream): void {
    const { call, pending } = stream;
    if (call.destroyed || call.writableEnded) return;
    if (stream.blockedSince !== undefined) {
      // as an event: of a stream that is destroyed its reader is never told, and would wait for news for good
      if (monotonic(this.#clock) - stream.blockedSince > SLOW_MS)
        call.emit('error', Object.assign(tooMuch('the stream is not read'), { code: status.RESOURCE_EXHAUSTED }));
      return;
    }
    for (const uid of pending) {
      pending.delete(uid);
      const leaf = this.#leafOf(uid);
      if (leaf && !call.write(leaf)) {
        stream.blockedSince = monotonic(this.#clock);
        return;
      }
    }
  }

  #leafOf(uid: string): CertifiedLeaf | undefined {
    if (this.#leaves.height !== this.#log.height()) this.#leaves = { height: this.#log.height(), byUid: new Map() };
    if (!this.#leaves.byUid.has(uid)) {
      const leaf = this.#log.leaf(`task/${uid}`);
      this.#leaves.byUid.set(uid, leaf && create(CertifiedLeafSchema, leafToWire(leaf)));
    }
    return this.#leaves.byUid.get(uid);
  }

  count(): number {
    return [...this.#open.values()].reduce((a, b) => a + b, 0);
  }
}
