/** The certified tasks that concern this enterprise, as its agent knows them (rule N10): only what two masters signed. */
import { decodeRecord, type CertifiedLeaf, type TaskRecord } from '@scs/protocol';
import type { Masters } from '@scs/proto/masters-client.ts';

export interface KnownTask {
  readonly record: TaskRecord;
  readonly leaf: CertifiedLeaf;
}
const TERMINAL: ReadonlySet<string> = new Set(['completed', 'rejected', 'timed_out']);
/** Finished tasks remembered, so that their slices can be cleared away. */
const MAX_KNOWN = 10_000;

export class CertifiedTasks {
  readonly #masters: Masters;
  readonly #known = new Map<string, KnownTask>();
  #lastHeard: number;
  readonly #now: () => number;
  constructor(masters: Masters, now: () => number) {
    this.#masters = masters;
    this.#now = now;
    this.#lastHeard = now();
  }

  /** Follows until the signal aborts; `onChange` gets the task's uid. */
  async follow(onChange: (uid: string) => void, signal: AbortSignal): Promise<void> {
    for await (const leaf of this.#masters.watchTasks({ signal })) {
      this.#lastHeard = this.#now();
      onChange(this.#remember(leaf).record.uid);
    }
  }

  get(uid: string): KnownTask | undefined {
    return this.#known.get(uid);
  }

  /** The certified task, asked for if it isn't known: it may have ended while nobody was listening. */
  async find(uid: string, signal: AbortSignal): Promise<KnownTask | undefined> {
    const known = this.#known.get(uid);
    if (known) return known;
    const leaf = await this.#masters.getLeaf(`task/${uid}`, { signal, timeoutMs: 10_000 });
    return leaf && this.#remember(leaf);
  }

  /** Asks again, whatever is known: for what the stream may have missed. */
  async refresh(uid: string, signal: AbortSignal): Promise<KnownTask | undefined> {
    const leaf = await this.#masters.getLeaf(`task/${uid}`, { signal, timeoutMs: 10_000 });
    return leaf && this.#remember(leaf);
  }

  lastHeard(): number {
    return this.#lastHeard;
  }

  #remember(leaf: CertifiedLeaf): KnownTask {
    const task = { record: decodeRecord('task', leaf.value), leaf };
    this.#known.delete(task.record.uid);
    this.#known.set(task.record.uid, task);
    if (this.#known.size > MAX_KNOWN) this.#forgetOldestFinished();
    return task;
  }

  #forgetOldestFinished(): void {
    for (const [uid, { record }] of this.#known) {
      if (!TERMINAL.has(record.state)) continue;
      this.#known.delete(uid);
      return;
    }
  }
}
