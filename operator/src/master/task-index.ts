/** Task records by what this master has to do with them: kept beside the state, from its changes, so that nothing scans it. */
import { isTerminal, type TaskRecord } from '@scs/protocol';
import type { Log } from './log/log.ts';

export class TaskIndex {
  readonly #log: Pick<Log, 'state' | 'onDecided'>;
  readonly #unfinished = new Set<string>();
  readonly #counts = new Map<TaskRecord['state'], Set<string>>();

  constructor(log: Pick<Log, 'state' | 'onDecided'>) {
    this.#log = log;
    for (const [key] of log.state().map.entries()) this.#note(key);
    log.onDecided(({ touched }) => {
      for (const key of touched) this.#note(key);
    });
  }

  #note(key: string): void {
    if (!key.startsWith('task/')) return;
    const uid = key.slice('task/'.length);
    const record = this.record(uid);
    for (const uids of this.#counts.values()) uids.delete(uid);
    this.#unfinished.delete(uid);
    if (!record) return;
    if (!isTerminal(record.state)) this.#unfinished.add(uid);
    const uids = this.#counts.get(record.state) ?? new Set();
    this.#counts.set(record.state, uids.add(uid));
  }

  record(uid: string): TaskRecord | undefined {
    return this.#log.state().get('task', uid);
  }
  unfinished(): Iterable<string> {
    return this.#unfinished;
  }
  isUnfinished(uid: string): boolean {
    return this.#unfinished.has(uid);
  }
  /** Uids of all tasks that the state holds. */
  *uids(): Generator<string> {
    for (const uids of this.#counts.values()) yield* uids;
  }
  counts(): ReadonlyMap<TaskRecord['state'], ReadonlySet<string>> {
    return this.#counts;
  }
}

/** Whether an enterprise has a part in the task: a Vault of it is asked, or it may aggregate. */
export const concerns = (record: TaskRecord, enterprise: string): boolean =>
  record.parts.some((p) => p.enterprise === enterprise) || record.aggregators?.includes(enterprise) === true;
