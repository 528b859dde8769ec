/** Fetches decided blocks from a peer; each counts only with its certificate and its effect here (N6). */
import type { Clock } from '../../kube/clock.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import type { Peer } from './peers.ts';
import type { Replica } from './replica.ts';

/** Blocks taken in one go; the rest comes with the next. */
const MOST = 2_000;
const LONGEST_MS = 30_000;

export class CatchUp {
  readonly #replica: Pick<Replica, 'height' | 'decide'>;
  readonly #peers: readonly Pick<Peer, 'index' | 'sync'>[];
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  /** By peer: one that hangs or lies must not keep blocks of the other away. */
  readonly #running = new Map<number, Promise<void>>();

  constructor(
    replica: Pick<Replica, 'height' | 'decide'>,
    peers: readonly Pick<Peer, 'index' | 'sync'>[],
    logger: Logger,
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.#replica = replica;
    this.#peers = peers;
    this.#logger = logger;
    this.#signal = signal;
    this.#clock = clock;
  }

  /** Resolves when the peer has given what it had, or failed; one at a time from each. Never rejects. */
  from(index: number): Promise<void> {
    const running = this.#running.get(index) ?? this.#run(index).finally(() => this.#running.delete(index));
    this.#running.set(index, running);
    return running;
  }

  async #run(index: number): Promise<void> {
    const peer = this.#peers.find((p) => p.index === index);
    if (!peer || this.#signal.aborted) return;
    const done = new AbortController();
    const late = new AbortController();
    void this.#clock.sleep(LONGEST_MS, done.signal).then(() => late.abort());
    const over = AbortSignal.any([this.#signal, late.signal]);
    const start = this.#replica.height();
    let taken = 0;
    try {
      for await (const { bytes, certificate } of peer.sync(start + 1n, over)) {
        this.#replica.decide(bytes, certificate);
        taken += 1;
        if (taken >= MOST) break;
      }
    } catch (thrown) {
      if (!over.aborted) this.#logger.warn({ peer: index, ...errorFields(thrown) }, 'blocks could not be fetched');
    } finally {
      done.abort();
    }
    if (this.#replica.height() > start)
      this.#logger.info({ peer: index, from: Number(start), to: Number(this.#replica.height()) }, 'caught up');
  }
}
