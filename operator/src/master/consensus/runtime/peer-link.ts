/**
 * The way to one other master: a stream that is opened again after failures, with a bounded queue before it. What doesn't fit is
 * dropped, the oldest first: the agreement sends again whatever a peer says it lacks. A peer that is slow or away costs nobody else.
 */
import { backoffMs } from '../../../kube/backoff.ts';
import type { Clock } from '../../../kube/clock.ts';
import type { Packet } from './wire-codec.ts';

/** One attempt at a stream. */
export interface Channel {
  /** False: full for now, see `drained`. */
  write(packet: Packet): boolean;
  drained(): Promise<void>;
  /** Resolves when the stream is over, however it ended. */
  readonly ended: Promise<void>;
  close(): void;
}
export interface PeerLinkOptions {
  readonly open: () => Channel;
  readonly clock: Clock;
  readonly random: () => number;
  readonly mostPackets?: number;
  readonly mostBytes?: number;
}

const retry = { baseMs: 50, capMs: 2_000 };
/** A stream that held this long was a good one: the next failure is the first again. */
const GOOD_MS = 5_000;
const sizeOf = ({ header, payload }: Packet): number => header.length + payload.length;

export class PeerLink {
  readonly #o: Required<PeerLinkOptions>;
  readonly #queue: Packet[] = [];
  readonly #stopping = new AbortController();
  #bytes = 0;
  #dropped = 0;
  #channel: Channel | undefined;
  #full = false;
  #running: Promise<void> | undefined;

  constructor(options: PeerLinkOptions) {
    this.#o = { mostPackets: 4_096, mostBytes: 32 * 1024 * 1024, ...options };
  }

  start(): void {
    this.#running ??= this.#run();
  }
  /** At once when the way is free. */
  send(packet: Packet): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#channel && !this.#full && this.#queue.length === 0) {
      this.#write(this.#channel, packet);
      return;
    }
    this.#queue.push(packet);
    this.#bytes += sizeOf(packet);
    while (this.#queue.length > this.#o.mostPackets || this.#bytes > this.#o.mostBytes) {
      const oldest = this.#queue.shift();
      if (!oldest) return;
      this.#bytes -= sizeOf(oldest);
      this.#dropped += 1;
    }
  }
  waiting(): number {
    return this.#queue.length;
  }
  dropped(): number {
    return this.#dropped;
  }
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#channel?.close();
    await this.#running;
  }

  #write(channel: Channel, packet: Packet): void {
    if (channel.write(packet)) return;
    this.#full = true;
    void channel.drained().then(() => {
      if (this.#channel !== channel) return;
      this.#full = false;
      this.#flush(channel);
    });
  }
  #flush(channel: Channel): void {
    while (!this.#full) {
      const next = this.#queue.shift();
      if (!next) return;
      this.#bytes -= sizeOf(next);
      this.#write(channel, next);
    }
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#o;
    const { signal } = this.#stopping;
    for (let failures = 1; !signal.aborted; failures += 1) {
      const began = clock.now();
      const channel = this.#o.open();
      this.#channel = channel;
      this.#full = false;
      this.#flush(channel);
      await channel.ended;
      this.#channel = undefined;
      if (clock.now() - began > GOOD_MS) failures = 1;
      await clock.sleep(backoffMs(failures, retry, random), signal);
    }
  }
}
