/** A trusted counter in this process, as the enclave's: for tests. It can be killed, and its answers can be lost. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { attestData, counterReportData, hex, type Attestation } from '@scs/protocol';
import { chipOf, MEASUREMENT } from '@scs/protocol/testing/genesis.ts';
import { CounterGone, type CounterPort } from '../counter-port.ts';
import type { Ui } from '../../messages.ts';
import { uiMessage } from '../../usig.ts';

interface Identity {
  readonly key: string;
  readonly secret: KeyObject;
  last: number;
  readonly given: Map<string, Ui>;
}
const fresh = (): Identity => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return { key: hex(spki.subarray(spki.length - 32)), secret: privateKey, last: 0, given: new Map() };
};

export class LocalCounter implements CounterPort {
  readonly #genesis: string;
  readonly #master: number;
  #identity = fresh();
  /** Answers that get lost on their way, from now on. */
  losing = 0;

  constructor(genesis: string, master: number) {
    this.#genesis = genesis;
    this.#master = master;
  }
  /** The enclave starts anew. */
  kill(): void {
    this.#identity = fresh();
  }
  key(): string {
    return this.#identity.key;
  }

  describe = async () => ({ key: this.#identity.key, last: this.#identity.last });
  createUi = async (key: string, digest: string): Promise<Ui> => {
    const identity = this.#identity;
    if (key !== identity.key) throw new CounterGone('another identity');
    const ui = identity.given.get(digest) ?? this.#next(identity, digest);
    if (this.losing > 0) {
      this.losing -= 1;
      throw new Error('the answer is lost');
    }
    return ui;
  };
  #next(identity: Identity, digest: string): Ui {
    identity.last += 1;
    const ui = { key: identity.key, counter: identity.last, signature: hex(sign(null, uiMessage(identity.last, digest), identity.secret)) };
    identity.given.set(digest, ui);
    return ui;
  }
  forget = async (): Promise<void> => {};
  attest = async (key: string, height: bigint, block: string): Promise<Attestation> => {
    if (key !== this.#identity.key) throw new CounterGone('another identity');
    return attestData(
      chipOf('alder'),
      counterReportData({ genesis: this.#genesis, master: this.#master, key, height, block }),
      MEASUREMENT,
    );
  };
  renew = async (key: string) => {
    if (key === this.#identity.key) this.kill();
    return this.describe();
  };
  close(): void {}
}
