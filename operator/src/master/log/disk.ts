/**
 * Port `Disk`: what a master must not forget (rules G4, X1): decided blocks with their certificates, its own votes, the state
 * after the last block, sealed blobs. Every write but `append` is durable when the call returns.
 */
import type { Certificate } from '@scs/protocol';

export interface StoredBlock {
  readonly height: bigint;
  /** Canonical bytes of the block. */
  readonly bytes: Uint8Array;
  readonly certificate: Certificate;
}
/** A vote as stored before it is signed. Ed25519 is deterministic, so the signature needs no storing. */
export interface StoredVote {
  readonly generation: bigint;
  readonly height: bigint;
  readonly stateRoot: string;
  readonly block: string;
  readonly bytes: Uint8Array;
}
export type StateChange = readonly [key: string, value: Uint8Array | undefined];
export interface StoredBlob {
  readonly task: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Disk {
  /** The last decided block. */
  last(): StoredBlock | undefined;
  block(height: bigint): StoredBlock | undefined;
  /** Block after block from a height on, at most `limit`. */
  blocks(from: bigint, limit: number): readonly StoredBlock[];
  /** Entries of the state after the last block. */
  entries(): Iterable<readonly [string, Uint8Array]>;
  /**
   * Block, certificate and the state's changes in one transaction; votes below lose their block bytes. Durable with the next
   * vote at the latest: a block is decided only when two masters have stored their votes for it, with its bytes, so that it
   * can be decided again, and as no other, if all of them lose power at once.
   */
  append(block: StoredBlock, changes: Iterable<StateChange>): void;
  /**
   * Blocks of these heights are kept elsewhere: they go, and with them the votes. At or below the last of them no vote is stored any
   * more (G4): whoever voted there has a certified block above it.
   */
  truncate(first: bigint, last: bigint): void;
  /** The highest height whose votes are gone; 0 before. */
  votesBelow(): bigint;
  /** The first height from which on every block is here; 0 without blocks. */
  wholeFrom(): bigint;
  /** Replaces all entries, for a state rebuilt from the blocks. */
  replaceEntries(entries: Iterable<readonly [string, Uint8Array]>): void;
  vote(generation: bigint, height: bigint): StoredVote | undefined;
  /** Throws DiskError `VoteExists` when another vote is stored for the same generation and height (G4). */
  storeVote(vote: StoredVote): void;
  /** What proves that a master signed twice; kept for people and for slashing. */
  storeOffence(what: { readonly master: number; readonly height: bigint; readonly proof: Uint8Array }): void;
  offences(): number;
  /** The first of them, at most `limit`. */
  offenceProofs(limit: number): readonly { readonly master: number; readonly proof: Uint8Array }[];
  putBlob(blob: StoredBlob): void;
  blob(task: string, name: string): Uint8Array | undefined;
  blobSizes(task: string): readonly { readonly name: string; readonly size: number }[];
  blobTasks(): readonly string[];
  /** All blobs of a task whose names begin so; all, without a prefix. */
  dropBlobs(task: string, prefix?: string): void;
  /** All that `work` writes through this Disk or to the same file, or nothing; see `append` for what not being durable means. */
  transaction(durable: boolean, work: () => void): void;
  close(): void;
}

export type DiskFault =
  'DiskInUse' | 'DiskCorrupt' | 'DiskForeign' | 'DiskFormat' | 'DiskFull' | 'DiskFailed' | 'JournalFull' | 'VoteExists';
const advice: { readonly [F in DiskFault]: string } = {
  DiskInUse: 'Another process has the file open; a master runs once. Stop the other one.',
  DiskCorrupt:
    'The file is damaged. Move it away and start again with an empty volume: the master fetches the log from the others and votes again once it is past what it may have voted for.',
  DiskForeign: 'The file belongs to another group or another master. Mount the right volume, or an empty one.',
  DiskFormat: 'The file was written by a newer program. Run that version or later.',
  DiskFull: 'The volume is full. Enlarge it; nothing was lost.',
  DiskFailed: 'The volume does not take writes. Mend or replace it: what was written last may be gone, and nothing more is said.',
  JournalFull:
    'Nothing was certified for so long that what has to be remembered of it passed its bound; nothing more is promised. See what keeps the masters apart, then start this one again.',
  VoteExists: 'This master has voted at that height already and never votes twice. Two processes may share its key.',
};
export class DiskError extends Error {
  readonly code: DiskFault;
  constructor(code: DiskFault, detail: string, options?: ErrorOptions) {
    super(`${detail}. ${advice[code]}`, options);
    this.name = 'DiskError';
    this.code = code;
  }
}
