/**
 * What comes in and waits for its turn: a queue for each peer and one for this master, taken from in turns, so that a flood from one
 * side holds up nobody else. A peer whose queue is full is not read from until there is room (its stream is paused).
 */
import type { Wire } from '../messages.ts';
import type { Input } from '../state.ts';

export interface InboxLimits {
  /** Messages of one peer that wait; above it, its stream is paused. */
  readonly waiting: number;
  /** Taken from one queue in one turn. */
  readonly turn: number;
  /** Statuses and requests for parts a second taken from one peer: each may cost a page of blocks, or a part of a snapshot. */
  readonly statuses: number;
}
export const INBOX_LIMITS: InboxLimits = { waiting: 256, turn: 32, statuses: 100 };

const isCostly = ({ kind }: Wire): boolean => kind === 'status' || kind === 'want-part';

interface Source {
  readonly inputs: Input[];
  readonly resume: (() => void)[];
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
      source = { inputs: [], resume: [], statuses: 0, since: 0 };
      this.#sources.set(from, source);
    }
    return source;
  }

  /** False: the queue is full; read no more of that peer until `resume` is called. */
  put(from: number | 'own', input: Input, resume?: () => void): boolean {
    const source = this.#source(from);
    if (input.kind === 'message' && isCostly(input.wire) && !this.#withinRate(source)) return true;
    source.inputs.push(input);
    if (from === 'own' || source.inputs.length < this.#limits.waiting) return true;
    if (resume) source.resume.push(resume);
    return false;
  }
  #withinRate(source: Source): boolean {
    const now = this.#now();
    if (now - source.since >= 1_000 || now < source.since) {
      source.since = now;
      source.statuses = 0;
    }
    source.statuses += 1;
    return source.statuses <= this.#limits.statuses;
  }

  /** The next few of each source, in the order of arrival within one. */
  take(): readonly Input[] {
    const taken: Input[] = [];
    for (const source of this.#sources.values()) {
      taken.push(...source.inputs.splice(0, this.#limits.turn));
      if (source.resume.length === 0 || source.inputs.length > this.#limits.waiting / 4) continue;
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
