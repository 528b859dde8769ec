/**
 * MinBFT's USIG (Veronese et al., IEEE TC 2013, section 3; rules N2, N7): a counter that never repeats a value and never skips one, and
 * an Ed25519 key that signs value and digest. Both are made at the start and live in this process's memory alone: a restart is another
 * identity. The same digest gets the same value again until it is forgotten, so a reply that was lost mutes nobody.
 */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { concat, counterReportData, fromHex, hex, utf8, type Attestation } from '@scs/protocol';
import type { Tee } from './attest.ts';

export interface Ui {
  readonly counter: number;
  /** Hex of 64 bytes. */
  readonly signature: string;
}
export type CounterFault =
  /** Another identity is meant: this process has started anew since. */
  | { readonly code: 'OtherIdentity'; readonly message: string }
  | { readonly code: 'DigestMalformed'; readonly message: string }
  /** Its master never tells it to forget. A value must not be forgotten unasked: so none is given out any more. */
  | { readonly code: 'CounterFull'; readonly message: string };
export type CreatedUi = { readonly ok: true; readonly ui: Ui } | { readonly ok: false; readonly fault: CounterFault };

/** Values remembered at most: many times what a master says between two checkpoints. */
export const MOST_REMEMBERED = 65_536;

/** As the masters verify it (operator/src/master/consensus/usig.ts); the tag keeps it apart from every other signature. */
const message = (counter: number, digest: string): Uint8Array => {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(counter));
  return concat(utf8('SCS::usig::v1'), value, fromHex(digest));
};

export class TrustedCounter {
  readonly #most: number;
  #key: KeyObject;
  #publicKey: string;
  #last = 0;
  #given = new Map<string, Ui>();

  constructor(most = MOST_REMEMBERED) {
    this.#most = most;
    [this.#key, this.#publicKey] = freshKey();
  }

  /** Hex of 32 bytes. */
  key(): string {
    return this.#publicKey;
  }
  last(): number {
    return this.#last;
  }

  createUi(key: string, digest: string): CreatedUi {
    if (key !== this.#publicKey) return { ok: false, fault: { code: 'OtherIdentity', message: 'this counter has another key by now' } };
    if (!/^[0-9a-f]{64}$/.test(digest)) return { ok: false, fault: { code: 'DigestMalformed', message: 'a digest has 32 bytes' } };
    const known = this.#given.get(digest);
    if (known) return { ok: true, ui: known };
    if (this.#given.size >= this.#most)
      return { ok: false, fault: { code: 'CounterFull', message: `${this.#most} values are remembered and none was forgotten` } };
    const counter = this.#last + 1;
    const ui = { counter, signature: hex(sign(null, message(counter, digest), this.#key)) };
    this.#last = counter;
    this.#given.set(digest, ui);
    return { ok: true, ui };
  }

  forget(key: string, below: number): void {
    if (key !== this.#publicKey) return;
    for (const [digest, { counter }] of this.#given) {
      if (counter >= below) return; // in order of value
      this.#given.delete(digest);
    }
  }

  /** Another identity in place of this one; nothing if it is another already. */
  renew(key: string): void {
    if (key !== this.#publicKey) return;
    [this.#key, this.#publicKey] = freshKey();
    this.#last = 0;
    this.#given = new Map();
  }

  /** undefined when another identity is meant. */
  attest(
    tee: Tee,
    about: { genesis: string; master: number; key: string; height: bigint; block: string },
  ): Promise<Attestation> | undefined {
    return about.key === this.#publicKey ? tee.report(counterReportData(about)) : undefined;
  }
}

const freshKey = (): [KeyObject, string] => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return [privateKey, hex(spki.subarray(spki.length - 32))];
};
