/** Token buckets by caller: `burst` at once, then `perSecond`. Bounded: the longest unused goes first. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}
interface Bucket {
  readonly left: number;
  readonly atMs: number;
}
const MOST_CALLERS = 20_000;

export class RateLimit {
  readonly #rate: Rate;
  readonly #most: number;
  readonly #buckets = new Map<string, Bucket>();
  constructor(rate: Rate, most = MOST_CALLERS) {
    this.#rate = rate;
    this.#most = most;
  }

  /** False when the caller has to wait. */
  take(caller: string, nowMs: number): boolean {
    const { burst, perSecond } = this.#rate;
    const before = this.#buckets.get(caller) ?? { left: burst, atMs: nowMs };
    const left = Math.min(burst, before.left + (Math.max(0, nowMs - before.atMs) / 1000) * perSecond);
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > this.#most && oldest !== undefined) this.#buckets.delete(oldest);
    return left >= 1;
  }
}
