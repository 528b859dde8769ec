/** Task objects as this master sees them itself: one informer a listed namespace, and a memory of what it has seen (rule N5). */
import { Command, encodeCanonical, equalBytes, TaskSpec, type Task } from '@scs/protocol';
import type { z } from 'zod';
import type { Clock } from '../kube/clock.ts';
import type { Cluster } from '../kube/client.ts';
import { startInformer, type Change, type Informer, type InformerObserver } from '../kube/informer.ts';
import { scpKind } from '../kube/kinds.ts';
import type { Logger } from '../kube/logger.ts';
import type { KubeObject } from '../kube/objects.ts';

/** Set by the admission policy, never by the submitter. */
export const SUBMITTED_BY = 'scp.symphony.foundation/submitted-by';
export type TaskObject = KubeObject & Pick<Task, 'spec' | 'status'>;
/** The part of a Task that agreement is about. */
export interface SeenTask {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: TaskSpec;
  /** Kubernetes user that the API server stamped; empty if none. */
  readonly user: string;
}

/** A string where the object is not a task that any rule could judge. The API server checks the schema first, so this is rare. */
export const seenTask = (object: TaskObject): SeenTask | string => {
  const { uid, namespace, name, annotations } = object.metadata;
  if (uid === undefined || namespace === undefined) return 'the object has no uid';
  const spec = TaskSpec.safeParse(object.spec);
  if (!spec.success) return problems(spec.error);
  const seen: SeenTask = { uid, namespace, name, spec: spec.data, user: annotations?.[SUBMITTED_BY] ?? '' };
  // what no block can hold would keep all else out of it, too
  const command = Command.safeParse({ type: 'task.admit', ...seen });
  return command.success ? seen : problems(command.error);
};
const problems = ({ issues }: z.ZodError): string =>
  issues
    .map((i) => `${i.path.join('.')}: ${i.message}`)
    .join('; ')
    .slice(0, 500);
export const sameTask = (a: SeenTask, b: SeenTask): boolean => equalBytes(encodeCanonical(a), encodeCanonical(b));

export interface TaskObjectsOptions {
  readonly cluster: Cluster;
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer?: InformerObserver;
  readonly onChange: (change: Change<TaskObject>) => void;
}

export class TaskObjects {
  readonly #informers: ReadonlyMap<string, Informer<TaskObject>>;
  readonly #cluster: Cluster;
  readonly #byUid = new Map<string, TaskObject>();

  constructor({ cluster, namespaces, clock, logger, observer, onChange }: TaskObjectsOptions) {
    this.#cluster = cluster;
    const told = (change: Change<TaskObject>): void => {
      const { uid } = change.object.metadata;
      if (uid !== undefined && change.type === 'deleted') this.#byUid.delete(uid);
      else if (uid !== undefined) this.#byUid.set(uid, change.object);
      onChange(change);
    };
    const shared = { cluster, kind: scpKind('Task'), clock, logger, onChange: told, ...(observer && { observer }) };
    this.#informers = new Map(namespaces.map((namespace) => [namespace, startInformer<TaskObject>({ ...shared, namespace })]));
  }

  /** Resolves when every namespace has been listed once. */
  async hasSynced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((i) => i.hasSynced()));
  }
  listed(namespace: string): boolean {
    return this.#informers.has(namespace);
  }
  byUid(uid: string): TaskObject | undefined {
    return this.#byUid.get(uid);
  }
  uids(): IterableIterator<string> {
    return this.#byUid.keys();
  }
  /** Asks the API server itself. Throws ApiError. */
  read(namespace: string, name: string): Promise<TaskObject | undefined> {
    return this.#cluster.get<TaskObject>({ kind: scpKind('Task'), namespace, name }, { timeoutMs: 2_000, attempts: 2 });
  }
  /** Civil time of the API server's last word in the quietest namespace. */
  lastEventAt(): number {
    return Math.min(...[...this.#informers.values()].map((i) => i.lastEventAt()));
  }
  async stop(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((i) => i.stop()));
  }
}
