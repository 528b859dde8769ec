/** What is said once something is durable, in order ("stored before said"). */
interface Parcel {
  readonly needs: number;
  readonly send: () => void;
}

export class Outbox {
  readonly #durable: () => number;
  readonly #parcels: Parcel[] = [];
  #sending = false;

  constructor(durable: () => number) {
    this.#durable = durable;
  }
  /** Sent at once when nothing is before it and the store is durable up to `needs`. */
  put(needs: number, send: () => void): void {
    this.#parcels.push({ needs, send });
    this.send();
  }
  /** Sends what may be sent by now. What that leads to is sent after it. */
  send(): void {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#parcels[0] && this.#parcels[0].needs <= this.#durable()) this.#parcels.shift()?.send();
    } finally {
      this.#sending = false;
    }
  }
  waiting(): number {
    return this.#parcels.length;
  }
}
