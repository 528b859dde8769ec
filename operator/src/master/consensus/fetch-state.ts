/** A snapshot on its way (`fetch.ts`). */
import type { Certificate, MerkleMap } from '@scs/protocol';

export interface Offer {
  readonly certificate: Certificate;
  readonly bytes: Uint8Array;
}
export interface Wanted {
  readonly prefix: string;
  /** Of the subtree, as a part above it says, or the certified root. */
  readonly hash: string;
}
interface Asked extends Wanted {
  readonly at: number;
  readonly tries: number;
}
export interface Fetch {
  /** Whom it asks; undefined while nobody has an offer. */
  readonly from?: number;
  readonly offers: ReadonlyMap<number, Offer>;
  readonly have: MerkleMap;
  /** Subtrees still to be looked at, and those asked for. */
  readonly work: readonly Wanted[];
  readonly asked: ReadonlyMap<string, Asked>;
}
