/** What the peers last said of themselves, and when any of them was heard at all (rule N7: alone, a master decides nothing). */

/** Peers say how they stand several times a second; without a word for so long they are away. */
const AWAY_MS = 5_000;

export class PeersHeard {
  readonly #now: () => number;
  readonly #heights = new Map<number, bigint>();
  #heardAt: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#heardAt = now();
  }
  /** A peer said something; `certified`, the height of its last certified block if that was in it. */
  note(from: number, certified?: bigint): void {
    this.#heardAt = this.#now();
    if (certified !== undefined) this.#heights.set(from, certified);
  }
  /** By its last word; 0 before the first. */
  heightOf(peer: number): bigint {
    return this.#heights.get(peer) ?? 0n;
  }
  /** No peer was heard for seconds. */
  allAway(): boolean {
    return this.#now() - this.#heardAt > AWAY_MS;
  }
}
