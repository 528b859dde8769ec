/**
 * The semantic catalogues that this Vault knows (rules S6, C5): the genesis', and later ones as the masters certified them. A task is
 * judged by the one that it was admitted under; what a catalogue's digest does not fit is not it, whoever sends it.
 */
import { decodeRecord, semanticVersion, type Catalogue, type Genesis } from '@scs/protocol';
import type { MastersPort } from '@scs/proto';

/** Governance changes it seldom; what a Vault has seen since its start fits in memory. */
const MOST = 1_000;
const READING = { timeoutMs: 8_000 } as const;

export class Catalogues {
  readonly #known = new Map<string, Catalogue>();
  readonly #masters: Pick<MastersPort, 'getLeaf'>;
  readonly #onLearnt: (catalogue: Catalogue) => Promise<void>;

  /** `onLearnt`: the store's columns follow the catalogue (`VaultStore.learn`). */
  constructor(genesis: Genesis, masters: Pick<MastersPort, 'getLeaf'>, onLearnt: (catalogue: Catalogue) => Promise<void>) {
    this.#masters = masters;
    this.#onLearnt = onLearnt;
    this.#known.set(semanticVersion(genesis.catalogue), genesis.catalogue);
  }

  of(version: string): Catalogue | undefined {
    return this.#known.get(version);
  }

  /** The version in force: so that new columns are there before the first import or task that needs them. Throws like `learn`. */
  async learnInForce(): Promise<void> {
    const leaf = await this.#masters.getLeaf('meta/', READING);
    if (leaf) await this.learn(decodeRecord('meta', leaf.value).semanticVersion);
  }

  /** Asks the masters for a version that is not known yet. Throws MastersUnavailable and StoreError. */
  async learn(version: string): Promise<void> {
    if (this.#known.has(version) || this.#known.size >= MOST) return;
    const leaf = await this.#masters.getLeaf(`catalogue/${version}`, READING);
    if (!leaf) return;
    const catalogue = decodeRecord('catalogue', leaf.value);
    if (semanticVersion(catalogue) !== version) return;
    await this.#onLearnt(catalogue);
    this.#known.set(version, catalogue);
  }
}
