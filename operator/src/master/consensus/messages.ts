/**
 * What masters say to each other (MinBFT, Veronese et al., IEEE TC 2013, section 4.2; rules N2, G4).
 *
 * Two kinds of signature, never mixed. Stream messages carry a UI of the sender's trusted counter; the messages of one counter
 * identity, in counter order, are its stream, and whoever reads a stream reads it in order and without holes. All the rest is
 * either signed by durable keys (votes, certificates) or no more than a hint (requests, status).
 */
import { digest, encodeCanonical, type Certificate, type Head, type Part, type Vote } from '@scs/protocol';

/** A unique identifier (section 3): `key` names the counter identity, `counter` starts at 1, `signature` covers counter and digest. */
export interface Ui {
  readonly key: string;
  readonly counter: number;
  readonly signature: string;
}
/** A message by its place in a stream: the counter makes it unique. */
export interface Reference {
  readonly key: string;
  readonly counter: number;
}

/** The primary of `view` offers a block, new or from an earlier view; the block's bytes lie beside the body. */
export interface Prepare {
  readonly kind: 'prepare';
  readonly view: number;
  readonly height: bigint;
  readonly block: string;
}
/** A backup takes the prepare that it refers to. With n = 3 and f = 1 the two are a decision. */
export interface Commit {
  readonly kind: 'commit';
  readonly view: number;
  readonly height: bigint;
  readonly block: string;
  readonly prepare: Reference;
}
/** The sender takes no part in views below; what it did before is its stream up to here. */
export interface ViewChange {
  readonly kind: 'view-change';
  readonly view: number;
}
/** The new primary begins: above `base`, what the two streams up to their view changes hold is offered again. */
export interface NewView {
  readonly kind: 'new-view';
  readonly view: number;
  /** null: the base of the formation. */
  readonly base: Certificate | null;
  readonly quorum: readonly [Reference, Reference];
}
/** A block that a view must offer again; `vouched`: both streams of its quorum hold it. */
export interface Again {
  readonly height: bigint;
  readonly block: string;
  readonly vouched: boolean;
}
/** The stream may be read from here on, once another master's checkpoint has `seen` it. */
export interface Checkpoint {
  readonly kind: 'checkpoint';
  readonly view: number;
  readonly height: bigint;
  readonly certificate: Certificate;
  /** What binds the sender in the view that it leads now; null when it leads none. */
  readonly lead: { readonly quorum: readonly string[]; readonly again: readonly Again[] } | null;
  /** Latest checkpoints of the other identities that the sender read as legal. */
  readonly seen: readonly Reference[];
}
export type Body = Prepare | Commit | ViewChange | NewView | Checkpoint;

export interface Message {
  readonly body: Body;
  /** The block's canonical bytes, with a prepare. */
  readonly bytes?: Uint8Array;
  readonly ui: Ui;
}

/**
 * What a legal message meant when it was read, where that rests on more than the message: kept with it, since what it rests on is dropped
 * in the end. Never sent.
 */
export interface Reading {
  /** Of a new view: its plan. */
  readonly again?: readonly Again[];
  /** Of a commit: its prepare could not be seen, and nothing was concluded. */
  readonly unseen?: true;
}
export interface Kept extends Message {
  readonly reading?: Reading;
}

/** What a UI covers: the formation keeps one group's messages out of another's; the block counts by its digest. */
export const bodyDigest = (formation: string, body: Body): string => digest('consensus-message', encodeCanonical({ formation, body }));

/** A peer's status doubles as its request for what it lacks. */
export interface Status {
  readonly kind: 'status';
  readonly certified: bigint;
  /** Height of the snapshot that it fetches from whom this goes to; 0 for none. */
  readonly fetching: bigint;
  /** Next counter expected of each identity. */
  readonly next: readonly Reference[];
}
export type Wire =
  | { readonly kind: 'stream'; readonly message: Message }
  | { readonly kind: 'vote'; readonly head: Head; readonly vote: Vote }
  | { readonly kind: 'command'; readonly bytes: Uint8Array }
  /** REQ-VIEW-CHANGE of section 4.4: a wish, proves nothing, carries no UI. */
  | { readonly kind: 'request-view'; readonly view: number }
  | { readonly kind: 'certified'; readonly bytes: Uint8Array; readonly certificate: Certificate }
  /** The sender can give the state after this block, in parts. */
  | { readonly kind: 'snapshot'; readonly bytes: Uint8Array; readonly certificate: Certificate }
  | { readonly kind: 'want-part'; readonly height: bigint; readonly prefix: string }
  | { readonly kind: 'part'; readonly height: bigint; readonly prefix: string; readonly part: Part }
  | Status;
