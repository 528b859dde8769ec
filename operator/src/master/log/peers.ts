/** Port `Peers`: the other two masters, as the log sees them. Every call ends in bounded time; any may fail or lie. */
import type { Certificate, Command, Vote } from '@scs/protocol';
import type { Decision } from './log.ts';

export interface ProposeMessage {
  /** Canonical bytes of the block. */
  readonly bytes: Uint8Array;
  readonly stateRoot: string;
  /** The maker's vote; without it the peer only says what it would answer. */
  readonly vote?: Vote;
  /** The block was voted for before, maybe long ago. */
  readonly again: boolean;
}
export interface ProposeAnswer {
  readonly vote?: Vote;
  /** Empty when the block fits. */
  readonly code: string;
  readonly message: string;
  /** How far the peer is. */
  readonly height: bigint;
  /** Index of the refused command, if it is one. */
  readonly command?: number;
}
export interface VoteAnswer {
  readonly height: bigint;
  readonly found?: { readonly bytes: Uint8Array; readonly stateRoot: string; readonly vote: Vote };
}
export interface CertifiedBlock {
  readonly bytes: Uint8Array;
  readonly certificate: Certificate;
}

/** One other master. Rejections are transient: it is away, slow or refuses to talk. */
export interface Peer {
  readonly index: number;
  propose(message: ProposeMessage): Promise<ProposeAnswer>;
  /** The peer's height afterwards. */
  decide(block: CertifiedBlock): Promise<bigint>;
  getVote(height: bigint): Promise<VoteAnswer>;
  sync(from: bigint, signal: AbortSignal): AsyncIterable<CertifiedBlock>;
  forward(command: Command): Promise<Decision>;
}

/** The same verbs from the other side: what this master answers its peers. `from` is proven by TLS. */
export interface PeerHandlers {
  propose(from: number, message: ProposeMessage): Promise<ProposeAnswer>;
  decide(from: number, block: CertifiedBlock): bigint;
  getVote(from: number, height: bigint): VoteAnswer;
  sync(from: bigint): Iterable<CertifiedBlock>;
  forward(command: Command): Promise<Decision>;
}
