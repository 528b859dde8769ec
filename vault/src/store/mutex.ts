/** One at a time, first come first served, with a bounded queue. */
export class Busy extends Error {
  readonly code = 'Busy';
  constructor(waiting: number) {
    super(`${waiting} writers wait already`);
    this.name = 'Busy';
  }
}

export class Mutex {
  readonly #limit: number;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  /** Throws Busy when too many wait; otherwise what `work` gives or throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#limit) throw new Busy(this.#waiting);
    this.#waiting++;
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tail = promise;
    await before;
    try {
      return await work();
    } finally {
      this.#waiting--;
      resolve();
    }
  }
}
