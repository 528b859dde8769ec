import type { KubeConfig } from '@kubernetes/client-node';
import { backoffMs } from './backoff.ts';
import { type Clock, realClock } from './clock.ts';
import { ApiError, isApiError } from './errors.ts';
import { type ObjectRef, type ResourceKind, collectionPath, kindOf, objectPath, refOf } from './kinds.ts';
import type { KubeObject } from './objects.ts';
import { type HttpRequest, type Transport, createTransport } from './transport.ts';
import { type WatchEvent, type WatchOptions, watchEvents } from './watch.ts';
import { type ListBounds, type Selection, asObject, isRecord, listAll } from './wire.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for one attempt; the cluster's default otherwise. */
  readonly timeoutMs?: number;
  /** How often to try at most where a repetition is harmless; 4 unless told. */
  readonly attempts?: number;
}

export type ListOptions = CallOptions & Selection & ListBounds;

export interface WriteOptions extends CallOptions {
  readonly dryRun?: boolean;
  /** Needed only for kinds that kinds.ts does not list. */
  readonly kind?: ResourceKind;
}

export interface ApplyOptions extends WriteOptions {
  /** Take over fields that another manager set; true unless told. With false such a field is a `Conflict`. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Delete only the object with this uid; another one under the name is left alone and reported as `gone`. */
  readonly uid?: string;
  readonly propagation?: 'Foreground' | 'Background' | 'Orphan';
}

export interface AccessQuestion {
  readonly verb: string;
  readonly kind: ResourceKind;
  readonly namespace?: string;
  readonly name?: string;
}

/** Port to the API server. Everything but an answer of success is thrown as an `ApiError`. */
export interface Cluster {
  get<T extends KubeObject>(ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  /** All pages of one consistent snapshot. */
  list<T extends KubeObject>(kind: ResourceKind, options?: ListOptions): Promise<{ items: T[]; resourceVersion: string }>;
  /** Server-side apply under our field manager: the same call twice gives the same object. Never for status. */
  apply<T extends KubeObject>(object: T, options?: ApplyOptions): Promise<T>;
  /** Server-side apply to the status subresource; the object carries identity and status only. */
  applyStatus<T extends KubeObject>(object: T, options?: WriteOptions): Promise<T>;
  /** Not repeated when the answer got lost; then it throws `Network` or `Timeout`, and the object may exist. */
  create<T extends KubeObject>(object: T, options?: WriteOptions): Promise<T>;
  /** Full update, only on top of the object's `resourceVersion` (which is required): a stale one is a `Conflict`. For Leases. */
  replace<T extends KubeObject>(object: T, options?: WriteOptions): Promise<T>;
  /** The same for the status subresource: the only way to take out what another manager put there. */
  replaceStatus<T extends KubeObject>(object: T, options?: WriteOptions): Promise<T>;
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<'deleted' | 'gone'>;
  /** Asks for a pod's eviction; `refused` when a disruption budget stands against it. */
  evict(ref: ObjectRef, options?: { uid?: string } & CallOptions): Promise<'evicted' | 'gone' | 'refused'>;
  /** One watch connection. Ends when the server ends it; an ERROR event is thrown as an `ApiError` (`Gone` for 410). */
  rawWatch<T extends KubeObject>(kind: ResourceKind, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** Whether our own credentials may do this. */
  accessReview(question: AccessQuestion, options?: CallOptions): Promise<boolean>;
}

export interface ClusterOptions {
  /** Name under which the API server keeps what we own of each object. Fixed for the life of the installation. */
  readonly fieldManager: string;
  readonly userAgent?: string;
  readonly requestTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
}

const retry = { baseMs: 200, capMs: 5_000 };
/** A server that wants us to stay away longer than this gets its wish from the caller's queue, not from a blocked call. */
const longestWaitInCallMs = 10_000;

/** The API server behind a kubeconfig, over one raw-JSON path: times stay strings, nothing is dropped. Throws a TypeError if no cluster is named. */
export function createCluster(kubeConfig: KubeConfig, options: Partial<ClusterOptions> = {}): Cluster {
  const clock = options.clock ?? realClock;
  const transport = createTransport(kubeConfig, {
    userAgent: options.userAgent ?? 'symphony-scs',
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    clock,
  });
  return clusterOver(transport, { fieldManager: options.fieldManager ?? 'symphony-scs', clock, random: options.random ?? Math.random });
}

interface Context {
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What may be repeated: nothing that was refused for good, and after a lost answer only what does no harm twice. */
function worthRepeating(error: ApiError, harmlessTwice: boolean): boolean {
  if (error.code === 'TooManyRequests') return true;
  if (error.code === 'Unavailable') return harmlessTwice || error.retryAfterMs !== undefined;
  return harmlessTwice && (error.code === 'Network' || error.code === 'Internal');
}

function clusterOver(transport: Transport, { fieldManager, clock, random }: Context): Cluster {
  const send = async (request: HttpRequest, call: CallOptions = {}, harmlessTwice = true): Promise<unknown> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await transport.send({ ...request, signal: call.signal, timeoutMs: call.timeoutMs });
      } catch (thrown) {
        if (!(thrown instanceof ApiError) || attempt >= (call.attempts ?? 4) || !worthRepeating(thrown, harmlessTwice)) throw thrown;
        const delayMs = Math.max(thrown.retryAfterMs ?? 0, backoffMs(attempt, retry, random));
        if (delayMs > longestWaitInCallMs) throw thrown;
        await clock.sleep(delayMs, call.signal);
      }
    }
  };

  const writeQuery = (write: WriteOptions = {}): Record<string, string> => ({
    fieldManager,
    fieldValidation: 'Strict',
    ...(write.dryRun === true ? { dryRun: 'All' } : {}),
  });

  const replaceAt = async <T extends KubeObject>(object: T, write: WriteOptions | undefined, subresource?: 'status'): Promise<T> => {
    if (object.metadata.resourceVersion === undefined) throw new TypeError('replace needs the resourceVersion that it builds on');
    const path = objectPath(refOf(object, write?.kind), subresource);
    return asObject<T>(await send({ method: 'PUT', path, query: writeQuery(write), body: JSON.stringify(object) }, write, false));
  };

  const applyTo = async <T extends KubeObject>(path: string, object: T, force: boolean, write?: WriteOptions): Promise<T> => {
    const request: HttpRequest = {
      method: 'PATCH',
      path,
      query: { ...writeQuery(write), force: String(force) },
      contentType: 'application/apply-patch+yaml', // JSON is YAML
      body: JSON.stringify(object),
    };
    return asObject<T>(await send(request, write));
  };

  return {
    get: async <T extends KubeObject>(ref: ObjectRef, call?: CallOptions) => {
      try {
        return asObject<T>(await send({ method: 'GET', path: objectPath(ref) }, call));
      } catch (thrown) {
        if (isApiError(thrown, 'NotFound')) return undefined;
        throw thrown;
      }
    },
    list: (kind, list) =>
      listAll(kind, list ?? {}, (query) => send({ method: 'GET', path: collectionPath(kind, list?.namespace), query }, list)),
    apply: (object, apply) => applyTo(objectPath(refOf(object, apply?.kind)), object, apply?.force ?? true, apply),
    applyStatus: (object, write) => applyTo(objectPath(refOf(object, write?.kind), 'status'), object, true, write),
    create: async <T extends KubeObject>(object: T, write?: WriteOptions) => {
      const path = collectionPath(write?.kind ?? kindOf(object), object.metadata.namespace);
      return asObject<T>(await send({ method: 'POST', path, query: writeQuery(write), body: JSON.stringify(object) }, write, false));
    },
    replace: (object, write) => replaceAt(object, write),
    replaceStatus: (object, write) => replaceAt(object, write, 'status'),
    delete: async (ref, { uid, propagation = 'Background', ...call } = {}) => {
      const body = JSON.stringify({
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      });
      try {
        await send({ method: 'DELETE', path: objectPath(ref), body }, call);
        return 'deleted';
      } catch (thrown) {
        if (isApiError(thrown, 'NotFound') || (uid !== undefined && isApiError(thrown, 'Conflict'))) return 'gone';
        throw thrown;
      }
    },
    evict: async (ref, { uid, ...call } = {}) => {
      const body = JSON.stringify({
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: ref.name, namespace: ref.namespace },
        ...(uid === undefined ? {} : { deleteOptions: { preconditions: { uid } } }),
      });
      try {
        await send({ method: 'POST', path: objectPath(ref, 'eviction'), body }, { ...call, attempts: 1 });
        return 'evicted';
      } catch (thrown) {
        if (isApiError(thrown, 'NotFound') || (uid !== undefined && isApiError(thrown, 'Conflict'))) return 'gone';
        if (isApiError(thrown, 'TooManyRequests')) return 'refused';
        throw thrown;
      }
    },
    rawWatch: (kind, watch) => watchEvents(transport, kind, watch),
    accessReview: async ({ verb, kind, namespace, name }, call) => {
      const resourceAttributes = { verb, group: kind.group, version: kind.version, resource: kind.plural, namespace, name };
      const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
      const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
      const answer = await send({ method: 'POST', path, body: JSON.stringify(review) }, call);
      const status = isRecord(answer) && isRecord(answer['status']) ? answer['status'] : {};
      return status['allowed'] === true;
    },
  };
}
