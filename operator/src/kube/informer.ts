import { type Backoff, backoffMs } from './backoff.ts';
import { type Clock, monotonic, realClock } from './clock.ts';
import type { Cluster } from './client.ts';
import { ApiError, isApiError, isTransient } from './errors.ts';
import type { ResourceKind } from './kinds.ts';
import { type Logger, defaultLogger, errorFields } from './logger.ts';
import type { KubeObject } from './objects.ts';
import { type Change, createObjectStore } from './object-store.ts';

export type { Change } from './object-store.ts';

export interface InformerOptions<T extends KubeObject> {
  readonly cluster: Cluster;
  readonly kind: ResourceKind;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Told of each change, in order. What it throws is logged, counted, and stops nothing; nothing waits for its promise. */
  readonly onChange: (change: Change<T>) => void | Promise<void>;
  /** After this long everything is listed and told again, which repairs whatever was missed; 10 minutes unless told. */
  readonly resyncMs?: number;
  /** A watch without a word for this long is taken for dead; bookmarks come about once a minute. 120 s unless told. */
  readonly inactivityMs?: number;
  readonly pageSize?: number;
  readonly maxItems?: number;
  readonly maxLineBytes?: number;
  readonly backoff?: Backoff;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly observer?: InformerObserver;
}

/** For metrics. */
export interface InformerObserver {
  listed(objects: number): void;
  event(): void;
  /** A list or watch failed and will be tried again; `code` is the ApiError's. */
  failed(code: string): void;
  handlerFailed(): void;
}

export interface Informer<T extends KubeObject> {
  /** Resolves when the first list was told to the handler; rejects if the informer is stopped before. */
  hasSynced(): Promise<void>;
  list(): readonly T[];
  /** Cluster-scoped objects have no namespace. */
  get(namespace: string | undefined, name: string): T | undefined;
  /** Civil time in milliseconds of the API server's last word (page, event or bookmark): old means that the view is stale. */
  lastEventAt(): number;
  /** Resolves when nothing is running any more; no change is told afterwards. */
  stop(): Promise<void>;
}

const silent: InformerObserver = { listed: () => {}, event: () => {}, failed: () => {}, handlerFailed: () => {} };

/** A watch that the server ends sooner than this without a word counts as a failure, lest we call in a tight circle. */
const shortestHealthyWatchMs = 1_000;

/**
 * Keeps a copy of a kind's objects and tells each change: list -> watch -> (ends) watch -> ... -> (410, resync) list.
 * It never gives up: whatever fails is tried again after a capped, jittered wait. Objects are shared with all readers: don't change them.
 */
export function startInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { cluster, kind, clock = realClock, random = Math.random, logger = defaultLogger, observer = silent } = options;
  const backoff = options.backoff ?? { baseMs: 500, capMs: 30_000 };
  const inactivityMs = options.inactivityMs ?? 120_000;
  const stopping = new AbortController();
  const stopped = (): boolean => stopping.signal.aborted;
  const synced = Promise.withResolvers<void>();
  synced.promise.catch(() => {}); // whoever asked gets the rejection; if nobody did, it is no one's failure
  const selection = {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
  };

  let lastEventAt = clock.now();
  let lastWord = monotonic(clock);
  let resourceVersion: string | undefined;
  let failures = 0;
  let resyncAt = 0;

  const heard = (): void => {
    lastEventAt = clock.now();
    lastWord = monotonic(clock);
  };
  const handlerFailed = (thrown: unknown): void => {
    observer.handlerFailed();
    logger.error({ plural: kind.plural, ...errorFields(thrown) }, 'an informer handler failed');
  };
  const tell = (change: Change<T>): void => {
    if (stopped()) return;
    try {
      Promise.resolve(options.onChange(change)).catch(handlerFailed);
    } catch (thrown) {
      handlerFailed(thrown);
    }
  };
  const store = createObjectStore<T>(tell);

  const relist = async (): Promise<void> => {
    const redeliver = resyncAt !== 0 && monotonic(clock) >= resyncAt;
    const { items, resourceVersion: version } = await cluster.list<T>(kind, {
      ...selection,
      ...(options.pageSize === undefined ? {} : { limit: options.pageSize }),
      ...(options.maxItems === undefined ? {} : { maxItems: options.maxItems }),
      signal: stopping.signal,
    });
    if (stopped()) return;
    heard();
    store.replace(items, redeliver);
    resourceVersion = version;
    resyncAt = monotonic(clock) + (options.resyncMs ?? 600_000) * (0.9 + random() * 0.2);
    observer.listed(items.length);
    synced.resolve();
  };

  /** Aborts the watch when nothing was heard for too long, or when a resync is due. One sleeper per watch, however many events come. */
  const guard = async (watch: AbortController, over: AbortSignal): Promise<void> => {
    for (;;) {
      const now = monotonic(clock);
      const waitMs = Math.min(lastWord + inactivityMs, resyncAt) - now;
      if (waitMs <= 0) return watch.abort();
      await clock.sleep(waitMs, over);
      if (over.aborted) return;
    }
  };

  const watchOnce = async (from: string): Promise<void> => {
    const watch = new AbortController();
    const over = new AbortController();
    const stop = (): void => watch.abort();
    stopping.signal.addEventListener('abort', stop, { once: true });
    const startedAt = monotonic(clock);
    lastWord = startedAt;
    let events = 0;
    const guarded = guard(watch, over.signal);
    try {
      const stream = cluster.rawWatch<T>(kind, {
        ...selection,
        resourceVersion: from,
        timeoutSeconds: Math.round(270 + random() * 60),
        signal: watch.signal,
        ...(options.maxLineBytes === undefined ? {} : { maxLineBytes: options.maxLineBytes }),
      });
      for await (const event of stream) {
        if (stopped()) return;
        heard();
        events += 1;
        failures = 0;
        observer.event();
        resourceVersion = event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? resourceVersion);
        if (event.type !== 'BOOKMARK') store.take(event.type, event.object);
      }
    } catch (thrown) {
      if (!watch.signal.aborted || stopped()) throw thrown;
      if (monotonic(clock) >= resyncAt) return; // not a failure: the list is due
      throw new ApiError('Timeout', 0, `the watch was silent for ${inactivityMs} ms`);
    } finally {
      over.abort();
      stopping.signal.removeEventListener('abort', stop);
      await guarded;
    }
    if (events === 0 && monotonic(clock) - startedAt < shortestHealthyWatchMs)
      throw new ApiError('Unavailable', 200, 'the watch ended as soon as it began');
    failures = 0;
  };

  const step = async (): Promise<void> => {
    if (resourceVersion === undefined || monotonic(clock) >= resyncAt) await relist();
    else await watchOnce(resourceVersion);
  };

  const recover = async (thrown: unknown): Promise<void> => {
    failures += 1;
    observer.failed(isApiError(thrown) ? thrown.code : 'Unknown');
    if (!isTransient(thrown) && !isApiError(thrown, 'Unauthorized', 'Forbidden')) resourceVersion = undefined; // only a new list helps
    if (isApiError(thrown, 'Gone') && failures === 1) return; // ordinary after a compaction: list at once
    const waitMs = Math.max(backoffMs(failures, backoff, random), isApiError(thrown) ? (thrown.retryAfterMs ?? 0) : 0);
    logger.warn({ plural: kind.plural, failures, waitMs, ...errorFields(thrown) }, 'listing or watching failed; trying again');
    await clock.sleep(waitMs, stopping.signal);
  };

  const run = async (): Promise<void> => {
    while (!stopped()) {
      try {
        await step();
      } catch (thrown) {
        if (!stopped()) await recover(thrown);
      }
    }
    synced.reject(new ApiError('Aborted', 0, 'the informer was stopped before its first list'));
  };

  const stop = (): void => stopping.abort();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted === true) stop();
  const running = run().finally(() => options.signal?.removeEventListener('abort', stop));

  return {
    hasSynced: () => synced.promise,
    list: () => store.list(),
    get: (namespace, name) => store.get(namespace, name),
    lastEventAt: () => lastEventAt,
    stop: () => {
      stop();
      return running;
    },
  };
}
