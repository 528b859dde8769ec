import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { InformerObserver } from './informer.ts';
import type { QueueObserver } from './work-queue.ts';

/** Seconds: from a cached read to a request that ran into its timeout. */
const durationBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

interface Instruments {
  readonly depth: Gauge<'queue'>;
  readonly took: Histogram<'queue' | 'outcome'>;
  readonly refused: Counter<'queue'>;
  readonly objects: Gauge<'kind'>;
  readonly events: Counter<'kind'>;
  readonly failures: Counter<'kind' | 'code'>;
}

const instruments = new WeakMap<Registry, Instruments>();

/** One set of instruments a registry: several queues and informers share it, told apart by label. */
function instrumentsOf(registry: Registry): Instruments {
  const made = instruments.get(registry);
  if (made !== undefined) return made;
  const registers = [registry];
  const fresh: Instruments = {
    depth: new Gauge({ name: 'scs_queue_depth', help: 'Keys that wait for a reconcile.', labelNames: ['queue'], registers }),
    took: new Histogram({
      name: 'scs_reconcile_seconds',
      help: 'Duration of a reconcile by its outcome.',
      labelNames: ['queue', 'outcome'],
      buckets: durationBuckets,
      registers,
    }),
    refused: new Counter({ name: 'scs_queue_refused_total', help: 'Keys refused by a full queue.', labelNames: ['queue'], registers }),
    objects: new Gauge({ name: 'scs_informer_objects', help: 'Objects in the last list.', labelNames: ['kind'], registers }),
    events: new Counter({ name: 'scs_informer_events_total', help: 'Watch events, bookmarks included.', labelNames: ['kind'], registers }),
    failures: new Counter({
      name: 'scs_informer_failures_total',
      help: 'Failed lists, watches and handlers by code.',
      labelNames: ['kind', 'code'],
      registers,
    }),
  };
  instruments.set(registry, fresh);
  return fresh;
}

export function queueMetrics(registry: Registry, queue: string): QueueObserver {
  const { depth, took, refused } = instrumentsOf(registry);
  return {
    depth: (keys) => depth.set({ queue }, keys),
    finished: (outcome, tookMs) => took.observe({ queue, outcome }, tookMs / 1000),
    refused: () => refused.inc({ queue }),
  };
}

export function informerMetrics(registry: Registry, kind: string): InformerObserver {
  const { objects, events, failures } = instrumentsOf(registry);
  return {
    listed: (count) => objects.set({ kind }, count),
    event: () => events.inc({ kind }),
    failed: (code) => failures.inc({ kind, code }),
    handlerFailed: () => failures.inc({ kind, code: 'HandlerFailed' }),
  };
}
