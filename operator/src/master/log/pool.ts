/** Commands submitted to this master that wait for their block: bounded in number, bytes and time. */
import { blobDigest, encodeCommand, type Command } from '@scs/protocol';
import type { Clock } from '../../kube/clock.ts';
import type { Decision } from './log.ts';

export interface PoolOptions {
  readonly clock: Clock;
  readonly maxCommands?: number;
  readonly maxBytes?: number;
  /** A command that isn't decided after this long is answered `TimedOut`. */
  readonly timeoutMs?: number;
}
interface Waiting {
  readonly command: Command;
  readonly size: number;
  readonly decision: PromiseWithResolvers<Decision>;
  readonly expires: AbortController;
}

export class Pool {
  readonly #clock: Clock;
  readonly #maxCommands: number;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;

  constructor({ clock, maxCommands = 5_000, maxBytes = 64 * 1024 * 1024, timeoutMs = 9_000 }: PoolOptions) {
    this.#clock = clock;
    this.#maxCommands = maxCommands;
    this.#maxBytes = maxBytes;
    this.#timeoutMs = timeoutMs;
  }

  /** `fresh` is false when the same command waits already. */
  add(command: Command): { readonly decision: Promise<Decision>; readonly fresh: boolean } {
    const bytes = encodeCommand(command);
    const digest = blobDigest(bytes);
    const known = this.#waiting.get(digest);
    if (known) return { decision: known.decision.promise, fresh: false };
    if (this.#waiting.size >= this.#maxCommands || this.#bytes + bytes.length > this.#maxBytes)
      return { decision: Promise.resolve({ ok: false, code: 'Busy', message: 'too many commands wait; try again' }), fresh: false };
    const waiting: Waiting = { command, size: bytes.length, decision: Promise.withResolvers<Decision>(), expires: new AbortController() };
    this.#waiting.set(digest, waiting);
    this.#bytes += bytes.length;
    void this.#clock.sleep(this.#timeoutMs, waiting.expires.signal).then(() => {
      this.#settle(digest, { ok: false, code: 'TimedOut', message: `not decided within ${this.#timeoutMs} ms; it may still be` });
    });
    return { decision: waiting.decision.promise, fresh: true };
  }

  commands(): readonly Command[] {
    return [...this.#waiting.values()].map((w) => w.command);
  }
  size(): number {
    return this.#waiting.size;
  }
  /** A block with these commands was decided. */
  decided(commands: readonly Command[], height: bigint): void {
    if (this.#waiting.size === 0) return;
    for (const command of commands) this.#settle(blobDigest(encodeCommand(command)), { ok: true, height });
  }
  refused(command: Command, code: string, message: string): void {
    this.#settle(blobDigest(encodeCommand(command)), { ok: false, code, message });
  }
  close(): void {
    for (const digest of this.#waiting.keys()) this.#settle(digest, { ok: false, code: 'TimedOut', message: 'this master is stopping' });
  }

  #settle(digest: string, decision: Decision): void {
    const waiting = this.#waiting.get(digest);
    if (!waiting) return;
    this.#waiting.delete(digest);
    this.#bytes -= waiting.size;
    waiting.expires.abort();
    waiting.decision.resolve(decision);
  }
}
