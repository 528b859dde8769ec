/**
 * What comes in and waits for its turn: a queue for each peer and one for this master, taken from in turns, so that a flood from one
 * side holds up nobody else. A peer whose queue is full is not read from until there is room (its stream is paused).
 */
import type { Wire } from '../messages.ts';
import type { Input } from '../state.ts';

export interface InboxLimits {
  /** Messages of one peer that wait; above it, its stream is paused. */
  readonly waiting: number;
  /** Their blocks and commands, bytes; above it, the same. One message more is let in, whatever its size. */
  readonly bytes: number;
  /** Taken from one queue in one turn: messages, and of blocks and commands bytes. */
  readonly turn: number;
  readonly turnBytes: number;
  /** Statuses and requests for parts a second taken from one peer: each may cost a page of blocks, or a part of a snapshot. With the last
   * of them its stream is paused for the rest of the second, so that nothing more is decoded only to be dropped. */
  readonly statuses: number;
}
const MIB = 1024 * 1024;
export const INBOX_LIMITS: InboxLimits = { waiting: 256, bytes: 32 * MIB, turn: 32, turnBytes: 8 * MIB, statuses: 100 };

const sizeOf = (input: Input): number => {
  if (input.kind !== 'message') return 0;
  const { wire } = input;
  if (wire.kind === 'stream') return wire.message.bytes?.length ?? 0;
  return 'bytes' in wire ? wire.bytes.length : 0;
};

const isCostly = ({ kind }: Wire): boolean => kind === 'status' || kind === 'want-part';

const RESUMES_MOST = 16;

interface Source {
  readonly inputs: Input[];
  readonly resume: (() => void)[];
  bytes: number;
  statuses: number;
  since: number;
}

export class Inbox {
  readonly #limits: InboxLimits;
  readonly #sources = new Map<number | 'own', Source>();
  readonly #now: () => number;

  constructor(now: () => number, limits: InboxLimits = INBOX_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  #source(from: number | 'own'): Source {
    let source = this.#sources.get(from);
    if (!source) {
      source = { inputs: [], resume: [], bytes: 0, statuses: 0, since: 0 };
      this.#sources.set(from, source);
    }
    return source;
  }

  /**
   * False: the queue is full; read no more of that peer until `resume` is called. What comes nevertheless, by another stream of the
   * same peer, is dropped: it is sent again when it is lacked.
   */
  put(from: number | 'own', input: Input, resume?: () => void): boolean {
    const source = this.#source(from);
    const admitted =
      from === 'own' || ((input.kind !== 'message' || !isCostly(input.wire) || this.#countCostly(source)) && !this.#isFull(source));
    if (admitted) {
      source.inputs.push(input);
      source.bytes += sizeOf(input);
    }
    return from === 'own' || this.#readsOn(source, resume);
  }
  /** Whether there is room for more; otherwise `resume` is kept until there is. */
  #readsOn(source: Source, resume: (() => void) | undefined): boolean {
    if (!this.#isFull(source) && !this.#isSpent(source)) return true;
    // of the streams that were opened meanwhile only the last ones are still read
    if (resume) source.resume.push(resume);
    if (source.resume.length > RESUMES_MOST) source.resume.shift();
    return false;
  }
  #isFull({ inputs, bytes }: Source): boolean {
    return inputs.length >= this.#limits.waiting || bytes >= this.#limits.bytes;
  }
  #some(source: Source): readonly Input[] {
    const taken: Input[] = [];
    for (let bytes = 0; taken.length < this.#limits.turn && bytes < this.#limits.turnBytes;) {
      const input = source.inputs.shift();
      if (!input) break;
      bytes += sizeOf(input);
      taken.push(input);
    }
    source.bytes -= taken.reduce((sum, input) => sum + sizeOf(input), 0);
    return taken;
  }
  /** Of what a peer says about formations, several times a second: more is dropped, as each word may cost verified signatures. `room`: as `put`. */
  admits(from: number, resume?: () => void): { readonly admitted: boolean; readonly room: boolean } {
    const source = this.#source(from);
    return { admitted: this.#countCostly(source), room: this.#readsOn(source, resume) };
  }
  #countCostly(source: Source): boolean {
    if (this.#isSpent(source)) return false;
    source.statuses += 1;
    return true;
  }
  /** No more that is costly is taken in this second. */
  #isSpent(source: Source): boolean {
    const now = this.#now();
    if (now - source.since >= 1_000 || now < source.since) {
      source.since = now;
      source.statuses = 0;
    }
    return source.statuses >= this.#limits.statuses;
  }

  /** The next few of each source, in the order of arrival within one. */
  take(): readonly Input[] {
    const taken: Input[] = [];
    for (const source of this.#sources.values()) {
      taken.push(...this.#some(source));
      const { waiting, bytes } = this.#limits;
      if (source.resume.length === 0 || this.#isSpent(source) || source.inputs.length > waiting / 4 || source.bytes > bytes / 4) continue;
      for (const resume of source.resume.splice(0)) resume();
    }
    return taken;
  }
  isEmpty(): boolean {
    return [...this.#sources.values()].every(({ inputs }) => inputs.length === 0);
  }
  waiting(from: number): number {
    return this.#sources.get(from)?.inputs.length ?? 0;
  }
}
