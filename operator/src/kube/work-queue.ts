import { type Backoff, backoffMs } from './backoff.ts';
import { type Clock, monotonic, realClock } from './clock.ts';
import { type Logger, defaultLogger, errorFields } from './logger.ts';

/** What a reconcile may ask for; nothing means: until something changes. */
export interface Requeue {
  readonly requeueAfterMs?: number;
}

export interface WorkQueueOptions<K extends string> {
  /** Brings the world nearer to what the key's objects want. Throws only what another try may mend. Should heed the signal. */
  readonly reconcile: (key: K, signal: AbortSignal) => Promise<Requeue | void>;
  readonly concurrency: number;
  /** Keys waiting at most, those waiting for a time included; 100,000 unless told. One more is refused and counted: a resync brings it again. */
  readonly maxDepth?: number;
  readonly backoff?: Backoff;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly observer?: QueueObserver;
}

/** For metrics. */
export interface QueueObserver {
  depth(keys: number): void;
  finished(outcome: 'done' | 'requeued' | 'failed', tookMs: number): void;
  refused(): void;
}

export interface WorkQueue<K extends string> {
  /** Asks for a reconcile of `key`; many asks before it starts are one. False if the queue is full or stopped. */
  add(key: K): boolean;
  /** The same, `ms` from now; of several such wishes the earliest counts. */
  addAfter(key: K, ms: number): boolean;
  /** Keys that wait, without those that wait for a time. */
  depth(): number;
  /** Civil time in milliseconds since when nothing has moved; now, where there is nothing to do. A reconcile that hangs makes it old. */
  lastProgressAt(): number;
  /** Takes no more, runs what waits, and at the end of the grace tells the rest to stop. Resolves with the number of keys given up. */
  stop(graceMs?: number): Promise<number>;
}

const silent: QueueObserver = { depth: () => {}, finished: () => {}, refused: () => {} };

/**
 * Keys to be reconciled: each at most once in the queue and at most once in work. A key asked for while in work runs again afterwards.
 *
 *     add -> waiting -> running -> done
 *              ^          |-- asked for again, in work --> waiting
 *              |          `-- failed, requeueAfterMs ----> delayed
 *              `------------------------------------------- due
 */
export function createWorkQueue<K extends string>(options: WorkQueueOptions<K>): WorkQueue<K> {
  const { reconcile, concurrency, clock = realClock, random = Math.random, logger = defaultLogger, observer = silent } = options;
  const maxDepth = options.maxDepth ?? 100_000;
  const backoff = options.backoff ?? { baseMs: 200, capMs: 60_000 };
  const waiting = new Set<K>();
  const running = new Map<K, { readonly startedAt: number; again: boolean }>();
  const delayed = new Map<K, { readonly dueAt: number; readonly cancel: AbortController }>();
  const failures = new Map<K, number>();
  const giveUp = new AbortController();
  const idle = new Set<() => void>();
  let open = true;

  const fits = (): boolean => {
    if (open && waiting.size + delayed.size < maxDepth) return true;
    if (open) observer.refused();
    return false;
  };

  const add = (key: K): boolean => {
    const inWork = running.get(key);
    if (open && inWork !== undefined) inWork.again = true;
    if (open && (inWork !== undefined || waiting.has(key))) return true;
    if (!fits()) return false;
    waiting.add(key);
    observer.depth(waiting.size);
    startMore();
    return true;
  };

  const addAfter = (key: K, ms: number): boolean => {
    if (ms <= 0) return add(key);
    const dueAt = monotonic(clock) + ms;
    const earlier = delayed.get(key);
    if (open && earlier !== undefined && earlier.dueAt <= dueAt) return true;
    if (earlier === undefined && !fits()) return false;
    if (!open) return false;
    earlier?.cancel.abort();
    const cancel = new AbortController();
    delayed.set(key, { dueAt, cancel });
    void clock.sleep(ms, cancel.signal).then(() => {
      if (cancel.signal.aborted) return;
      delayed.delete(key);
      add(key);
    });
    return true;
  };

  const run = async (key: K): Promise<void> => {
    const mine = { startedAt: clock.now(), again: false };
    const from = monotonic(clock);
    running.set(key, mine);
    let requeueAfterMs: number | undefined;
    let failed = false;
    try {
      requeueAfterMs = (await reconcile(key, giveUp.signal))?.requeueAfterMs;
      failures.delete(key);
      observer.finished(requeueAfterMs === undefined ? 'done' : 'requeued', monotonic(clock) - from);
    } catch (thrown) {
      const count = (failures.get(key) ?? 0) + 1;
      if (open) failures.set(key, count);
      failed = true;
      requeueAfterMs = backoffMs(count, backoff, random);
      observer.finished('failed', monotonic(clock) - from);
      logger.warn({ key, failures: count, retryInMs: requeueAfterMs, ...errorFields(thrown) }, 'reconcile failed; trying again');
    }
    running.delete(key);
    if (requeueAfterMs !== undefined) addAfter(key, requeueAfterMs);
    if (mine.again && !failed) add(key); // what failed waits, whatever happened meanwhile
    startMore();
  };

  const startMore = (): void => {
    for (const key of waiting) {
      if (running.size >= concurrency || giveUp.signal.aborted) break;
      waiting.delete(key);
      void run(key);
    }
    observer.depth(waiting.size);
    if (running.size === 0) for (const tell of idle) tell();
  };

  const settled = (): Promise<void> =>
    running.size === 0 && waiting.size === 0 ? Promise.resolve() : new Promise((resolve) => idle.add(resolve));

  return {
    add,
    addAfter,
    depth: () => waiting.size,
    lastProgressAt: () => Math.min(clock.now(), ...[...running.values()].map((r) => r.startedAt)),
    stop: async (graceMs = 10_000) => {
      open = false;
      for (const { cancel } of delayed.values()) cancel.abort();
      delayed.clear();
      const over = new AbortController();
      const grace = clock.sleep(graceMs, over.signal);
      await Promise.race([settled(), grace]);
      over.abort();
      const left = running.size + waiting.size;
      giveUp.abort();
      waiting.clear();
      return left;
    },
  };
}
