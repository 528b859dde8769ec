/** Blocks, votes and state that are durable elsewhere and wait to come into the log's file together: many blocks for one sync. */
import { DiskError, type StateChange, type StoredBlock, type StoredVote } from './disk.ts';

export interface Waiting {
  readonly blocks: number;
  readonly votes: number;
  /** Of the blocks. */
  readonly bytes: number;
}
export interface DeferredWrites {
  /**
   * From now on blocks and votes wait until `flush`: an agreement that keeps a write-ahead log of its own sees to their durability.
   * `beforeClose` is called before the file is closed.
   */
  defer(beforeClose: () => void): void;
  /** All that waits, in one durable transaction. Throws DiskError; then it still waits. */
  flush(): void;
  waiting(): Waiting;
}

const nameOf = (generation: bigint, height: bigint): string => `${generation}/${height}`;

export class WaitingWrites {
  #blocks = new Map<bigint, StoredBlock>();
  #changes = new Map<string, Uint8Array | undefined>();
  #votes = new Map<string, StoredVote>();
  #bytes = 0;

  add(block: StoredBlock, changes: Iterable<StateChange>): void {
    this.#blocks.set(block.height, block);
    this.#bytes += block.bytes.length;
    for (const [key, value] of changes) this.#changes.set(key, value);
  }
  /** Throws DiskError `VoteExists` when another one waits (G4). */
  vote(vote: StoredVote): void {
    const known = this.voteAt(vote.generation, vote.height);
    if (known && (known.stateRoot !== vote.stateRoot || known.block !== vote.block))
      throw new DiskError('VoteExists', `a vote for another block is stored at generation ${vote.generation}, height ${vote.height}`);
    this.#votes.set(nameOf(vote.generation, vote.height), vote);
  }
  voteAt(generation: bigint, height: bigint): StoredVote | undefined {
    return this.#votes.get(nameOf(generation, height));
  }
  blockAt(height: bigint): StoredBlock | undefined {
    return this.#blocks.get(height);
  }
  last(): StoredBlock | undefined {
    return [...this.#blocks.values()].at(-1);
  }
  /** Block after block from a height on, at most `limit`. */
  blocksFrom(from: bigint, limit: number): readonly StoredBlock[] {
    return this.blocks()
      .filter(({ height }) => height >= from)
      .slice(0, limit);
  }
  blocks(): readonly StoredBlock[] {
    return [...this.#blocks.values()];
  }
  changes(): ReadonlyMap<string, Uint8Array | undefined> {
    return this.#changes;
  }
  votes(): readonly StoredVote[] {
    return [...this.#votes.values()];
  }
  size(): Waiting {
    return { blocks: this.#blocks.size, votes: this.#votes.size, bytes: this.#bytes };
  }
  isEmpty(): boolean {
    return this.#blocks.size === 0 && this.#votes.size === 0;
  }
  clear(): void {
    this.#blocks = new Map();
    this.#changes = new Map();
    this.#votes = new Map();
    this.#bytes = 0;
  }
}
