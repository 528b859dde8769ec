/** Messages between masters: delayed, and so reordered; lost, repeated, cut off. */
import type { FormationWire } from '@scs/operator/master/consensus/formation-step.ts';
import type { Wire } from '@scs/operator/master/consensus/messages.ts';
import type { Clockwork } from './clockwork.ts';

/** In the simulation a counter's key is its attestation. */
export type Said = Wire | FormationWire<string>;

export interface Weather {
  lossRate: number;
  repeatRate: number;
  delayMs: number;
}
export class Network {
  readonly weather: Weather = { lossRate: 0, repeatRate: 0, delayMs: 5 };
  /** Pairs `a-b` that hear nothing of each other. */
  readonly cut = new Set<string>();
  readonly #clockwork: Clockwork;
  readonly #random: () => number;
  readonly #deliver: (from: number, to: number, wire: Said) => void;
  constructor(clockwork: Clockwork, random: () => number, deliver: (from: number, to: number, wire: Said) => void) {
    this.#clockwork = clockwork;
    this.#random = random;
    this.#deliver = deliver;
  }

  separate(a: number, b: number): void {
    this.cut.add(`${a}-${b}`).add(`${b}-${a}`);
  }
  heal(): void {
    this.cut.clear();
    Object.assign(this.weather, { lossRate: 0, repeatRate: 0, delayMs: 5 });
  }

  send(from: number, to: number, wire: Said): void {
    const { lossRate, repeatRate, delayMs } = this.weather;
    const times = this.#random() < lossRate ? 0 : this.#random() < repeatRate ? 2 : 1;
    for (let i = 0; i < times; i += 1)
      this.#clockwork.after(1 + this.#random() * delayMs, () => {
        if (!this.cut.has(`${from}-${to}`)) this.#deliver(from, to, wire);
      });
  }
}
