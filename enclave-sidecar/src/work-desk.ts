/**
 * Between the slice and its executor: one piece of work at a time, each a round; what comes of another round is not taken. An executor
 * that restarts finds its work again; its `finish` is answered when the slice is over, because the pod ends with the executor.
 */
import { Changes } from './changes.ts';

export interface WorkItem {
  readonly task: string;
  readonly plan: Uint8Array;
  readonly snapshot: string;
  readonly eligible: string;
  readonly memoryLimitBytes: bigint;
  readonly timeoutMs: number;
}
/** As the executor gets it. */
export interface GivenWork extends WorkItem {
  readonly round: number;
}
export type WorkResult =
  | { readonly kind: 'cells'; readonly cells: readonly bigint[]; readonly audience: Uint8Array; readonly program: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
export interface WorkReply {
  readonly released: boolean;
  readonly code: string;
  readonly message: string;
}
type State =
  /** No work waits: none came yet, or it was taken or withdrawn. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'offered'; readonly item: WorkItem; readonly take: (result: WorkResult) => void; readonly round: number }
  | { readonly kind: 'over'; readonly reply: WorkReply };

const RUN_AGAIN: WorkReply = { released: false, code: 'RunAgain', message: 'A fresh snapshot is being opened.' };

export class WorkDesk {
  #state: State = { kind: 'idle' };
  #nextRound: number;
  readonly #changes = new Changes();

  /** Of each sidecar another `firstRound`, so that what an executor still does for one before it is told apart (C2). */
  constructor(firstRound: number) {
    this.#nextRound = firstRound;
  }

  #become(state: State): void {
    this.#state = state;
    this.#changes.announce();
  }

  /**
   * Offers work; whoever finished an earlier piece is told to run again. The executor's result; undefined when `signal` aborts: then the
   * work is withdrawn.
   */
  offer(item: WorkItem, signal: AbortSignal): Promise<WorkResult | undefined> {
    return new Promise((resolve) => {
      const round = this.#nextRound++;
      const giveUp = (): void => {
        if (this.#state.kind === 'offered' && this.#state.round === round) this.#become({ kind: 'idle' });
        resolve(undefined);
      };
      const take = (result: WorkResult): void => {
        signal.removeEventListener('abort', giveUp);
        resolve(result);
      };
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      this.#become({ kind: 'offered', item, take, round });
    });
  }

  /** Ends all: nobody gets work any more, and who finished is told `reply`. */
  close(reply: WorkReply = { released: true, code: '', message: '' }): void {
    if (this.#state.kind !== 'over') this.#become({ kind: 'over', reply });
  }

  /** The work, when there is some; a reply when all is over; undefined when the caller went away. */
  async getWork(signal: AbortSignal): Promise<GivenWork | WorkReply | undefined> {
    while (!signal.aborted) {
      if (this.#state.kind === 'offered') return { ...this.#state.item, round: this.#state.round };
      if (this.#state.kind === 'over') return this.#state.reply;
      await this.#changes.next(signal);
    }
    return undefined;
  }

  /** Resolves when the work of that round is wanted no more, or the caller went away. */
  async withdrawn(round: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#state.kind === 'offered' && this.#state.round === round) await this.#changes.next(signal);
  }

  /** Takes a round's result; answers when the slice is over or has new work; undefined when the caller went away. */
  async finish(result: WorkResult, round: number, signal: AbortSignal): Promise<WorkReply | undefined> {
    const before = this.#state;
    if (before.kind === 'offered' && before.round === round) {
      this.#become({ kind: 'idle' });
      before.take(result);
    }
    while (!signal.aborted) {
      const state: State = this.#state;
      if (state.kind === 'over') return state.reply;
      if (state.kind === 'offered' && state.round !== round) return RUN_AGAIN;
      await this.#changes.next(signal);
    }
    return undefined;
  }
}
