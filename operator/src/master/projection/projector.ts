/**
 * Keeps the custom resources what the log says (rules N6, G7). The master that proposes writes at once; the others look a little
 * later, and find nothing to do unless it failed or lied. Cost is that of what changed.
 */
import type { Block, Committee, Genesis } from '@scs/protocol';
import type { Clock } from '../../kube/clock.ts';
import type { Cluster } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { startInformer, type Change, type Informer } from '../../kube/informer.ts';
import { scpKind } from '../../kube/kinds.ts';
import type { Logger } from '../../kube/logger.ts';
import { createWorkQueue, type QueueObserver, type Requeue, type WorkQueue } from '../../kube/work-queue.ts';
import type { Blobs } from '../api/blobs.ts';
import type { Log } from '../log/log.ts';
import type { TaskObject, TaskObjects } from '../task-objects.ts';
import { clusterKinds, objectsOfKey, wantedNames, wantedObject, type ClusterKind, type Sources } from './cluster-objects.ts';
import type { Reason } from './conditions.ts';
import { sameJson, sameStatus } from './same.ts';
import { TaskReconciler } from './task-reconciler.ts';
import { writeSpec, writeStatus, type ProjectedObject } from './write-object.ts';

export interface ProjectorOptions {
  readonly cluster: Cluster;
  readonly log: Log;
  readonly tasks: () => Pick<TaskObjects, 'byUid' | 'uids'>;
  readonly blobs: Pick<Blobs, 'find'>;
  /** A decided block, from the log or its archive. */
  readonly blockAt: (height: bigint) => Promise<Block | undefined>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly committee: Committee;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  readonly notAdmitting: () => Reason | undefined;
  readonly observer?: QueueObserver;
  /** How long a master that doesn't propose waits before it looks, milliseconds. */
  readonly followMs?: number;
  /** Another master leads, and had left this undone for `followMs` when it was mended here. */
  readonly onRepaired?: (what: string) => void;
}
type Key = `task/${string}` | `object/${string}/${string}`;

/** Numbers that many tasks move are written at most this often, milliseconds. */
const COALESCE_MS = 500;

export class Projector {
  readonly #o: ProjectorOptions;
  readonly #random: () => number;
  readonly #taskReconciler: TaskReconciler;
  readonly #queue: WorkQueue<Key>;
  #informers: ReadonlyMap<ClusterKind, Informer<ProjectedObject>> = new Map();
  readonly #unsubscribe: () => void;
  /** When what is waited with was last decided anew: the primary needs a moment, too. */
  readonly #changedAt = new Map<Key, number>();

  constructor(options: ProjectorOptions) {
    this.#o = options;
    this.#random = options.random ?? Math.random;
    const { log, genesisDigest, committee, clock, logger, observer } = options;
    this.#taskReconciler = new TaskReconciler({
      ...options,
      genesis: genesisDigest,
      committee,
      onWritten: (uid) => this.#noteWritten(`task/${uid}`),
    });
    this.#queue = createWorkQueue<Key>({
      reconcile: (key) => this.#reconcile(key),
      concurrency: 8,
      clock,
      logger,
      ...(observer && { observer }),
    });
    this.#unsubscribe = log.onDecided(({ touched }) => {
      for (const key of touched) this.#recordChanged(key);
    });
  }

  /** Starts watching the cluster-scoped kinds; tasks are told by `taskChanged`. */
  start(): void {
    const { cluster, clock, logger } = this.#o;
    this.#informers = new Map(
      clusterKinds.map((kind) => [
        kind,
        startInformer<ProjectedObject>({
          cluster,
          kind: scpKind(kind),
          clock,
          logger,
          onChange: ({ object }) => this.#add(`object/${kind}/${object.metadata.name}`),
        }),
      ]),
    );
    void this.#first();
  }

  /** Once all kinds are listed: whatever should be there and isn't, is made. */
  async #first(): Promise<void> {
    try {
      await Promise.all([...this.#informers.values()].map((i) => i.hasSynced()));
    } catch {
      return; // stopped before
    }
    for (const [kind, name] of wantedNames(this.#sources())) this.#add(`object/${kind}/${name}`);
  }

  taskChanged({ object }: Change<TaskObject>): void {
    if (object.metadata.uid !== undefined) this.#add(`task/${object.metadata.uid}`);
  }
  /** This master proposes from now on: what the one before left undone is looked at. */
  lookAtAll(): void {
    for (const uid of this.#o.tasks().uids()) this.#queue.add(`task/${uid}`);
    for (const [kind, name] of wantedNames(this.#sources())) this.#queue.add(`object/${kind}/${name}`);
  }
  lastProgressAt(): number {
    return this.#queue.lastProgressAt();
  }
  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([...this.#informers.values()].map((i) => i.stop()));
    await this.#queue.stop(2_000);
  }

  #recordChanged(key: string): void {
    const now = this.#o.clock.now();
    if (key.startsWith('task/')) {
      this.#changedAt.set(key as Key, now);
      this.#add(key as Key);
    }
    for (const [kind, name] of objectsOfKey(key, this.#sources())) {
      this.#changedAt.set(`object/${kind}/${name}`, now);
      this.#queue.addAfter(`object/${kind}/${name}`, this.#delay(COALESCE_MS));
    }
  }
  #add(key: Key): void {
    this.#queue.addAfter(key, this.#delay(0));
  }
  #delay(ownMs: number): number {
    return this.#o.log.isPrimary() ? ownMs : this.#followMs() * (1 + this.#random());
  }
  #followMs(): number {
    return this.#o.followMs ?? 4_000;
  }
  /** Something decided was not shown, and is now. */
  #noteWritten(key: Key): void {
    const { log, clock, onRepaired } = this.#o;
    const changedAt = this.#changedAt.get(key) ?? -Infinity;
    if (!log.isPrimary() && clock.now() - changedAt >= this.#followMs()) onRepaired?.(key);
  }

  #sources(): Sources {
    const { genesis, log } = this.#o;
    return { genesis, state: log.state(), leaf: (key) => log.leaf(key) };
  }

  async #reconcile(key: Key): Promise<Requeue | void> {
    const again = await this.#look(key);
    this.#changedAt.delete(key);
    return again;
  }
  #look(key: Key): Promise<Requeue | void> {
    if (key.startsWith('task/')) return this.#taskReconciler.reconcile(key.slice('task/'.length));
    const [, kind, ...name] = key.split('/');
    return this.#object(kind as ClusterKind, name.join('/'));
  }

  async #object(kind: ClusterKind, name: string): Promise<void> {
    const { cluster, genesisDigest, committee } = this.#o;
    const wanted = wantedObject(this.#sources(), kind, name);
    const found = this.#informers.get(kind)?.get(undefined, name);
    if (!wanted) {
      if (found) await cluster.delete({ kind: scpKind(kind), name }, found.metadata.uid === undefined ? {} : { uid: found.metadata.uid });
      return;
    }
    const labelled = Object.entries(wanted.labels ?? {}).every(([label, value]) => found?.metadata.labels?.[label] === value);
    const stored =
      found && labelled && sameJson(found.spec, wanted.spec) ? found : await writeSpec(cluster, kind, name, wanted.spec, wanted.labels);
    const status = { ...wanted.status, observedGeneration: stored.metadata.generation ?? 1 };
    if (sameStatus(stored.status, status, genesisDigest, committee)) return;
    await writeStatus(cluster, kind, stored, status);
    this.#noteWritten(`object/${kind}/${name}`);
  }
}
