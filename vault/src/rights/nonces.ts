/** Nonces of signed requests, each taken once. Kept in memory until they expire: what was signed before this process began is refused. */
import { CLOCK_AHEAD_SECONDS, type SignedBy } from './signed-request.ts';

export type Taken = 'fresh' | 'replayed' | 'full';
const MOST = 50_000;

export class Nonces {
  readonly #expiry = new Map<string, number>();
  readonly #beganMs: number;
  readonly #most: number;
  constructor(beganMs: number, most = MOST) {
    this.#beganMs = beganMs;
    this.#most = most;
  }

  /** Only for a verified signature, or strangers would fill it. */
  take({ publicKey, nonce, created, expires }: SignedBy, nowMs: number): Taken {
    // A process before this one may have answered it, were its signer's clock as far ahead as is allowed.
    if (created * 1000 <= this.#beganMs + CLOCK_AHEAD_SECONDS * 1000) return 'replayed';
    const name = `${publicKey} ${nonce}`;
    if (this.#expiry.has(name)) return 'replayed';
    if (this.#expiry.size >= this.#most) this.#forget(nowMs);
    if (this.#expiry.size >= this.#most) return 'full';
    this.#expiry.set(name, expires * 1000);
    return 'fresh';
  }
  #forget(nowMs: number): void {
    for (const [name, expiresMs] of this.#expiry) if (expiresMs <= nowMs) this.#expiry.delete(name);
  }
}
