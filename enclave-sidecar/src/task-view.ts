/** The latest certified record of one task, followed from the masters (rule N6). The masters' client has verified each leaf. */
import { decodeRecord, type CertifiedLeaf, type TaskRecord } from '@scs/protocol';
import type { MastersPort } from '@scs/proto';
import { Changes } from './changes.ts';
import { backOff, type Clock } from './clock.ts';
import { errorKind } from './fault.ts';
import type { Log } from './log.ts';

/** A task that ended while no master was reachable is not in the stream any more: so it is looked up too. */
const LOOK_EVERY_MS = 15_000;

export class TaskView {
  #height = -1n;
  #record: TaskRecord | undefined;
  readonly #changes = new Changes();

  get latest(): TaskRecord | undefined {
    return this.#record;
  }

  take(leaf: CertifiedLeaf): void {
    const { height } = leaf.certificate.head;
    if (height <= this.#height) return;
    this.#height = height;
    this.#record = decodeRecord('task', leaf.value);
    this.#changes.announce();
  }

  /** The first record that fits; undefined when `signal` aborts. */
  async until(fits: (record: TaskRecord) => boolean, signal: AbortSignal): Promise<TaskRecord | undefined> {
    while (!signal.aborted) {
      if (this.#record && fits(this.#record)) return this.#record;
      await this.#changes.next(signal);
    }
    return undefined;
  }
}

interface Following {
  readonly masters: MastersPort;
  readonly task: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}
const watch = async (view: TaskView, { masters, task, signal }: Following): Promise<void> => {
  for await (const leaf of masters.watchTasks({ uid: task, signal })) if (leaf.key === `task/${task}`) view.take(leaf);
};
const look = async (view: TaskView, { masters, task, clock, log, signal }: Following): Promise<void> => {
  for (let failures = 0; !signal.aborted;) {
    try {
      const leaf = await masters.getLeaf(`task/${task}`, { signal });
      if (leaf) view.take(leaf);
      failures = 0;
      await clock.sleep(LOOK_EVERY_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ code: errorKind(error) }, 'the task could not be looked up');
      await backOff(failures++, { clock }, signal);
    }
  }
};

/** Follows until `signal` aborts. The promise ends with it. */
export const followTask = (following: Following): { readonly view: TaskView; readonly ended: Promise<unknown> } => {
  const view = new TaskView();
  return { view, ended: Promise.all([watch(view, following), look(view, following)]) };
};
