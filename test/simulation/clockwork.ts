/** Virtual time: what is due first happens first, and of two at one time the earlier planned. */
interface Due {
  readonly at: number;
  readonly run: () => void;
}
export class Clockwork {
  now = 0;
  readonly #due: Due[] = [];

  after(ms: number, run: () => void): void {
    const at = this.now + ms;
    let low = 0;
    let high = this.#due.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#due[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, { at, run });
  }

  /** Runs what is due until that time. Latest first in the array, so the next is its last. */
  until(time: number): void {
    for (let next = this.#due.at(-1); next && next.at <= time; next = this.#due.at(-1)) {
      this.#due.pop();
      this.now = next.at;
      next.run();
    }
    this.now = time;
  }
}
