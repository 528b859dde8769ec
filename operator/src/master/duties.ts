/**
 * What the primary owes after decisions (rule N6): status of the resources, what the chain is to be told. The other masters look later,
 * and do what is left undone; a primary of whom that is said too often loses its view.
 */
import { type Clock, monotonic } from '../kube/clock.ts';

export interface DutiesOptions {
  /** View of the agreement now. */
  readonly view: () => number;
  readonly clock: Clock;
  readonly onNeglected: (view: number, what: string) => void;
}
/** A primary is given so long, milliseconds, before anything is held against it; each accusation doubles that for the next. */
const GRACE_MS = 10_000;
const GRACE_MOST_MS = 320_000;
/** Status that was repaired: a busy primary may be late now and then. One piece of work for the chain weighs as much as all of them. */
const REPAIRS_MOST = 10;

export class Duties {
  readonly #o: DutiesOptions;
  #view = -1;
  #since = 0;
  #repairs = 0;
  #graceMs = GRACE_MS;

  constructor(options: DutiesOptions) {
    this.#o = options;
  }

  /** This master, which does not lead, found a status wrong long after it was decided. */
  repaired(what: string): void {
    if (!this.#isEstablished()) return;
    this.#repairs += 1;
    if (this.#repairs >= REPAIRS_MOST) this.#accuse(what);
  }
  /** This master, which does not lead, has brought to the chain what had waited for long. */
  landed(what: string): void {
    if (this.#isEstablished()) this.#accuse(what);
  }

  /** Whether the view is as old as its primary's grace; what is left of an earlier primary's is not held against it. */
  #isEstablished(): boolean {
    const { view, clock } = this.#o;
    const now = monotonic(clock);
    if (view() !== this.#view) {
      this.#view = view();
      this.#since = now;
      this.#repairs = 0;
    }
    return now - this.#since >= this.#graceMs;
  }
  #accuse(what: string): void {
    this.#repairs = 0;
    this.#graceMs = Math.min(this.#graceMs * 2, GRACE_MOST_MS);
    this.#o.onNeglected(this.#view, what);
  }
}
