/**
 * When a Vault speaks (rule B4): how long an answer or a release took tells of how much was there. So it goes out at the end of its
 * time class, of eight a power of two: neighbouring data are in the same one but for the rare case at its edge.
 */
export interface PaceClock {
  /** Milliseconds of a clock that only goes on. */
  now(): number;
  sleep(ms: number): Promise<void>;
}
const SMALLEST_MS = 32;
const MOST = 10_000;

/** At most an eighth later, from a quarter of a second on. */
export const timeClass = (ms: number): number => {
  let step = SMALLEST_MS;
  while (step * 16 <= ms) step *= 2;
  return Math.max(SMALLEST_MS, Math.ceil(ms / step) * step);
};

export class Pace {
  readonly #clock: PaceClock;
  readonly #began = new Map<string, number>();
  constructor(clock: PaceClock) {
    this.#clock = clock;
  }

  /** Anew at each call: what ran before, ran on other data. */
  begin(what: string): void {
    this.#began.delete(what);
    this.#began.set(what, this.#clock.now());
    const oldest = this.#began.keys().next().value;
    if (this.#began.size > MOST && oldest !== undefined) this.#began.delete(oldest);
  }
  /** Resolves when what began may be told of; at once when nothing is known of it, as after a restart. */
  async due(what: string): Promise<void> {
    const began = this.#began.get(what);
    if (began === undefined) return;
    const passed = this.#clock.now() - began;
    await this.#clock.sleep(timeClass(passed) - passed);
    this.#began.delete(what);
  }
}
