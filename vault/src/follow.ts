/**
 * Following the masters' certified tasks (rules B2, B3, M4): each task's latest record is compared with what the Vault holds, and
 * the one duty that follows is done. All is idempotent and read from the record, so a crash, a double or a missed message
 * changes nothing: a stream brings every unfinished task again, and a sweep looks up what we still hold.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeRecord, type CertifiedLeaf, type TaskRecord } from '@scs/protocol';
import type { MastersPort } from '@scs/proto';
import { certifiedTask } from './certified.ts';
import { dutyOf, isFinished, partOf } from './duty.ts';
import { limitOf, replenishedHere, taskRefusal } from './judge.ts';
import { errorCode, type Logger } from './logger.ts';
import { decideRelease, type ReleaseContext } from './release.ts';
import { readingName } from './store/reading.ts';
import { replenish } from './store/replenish.ts';
import { refusal } from './refusal.ts';
import { StoreError } from './store/database.ts';
import type { Reserved, ReserveRequest } from './store/task-steps.ts';
import { sendAnswer, type Answer } from './statements.ts';

export interface FollowOptions extends ReleaseContext {
  readonly masters: Pick<MastersPort, 'getLeaf' | 'submit' | 'watchTasks'>;
  readonly log: Logger;
  /** Between two looks at what the Vault still holds; default 15 s. */
  readonly sweepMs?: number;
  /** Told of each answer (`reserved` or the refusal's code) and each settled duty, for metrics. */
  readonly onDone?: (what: string) => void;
}
/** Tasks in hand at once, and tasks that wait; news beyond that come again with the next stream. */
const WORKERS = 8;
const MAX_WAITING = 10_000;

export class Follower {
  readonly #options: FollowOptions;
  /** Latest record of each task with news; a task in hand is not taken twice. */
  readonly #news = new Map<string, TaskRecord>();
  readonly #inHand = new Set<string>();
  #wake = Promise.withResolvers<void>();
  #progressAt = Date.now();

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** Civil time when the store last took a write, for liveness: masters that are away are no reason to restart. */
  get progressAt(): number {
    return this.#progressAt;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    setMaxListeners(0, signal);
    await Promise.all([this.#watch(signal), this.#sweeps(signal), ...Array.from({ length: WORKERS }, () => this.#work(signal))]);
  }

  /** Does the task's duty by this record. Throws MastersUnavailable and StoreError. */
  async settle(record: TaskRecord): Promise<void> {
    const { store, onDone } = this.#options;
    if (!partOf(record, store.vault)) return;
    await this.#options.catalogues?.learn(record.semanticVersion);
    const reservation = await store.reservation(record.uid);
    const stored = reservation ? await store.output(record.uid) : undefined;
    const duty = dutyOf(record, store.vault, reservation, stored !== undefined);
    if (duty.kind === 'answer') await this.#answer(record);
    if (duty.kind === 'commit') await store.commit(record.uid, duty.used, duty.height);
    if (duty.kind === 'give back') await store.release(record.uid);
    if (duty.kind === 'send receipt') await decideRelease(stored!, reservation!, this.#options);
    if (duty.kind !== 'nothing' && duty.kind !== 'answer') onDone?.(duty.kind);
    if (isFinished(record) && reservation && !reservation.ended) await store.end(record.uid);
  }

  async #answer(record: TaskRecord): Promise<void> {
    const { store, log, onDone, pace } = this.#options;
    pace?.begin(`answer/${record.uid}`);
    const answer = await this.#decide(record);
    if (!answer) return;
    await pace?.due(`answer/${record.uid}`);
    const reply = await sendAnswer(this.#options, record.uid, answer);
    const said = answer.kind === 'reserved' ? 'reserved' : answer.code;
    if (reply.ok || reply.code === 'AlreadyDecided') {
      onDone?.(said);
      log.info({ task: record.uid, vault: store.vault, answer: said }, 'answered');
    } else log.warn({ task: record.uid, vault: store.vault, answer: said, code: reply.code }, 'the masters did not take the answer');
  }

  async #decide(record: TaskRecord): Promise<Answer | undefined> {
    const { store, log } = this.#options;
    if (partOf(record, store.vault)!.key !== store.keys.publicKey) {
      log.error({ task: record.uid, vault: store.vault }, 'the task asks this Vault by another key: was its volume replaced?');
      return undefined;
    }
    const refused = taskRefusal(record, this.#options);
    if (refused) return { kind: 'refused', ...refused };
    const plan = record.plan!;
    const replenished = replenishedHere(plan.usage, record.replenished ?? 0, this.#options.manifest);
    if (replenished > 0) await store.write('replenish', (sql) => replenish(sql, plan.usage, replenished));
    const limit = limitOf(plan, this.#options);
    const reserved = await this.#reserve({
      task: record.uid,
      submitter: record.spec.submitter,
      nonce: record.spec.authorization?.nonce ?? record.uid,
      domain: readingName(plan),
      usage: plan.usage,
      ask: plan.microRho,
      limit,
      time: record.history[0]?.time ?? 0,
      quotas: this.#options.manifest.quotas,
    });
    if (reserved.ok) {
      const { reservation } = reserved;
      if (reservation.state !== 'reserved') return undefined;
      return {
        kind: 'reserved',
        microRho: reservation.ask,
        snapshotCommitment: reservation.firstSnapshot,
        consentCommitment: reservation.firstConsent,
      };
    }
    if (reserved.code === 'QuotaExceeded' || reserved.code === 'StorageFull')
      return { kind: 'refused', ...refusal(reserved.code, reserved.message) };
    const message =
      reserved.code === 'NonceReused'
        ? 'the authorization’s nonce was used for another task: sign this task with a new one'
        : `the task asks for ${plan.microRho} micro-rho of ${plan.usage}; of this Vault's limit of ${limit}, ${reserved.left} are left: ask for a smaller epsilon, or wait for the next replenishment`;
    return { kind: 'refused', code: reserved.code, message };
  }

  /** A full volume refuses like a quota: the task goes on without this Vault, rather than wait for it. */
  async #reserve(
    request: ReserveRequest,
  ): Promise<Reserved | { readonly ok: false; readonly code: 'StorageFull'; readonly message: string }> {
    try {
      return await this.#options.store.reserve(request);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'StorageFull') throw error;
      return {
        ok: false,
        code: 'StorageFull',
        message: 'this Vault takes no new work now, its volume is full: try later, or ask without it',
      };
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for await (const leaf of this.#options.masters.watchTasks({ signal })) this.#hear(leaf);
  }
  #hear(leaf: CertifiedLeaf): void {
    const record = decodeRecord('task', leaf.value);
    if (leaf.key === `task/${record.uid}`) this.#note(record);
  }
  #note(record: TaskRecord): void {
    if (this.#news.size >= MAX_WAITING && !this.#news.has(record.uid)) return;
    this.#news.set(record.uid, record);
    this.#wake.resolve();
  }

  /** What we hold, looked up: tasks that ended while no master was reachable are in no stream. */
  async #sweeps(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#guarded('sweep', () => this.#sweep());
      await pause(this.#options.sweepMs ?? 15_000, signal);
    }
  }
  async #sweep(): Promise<void> {
    const { store, masters } = this.#options;
    await store.tidy();
    this.#progressAt = Date.now();
    for (const { task } of await store.unfinished()) {
      const record = await certifiedTask(masters, task, { timeoutMs: 10_000 });
      if (record) this.#note(record);
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const uid = [...this.#news.keys()].find((task) => !this.#inHand.has(task));
      if (uid === undefined) {
        await this.#newsOrEnd(signal);
        continue;
      }
      const record = this.#news.get(uid)!;
      this.#news.delete(uid);
      this.#inHand.add(uid);
      const done = await this.#guarded(uid, () => this.settle(record));
      this.#inHand.delete(uid);
      this.#wake.resolve();
      if (!done && !this.#news.has(uid)) {
        await pause(500 + Math.random() * 500, signal);
        if (!this.#news.has(uid)) this.#note(record);
      }
    }
  }
  async #newsOrEnd(signal: AbortSignal): Promise<void> {
    const waiting = this.#wake.promise;
    await Promise.race([waiting, pause(1000, signal)]);
    if (this.#wake.promise === waiting) this.#wake = Promise.withResolvers<void>();
  }

  /** False when it failed: logged by code alone, tried again later. */
  async #guarded(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#options.log.warn({ vault: this.#options.store.vault, what, code: errorCode(error) }, 'not done; trying again');
      return false;
    }
  }
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};
