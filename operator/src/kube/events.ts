import { createHash } from 'node:crypto';
import { type Clock, monotonic, realClock } from './clock.ts';
import type { Cluster } from './client.ts';
import { Event as eventKind, apiVersionOf } from './kinds.ts';
import { type Logger, defaultLogger, errorFields } from './logger.ts';
import { microTime } from './micro-time.ts';
import type { KubeEvent, KubeObject } from './objects.ts';
import { cutUtf8 } from './text.ts';

export interface Occurrence {
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** PascalCase and stable: the same word as the condition's reason. */
  readonly reason: string;
  /** What was done or tried, PascalCase. */
  readonly action: string;
  /** For a person; cut at 1 KiB. Never a secret, a record or a count of people. */
  readonly note: string;
}

export interface EventRecorder {
  /** Returns at once and never throws. Occurrences that differ in nothing but time become one event with a count. */
  record(occurrence: Occurrence): void;
  /** Resolves when what was recorded so far is written or given up. */
  flush(): Promise<void>;
  counts(): { readonly written: number; readonly failed: number; readonly dropped: number };
}

export interface EventRecorderOptions {
  readonly cluster: Cluster;
  /** `reportingController`, a qualified name such as `scp.symphony.foundation/master`. */
  readonly controller: string;
  /** `reportingInstance`: the pod's name. */
  readonly instance: string;
  /** Events a second in the long run, and how many at once; 5 and 25 unless told. */
  readonly perSecond?: number;
  readonly burst?: number;
  readonly maxWaiting?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

const noteBytes = 1024;
const nameBytes = 128;
/** A series ends when it was quiet for this long; its next occurrence is a new event. */
const seriesMs = 6 * 60_000;
const seriesAtMost = 4096;

interface Series {
  readonly event: KubeEvent;
  count: number;
  lastAt: number;
  /** Written counts so far: 1 for the event without a series. */
  written: number;
}

/** Refills by time; holds at most `burst`. */
function tokenBucket(clock: Clock, perSecond: number, burst: number): () => boolean {
  let tokens = burst;
  let at = monotonic(clock);
  return () => {
    const now = monotonic(clock);
    tokens = Math.min(burst, tokens + ((now - at) / 1000) * perSecond);
    at = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

/**
 * Writes events.k8s.io/v1 events in the background. First and repeated occurrences go the same way, a server-side apply under a name made from
 * what happened and when it began, so that a lost answer is simply repeated. Beyond the rate an occurrence is counted in its series, or dropped.
 */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { cluster, controller, instance, clock = realClock, logger = defaultLogger, maxWaiting = 1000 } = options;
  const affordable = tokenBucket(clock, options.perSecond ?? 5, options.burst ?? 25);
  const series = new Map<string, Series>();
  const dirty = new Set<Series>();
  const counts = { written: 0, failed: 0, dropped: 0 };
  let pumping: Promise<void> | undefined;

  const seriesOf = (occurrence: Occurrence): Series => {
    const key = seriesKey(occurrence);
    const now = clock.now();
    const known = series.get(key);
    series.delete(key); // what happened last goes to the end: the front is what to forget first
    const current = known !== undefined && now - known.lastAt < seriesMs ? known : begin(key, occurrence, now);
    current.count += 1;
    current.lastAt = now;
    series.set(key, current);
    const oldest = series.keys().next();
    if (series.size > seriesAtMost && oldest.done !== true) series.delete(oldest.value);
    return current;
  };

  const begin = (key: string, occurrence: Occurrence, now: number): Series => ({
    event: eventFor(key, occurrence, now, controller, instance),
    count: 0,
    lastAt: now,
    written: 0,
  });

  /** A series is written at its 1st, 2nd, 4th, 8th ... occurrence: the count stays true to a factor of two and the API server unharmed. */
  const worthWriting = (s: Series): boolean => s.written === 0 || s.count >= s.written * 2;

  const write = async (s: Series): Promise<void> => {
    const count = s.count;
    const repeated = count < 2 ? {} : { series: { count, lastObservedTime: microTime(s.lastAt) } };
    try {
      await cluster.apply<KubeEvent>({ ...s.event, ...repeated }, options.signal === undefined ? {} : { signal: options.signal });
      s.written = count;
      counts.written += 1;
    } catch (thrown) {
      counts.failed += 1;
      logger.warn({ reason: s.event.reason, ...errorFields(thrown) }, 'an event could not be written');
    }
  };

  const pump = async (): Promise<void> => {
    for (const s of dirty) {
      dirty.delete(s);
      await write(s);
    }
    pumping = undefined;
  };

  const take = (occurrence: Occurrence): void => {
    const s = seriesOf(occurrence);
    if (dirty.has(s) || !worthWriting(s)) return;
    if (dirty.size >= maxWaiting || !affordable()) {
      counts.dropped += 1;
      return;
    }
    dirty.add(s);
    pumping ??= pump();
  };

  return {
    record: (occurrence) => {
      try {
        take(occurrence);
      } catch (thrown) {
        counts.failed += 1;
        logger.error({ reason: occurrence.reason, ...errorFields(thrown) }, 'an event could not be made');
      }
    },
    flush: async () => {
      while (pumping !== undefined) await pumping;
    },
    counts: () => ({ ...counts }),
  };
}

const seriesKey = ({ regarding, type, reason, action, note }: Occurrence): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        regarding.kind,
        regarding.metadata.namespace,
        regarding.metadata.name,
        regarding.metadata.uid,
        type,
        reason,
        action,
        note,
      ]),
    )
    .digest('hex')
    .slice(0, 16);

function eventFor(
  key: string,
  { regarding, type, reason, action, note }: Occurrence,
  now: number,
  controller: string,
  instance: string,
): KubeEvent {
  const { name, namespace, uid, resourceVersion } = regarding.metadata;
  return {
    apiVersion: apiVersionOf(eventKind),
    kind: eventKind.kind,
    // events about cluster-scoped objects live in `default`
    metadata: { name: `${name.slice(0, 200)}.${now.toString(16)}.${key}`, namespace: namespace ?? 'default' },
    eventTime: microTime(now),
    reportingController: cutUtf8(controller, nameBytes),
    reportingInstance: cutUtf8(instance, nameBytes),
    type,
    reason: cutUtf8(reason, nameBytes),
    action: cutUtf8(action, nameBytes),
    note: cutUtf8(note, noteBytes),
    regarding: {
      ...(regarding.apiVersion === undefined ? {} : { apiVersion: regarding.apiVersion }),
      ...(regarding.kind === undefined ? {} : { kind: regarding.kind }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      name,
    },
  };
}
