/** Texts that were ever added, in as much memory as one text takes: "no" is certain, "maybe" is not (a Bloom filter). */
import { hash } from 'node:crypto';

/** 4 MiB: of two million texts one other in 1,000 is a maybe; of more than that, more. */
const BITS = 2 ** 25;
const PROBES = 8;

export class MaybeSet {
  readonly #bits: Uint8Array;
  /** `bits`: a power of two. */
  constructor(bits = BITS) {
    this.#bits = new Uint8Array(bits / 8);
  }

  add(text: string): void {
    for (const place of this.#places(text)) this.#bits[place >>> 3]! |= 1 << (place & 7);
  }
  /** False: it was never added. */
  maybe(text: string): boolean {
    return this.#places(text).every((place) => (this.#bits[place >>> 3]! >> (place & 7)) & 1);
  }
  #places(text: string): readonly number[] {
    const digest = hash('sha256', text, 'buffer');
    return Array.from({ length: PROBES }, (_, i) => digest.readUInt32LE(4 * i) % (this.#bits.length * 8));
  }
}
