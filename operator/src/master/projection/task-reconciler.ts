/** One Task's projection (rules N6, T7, T8): gather what was decided and what is there, decide what differs, write that. */
import { API_VERSION, isTerminal, type Block, type Committee, type TaskRecord, type TaskStatus } from '@scs/protocol';
import type { Clock } from '../../kube/clock.ts';
import type { Cluster } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { ConfigMap, scpKind } from '../../kube/kinds.ts';
import type { Requeue } from '../../kube/work-queue.ts';
import type { Blobs } from '../api/blobs.ts';
import type { Log } from '../log/log.ts';
import { seenTask, type TaskObject, type TaskObjects } from '../task-objects.ts';
import { unadmittedCondition, type Reason } from './conditions.ts';
import { evidenceFound, evidenceHeight, evidenceIn, isOurs, resultFiles, resultMap, sameFiles, type ResultMap } from './result-files.ts';
import { sameStatus, sameJson } from './same.ts';
import { resultName, taskStatus } from './task-status.ts';
import { writeStatus } from './write-object.ts';

export interface TaskReconcilerOptions {
  readonly cluster: Cluster;
  readonly log: Log;
  readonly tasks: () => Pick<TaskObjects, 'byUid'>;
  readonly blobs: Pick<Blobs, 'find'>;
  /** A decided block, from the log or its archive; undefined when it is in neither. */
  readonly blockAt: (height: bigint) => Promise<Block | undefined>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly genesis: string;
  readonly committee: Committee;
  readonly clock: Clock;
  /** Why nothing is admitted at present, if so. */
  readonly notAdmitting: () => Reason | undefined;
  /** A status that differed from what was decided has been written. */
  readonly onWritten?: (uid: string) => void;
}

/** How often a result's ConfigMap is looked at while it is new, and later: it has no watch, it would fill memory. */
const LOOK_MS = { fresh: 60_000, old: 600_000 } as const;
const FRESH_MS = 3_600_000;
/** A Task that isn't in the log after this long is told why. */
const PATIENCE_MS = 5_000;

/** When a result's ConfigMap was last found right, and for which bytes of the record. */
interface Looked {
  readonly record: Uint8Array | undefined;
  readonly at: number;
}

export class TaskReconciler {
  readonly #o: TaskReconcilerOptions;
  readonly #looked = new Map<string, Looked>();
  /** Entries of a task's history for which an event was recorded here: the object seen may be older than what was written. */
  readonly #told = new Map<string, number>();
  constructor(options: TaskReconcilerOptions) {
    this.#o = options;
  }

  /** Throws ApiError on what another try may mend. */
  async reconcile(uid: string): Promise<Requeue | void> {
    const { log, tasks } = this.#o;
    const object = tasks().byUid(uid);
    if (!object || object.metadata.deletionTimestamp !== undefined) {
      this.#looked.delete(uid);
      this.#told.delete(uid);
      return undefined;
    }
    const record = log.state().get('task', uid);
    if (!record) return this.#unadmitted(object);
    const status = taskStatus(record, log.leaf(`task/${uid}`));
    if (!sameStatus(object.status, status, this.#o.genesis, this.#o.committee)) {
      await writeStatus(this.#o.cluster, 'Task', object, status);
      this.#tell(object, status);
      this.#o.onWritten?.(uid);
    }
    const waits = [await this.#result(object, record), await this.#expire(object, record)].filter((ms) => ms !== undefined);
    return waits.length > 0 ? { requeueAfterMs: Math.min(...waits) } : undefined;
  }

  /** "Why is it pending?" has an answer before anything is decided, too. */
  async #unadmitted(object: TaskObject): Promise<Requeue | void> {
    const seen = seenTask(object);
    const age = this.#o.clock.now() - Date.parse(object.metadata.creationTimestamp ?? '');
    if (typeof seen !== 'string' && !(age > PATIENCE_MS)) return { requeueAfterMs: PATIENCE_MS };
    const why: Reason =
      typeof seen === 'string'
        ? { reason: 'SpecInvalid', message: `The masters can not judge this spec: ${seen}` }
        : (this.#o.notAdmitting() ?? { reason: 'WaitingForMasters', message: 'The masters have not decided on it yet.' });
    const status: TaskStatus = { conditions: [unadmittedCondition(why, object.metadata.creationTimestamp)] };
    if (!sameJson(object.status, status)) await writeStatus(this.#o.cluster, 'Task', object, status);
    return { requeueAfterMs: PATIENCE_MS };
  }

  /** One event a transition that the object did not show yet. */
  #tell(object: TaskObject, status: TaskStatus): void {
    const uid = object.metadata.uid ?? '';
    const history = status.history ?? [];
    const told = Math.max(object.status?.history?.length ?? 0, this.#told.get(uid) ?? 0);
    this.#told.set(uid, history.length);
    for (const { state, height, reason } of history.slice(told)) {
      const bad = state === 'rejected' || state === 'timed_out';
      this.#o.events.record({
        regarding: { ...object, apiVersion: API_VERSION, kind: 'Task' },
        type: bad ? 'Warning' : 'Normal',
        reason: reason ?? state.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase()),
        action: 'Decide',
        note: bad ? (status.message ?? state) : `${state} at height ${height}`,
      });
    }
  }

  /** The result and its proof; milliseconds until the next look. */
  async #result(object: TaskObject, record: TaskRecord): Promise<number | undefined> {
    const { cluster, log, blobs, genesis, committee, clock } = this.#o;
    if (!record.sealedResult) return undefined;
    const now = clock.now();
    const everyMs = now - (record.history.at(-1)?.time ?? 0) > FRESH_MS ? LOOK_MS.old : LOOK_MS.fresh;
    const bytes = log.state().map.get(`task/${record.uid}`);
    const looked = this.#looked.get(record.uid);
    if (looked?.record === bytes && looked !== undefined && now < looked.at + everyMs) return looked.at + everyMs - now;
    const sealed = await blobs.find(record.uid, `result/${record.sealedResult}`);
    if (!sealed) return everyMs; // no master has it any more; the ConfigMap, if there, is all there is
    const found = await cluster.get<ResultMap>({ kind: ConfigMap, namespace: record.namespace, name: resultName(record.name) });
    const evidence = await this.#evidence(record, found);
    if (evidence === undefined) return everyMs; // its block is not here (yet): another master writes it, or the ConfigMap is all there is
    const wanted = resultFiles(record, sealed, evidence, log);
    if (found && !isOurs(found, record.uid)) this.#tellTaken(object);
    else if (!found || !sameFiles(found, wanted, genesis, committee)) await this.#writeResult(object, record, found, wanted);
    this.#looked.set(record.uid, { record: bytes, at: now });
    return everyMs;
  }

  async #evidence(record: TaskRecord, found: ResultMap | undefined): Promise<string | undefined> {
    const known = evidenceFound(record, found);
    const height = evidenceHeight(record);
    if (known !== undefined || height === undefined) return known;
    const block = await this.#o.blockAt(height);
    return block && evidenceIn(record, block);
  }

  #tellTaken(object: TaskObject): void {
    const { name, namespace } = object.metadata;
    this.#o.events.record({
      regarding: { ...object, apiVersion: API_VERSION, kind: 'Task' },
      type: 'Warning',
      reason: 'ResultNameTaken',
      action: 'Deliver',
      note: `ConfigMap ${namespace}/${resultName(name)} is somebody else's. Delete or rename it; the sealed result takes its place.`,
    });
  }

  async #writeResult(
    object: TaskObject,
    record: TaskRecord,
    found: ResultMap | undefined,
    wanted: Pick<ResultMap, 'data' | 'binaryData'>,
  ): Promise<void> {
    const { cluster, genesis, committee } = this.#o;
    const written = await cluster.apply<ResultMap>(resultMap(object, record, wanted));
    if (found && !sameFiles(written, wanted, genesis, committee)) await cluster.replace<ResultMap>({ ...written, ...wanted });
  }

  /** T7: what has ended goes after its time; milliseconds until then. */
  async #expire(object: TaskObject, record: TaskRecord): Promise<number | undefined> {
    const { log, cluster, clock } = this.#o;
    const ttl = record.spec.ttlSecondsAfterFinished;
    if (ttl === undefined || !isTerminal(record.state) || !log.isPrimary()) return undefined;
    const left = (record.history.at(-1)?.time ?? 0) + ttl * 1000 - clock.now();
    if (left > 0) return left;
    const { namespace, name } = record;
    await cluster.delete({ kind: scpKind('Task'), namespace, name }, { uid: object.metadata.uid ?? record.uid });
    return undefined;
  }
}
