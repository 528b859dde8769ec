import { type Clock, monotonic, realClock } from './clock.ts';
import type { Cluster } from './client.ts';
import { isApiError } from './errors.ts';
import { Lease as leaseKind, apiVersionOf } from './kinds.ts';
import { type Logger, defaultLogger, errorFields } from './logger.ts';
import { microTime } from './micro-time.ts';
import type { Lease } from './objects.ts';

export interface LeaseOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly name: string;
  /** Different for each process: a restarted holder is somebody else. */
  readonly identity: string;
  /** How long others wait after our last renewal before they take over; whole seconds, at least 2,000. */
  readonly durationMs: number;
  /** Renew this often; less than a third of the duration. */
  readonly renewMs: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  /** Called when the lease is ours; the signal aborts before anybody else can have it. */
  readonly onStarted: (signal: AbortSignal) => void | Promise<void>;
  /** Called after each loss, and after a stop while holding. */
  readonly onStopped: () => void;
  readonly signal?: AbortSignal;
}

export interface LeaseHandle {
  /** True only while nobody else can hold the lease: looks at the clock, so it is right even where a timer is late. */
  isHolder(): boolean;
  /** Who held it when last seen. */
  holder(): string | undefined;
  /** Civil time in milliseconds of the API server's last answer. */
  lastContactAt(): number;
  /** Gives the lease back if it is ours; resolves when all is over. */
  stop(): Promise<void>;
}

interface Seen {
  readonly lease: Lease;
  /** When this version was first seen, by our own clock. */
  readonly at: number;
}

/**
 * Leader election over a coordination Lease. Nobody compares clocks: a contender waits a full duration by its own clock from when it saw the
 * last change; the holder counts from before it sent its last accepted renewal and resigns at two thirds. Clocks may be apart by any amount;
 * only their rates matter. A write is made on top of the version seen, so of two contenders one gets a Conflict.
 */
export function runLease(options: LeaseOptions): LeaseHandle {
  const {
    cluster,
    namespace,
    name,
    identity,
    durationMs,
    renewMs,
    clock = realClock,
    random = Math.random,
    logger = defaultLogger,
  } = options;
  if (durationMs % 1000 !== 0 || durationMs < 2000 || renewMs * 3 >= durationMs)
    throw new TypeError('a lease needs whole seconds, and renewMs below a third of them');
  const resignAfterMs = Math.floor((durationMs * 2) / 3);
  const stopping = new AbortController();
  const ref = { kind: leaseKind, namespace, name };
  let seen: Seen | undefined;
  let heldUntil = Number.NEGATIVE_INFINITY;
  let lastContactAt = clock.now();
  let term: AbortController | undefined;

  const observe = (lease: Lease | undefined): void => {
    lastContactAt = clock.now();
    if (lease === undefined) seen = undefined;
    else if (seen?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion) seen = { lease, at: monotonic(clock) };
  };

  /** Whether the lease may be ours to take: nobody's, our own, or unchanged for as long as its holder asked for. */
  const free = ({ lease, at }: Seen): boolean => {
    const holder = lease.spec?.holderIdentity ?? '';
    const theirMs = Math.min(Math.max(lease.spec?.leaseDurationSeconds ?? 0, 1) * 1000, 10 * durationMs);
    return holder === '' || holder === identity || monotonic(clock) >= at + theirMs;
  };

  const wanted = (now: Lease | undefined, holder: string): Lease => {
    const spec = now?.spec ?? {};
    const kept = spec.holderIdentity === holder;
    const time = microTime(clock.now());
    return {
      apiVersion: apiVersionOf(leaseKind),
      kind: leaseKind.kind,
      metadata: now?.metadata ?? { namespace, name },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: holder === '' ? 1 : durationMs / 1000,
        acquireTime: kept ? (spec.acquireTime ?? time) : time,
        renewTime: time,
        leaseTransitions: (spec.leaseTransitions ?? 0) + (kept || holder === '' ? 0 : 1),
      },
    };
  };

  const write = async (lease: Lease, signal: AbortSignal): Promise<Lease> => {
    const call = { attempts: 1, timeoutMs: renewMs, signal };
    return lease.metadata.resourceVersion === undefined ? cluster.create(lease, call) : cluster.replace(lease, call);
  };

  /** One look and, where it may, one attempt to take or renew. True if the lease is ours now. */
  const attempt = async (): Promise<boolean> => {
    if (seen === undefined || seen.lease.spec?.holderIdentity !== identity) {
      observe(await cluster.get<Lease>(ref, { attempts: 1, timeoutMs: renewMs, signal: stopping.signal }));
    }
    if (seen !== undefined && !free(seen)) return false;
    const sentAt = monotonic(clock);
    try {
      observe(await write(wanted(seen?.lease, identity), stopping.signal));
    } catch (thrown) {
      seen = undefined; // our picture may be stale: read first. A rival's waiting time starts anew, which is on the safe side
      throw thrown;
    }
    heldUntil = sentAt + resignAfterMs;
    return true;
  };

  const isHolder = (): boolean => term !== undefined && !term.signal.aborted && monotonic(clock) < heldUntil;

  const start = (): void => {
    const mine = new AbortController();
    term = mine;
    logger.info({ lease: name, identity }, 'lease taken');
    const failed = (thrown: unknown): void => {
      logger.error({ lease: name, ...errorFields(thrown) }, 'the work under the lease failed; it starts again with the next term');
      resign(mine);
    };
    try {
      Promise.resolve(options.onStarted(mine.signal)).catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
    void resignInTime(mine);
  };

  /** Ends the term at its deadline, whatever the renewals are doing. */
  const resignInTime = async (mine: AbortController): Promise<void> => {
    while (!mine.signal.aborted && monotonic(clock) < heldUntil) await clock.sleep(heldUntil - monotonic(clock), mine.signal);
    resign(mine);
  };

  const resign = (mine: AbortController | undefined): void => {
    if (mine === undefined || mine.signal.aborted) return;
    mine.abort();
    if (term === mine) term = undefined;
    logger.info({ lease: name, identity }, 'lease left');
    try {
      options.onStopped();
    } catch (thrown) {
      logger.error({ lease: name, ...errorFields(thrown) }, 'the handler of a lost lease failed');
    }
  };

  const turn = async (): Promise<void> => {
    try {
      const ours = await attempt();
      if (ours && term === undefined && !stopping.signal.aborted) start();
      if (!ours) resign(term);
    } catch (thrown) {
      if (isApiError(thrown, 'Conflict', 'AlreadyExists') || stopping.signal.aborted) return; // somebody else was faster: an ordinary outcome
      logger.warn({ lease: name, ...errorFields(thrown) }, 'the lease could not be read or renewed');
    }
  };

  const giveBack = async (): Promise<void> => {
    resign(term);
    if (seen?.lease.spec?.holderIdentity !== identity) return;
    try {
      await write(wanted(seen.lease, ''), new AbortController().signal);
    } catch (thrown) {
      logger.warn({ lease: name, ...errorFields(thrown) }, 'the lease was not given back; it expires by itself');
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await turn();
      await clock.sleep(renewMs * (0.8 + random() * 0.4), stopping.signal);
    }
    await giveBack();
  };

  const stop = (): void => stopping.abort();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted === true) stop();
  const running = run();

  return {
    isHolder,
    holder: () => seen?.lease.spec?.holderIdentity,
    lastContactAt: () => lastContactAt,
    stop: () => {
      stop();
      return running;
    },
  };
}
