/**
 * What the proposing master gathers by itself (rules N5, T4, K2): Tasks that have appeared, Tasks that are gone, readings of the
 * chain. All masters keep the same lists, so whoever proposes next starts with what is due.
 */
import { isTerminal, parseSym, type Command, type State } from '@scs/protocol';
import { freeOf } from '@scs/protocol/rules/escrow.ts';
import type { Clock } from '../kube/clock.ts';
import type { Change } from '../kube/informer.ts';
import { type Logger, errorFields } from '../kube/logger.ts';
import type { Candidates } from './log/log.ts';
import { isFresh } from './settlement/chain-away.ts';
import type { ChainReader } from './settlement/chain-reader.ts';
import { seenTask, type TaskObject, type TaskObjects } from './task-objects.ts';

export interface ProposerOptions {
  /** K2: an older reading admits nothing; milliseconds. */
  readonly maxEscrowAgeMs: number;
  readonly state: () => State;
  readonly tasks: () => Pick<TaskObjects, 'read' | 'byUid'>;
  readonly reader: () => Pick<ChainReader, 'candidate' | 'drop' | 'request' | 'lastReadAt'>;
  /** False until the API server has refused a forged stamp: before that, whom a Task is from can't be known. */
  readonly mayAdmit: () => boolean;
  readonly wake: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Candidates a block. */
const MOST = 200;
/** Tasks held in the list; a resync of the informer brings the rest. */
const MOST_WAITING = 20_000;
const AGAIN_AFTER_MS = 2_000;
/** How long an admission waits for the escrow that would cover it to be read from the chain. */
const PATIENCE_MS = 3_000;

interface Waiting {
  readonly command: Command;
  readonly since: number;
  notBefore: number;
}

export class Proposer implements Candidates {
  readonly #o: ProposerOptions;
  readonly #admissions = new Map<string, Waiting>();
  readonly #cancels = new Map<string, Waiting>();

  constructor(options: ProposerOptions) {
    this.#o = options;
  }

  /** For each change of a Task object. */
  changed({ type, object }: Change<TaskObject>): void {
    const { uid } = object.metadata;
    if (uid === undefined) return;
    if (type === 'deleted') {
      this.#admissions.delete(uid);
      void this.checkGone(uid);
    } else if (!this.#admissions.has(uid) && this.#admissions.size < MOST_WAITING && !this.#o.state().get('task', uid)) {
      const seen = seenTask(object);
      if (typeof seen === 'string') return this.#o.logger.warn({ uid }, `a Task can not be judged: ${seen}`);
      const now = this.#o.clock.now();
      this.#admissions.set(uid, { command: { type: 'task.admit', ...seen }, since: now, notBefore: now });
      this.#o.wake();
    }
  }

  /** A live task whose object is gone is to be cancelled; asks the API server itself before it believes that. */
  async checkGone(uid: string): Promise<void> {
    const record = this.#o.state().get('task', uid);
    if (!record || isTerminal(record.state) || record.cancelRequested || this.#cancels.size >= MOST_WAITING) return;
    try {
      const object = await this.#o.tasks().read(record.namespace, record.name);
      if (object?.metadata.uid === uid) return;
      const now = this.#o.clock.now();
      this.#cancels.set(uid, { command: { type: 'task.cancel', uid }, since: now, notBefore: now });
      this.#o.wake();
    } catch (thrown) {
      this.#o.logger.warn({ uid, ...errorFields(thrown) }, 'it could not be seen whether a Task is gone; looked at again later');
    }
  }

  take(state: State, nowMs: number): readonly Command[] {
    const reading = this.#o.reader().candidate();
    const commands: Command[] = reading ? [reading] : [];
    for (const [uid, waiting] of this.#cancels) {
      const record = state.get('task', uid);
      if (!record || isTerminal(record.state) || record.cancelRequested) this.#cancels.delete(uid);
      else if (waiting.notBefore <= nowMs && commands.length < MOST) commands.push(waiting.command);
    }
    if (!this.#o.mayAdmit()) return commands;
    for (const [uid, waiting] of this.#admissions) {
      if (commands.length >= MOST) break;
      if (state.get('task', uid)) this.#admissions.delete(uid);
      else if (waiting.notBefore <= nowMs && !this.#waitsForEscrow(state, waiting, nowMs)) commands.push(waiting.command);
    }
    return commands;
  }

  /**
   * Money that was paid in a moment ago may not be decided yet: asks for a reading instead of having the task rejected. Without a fresh
   * reading nothing is admitted, for as long as that takes (K2).
   */
  #waitsForEscrow(state: State, waiting: Waiting, nowMs: number): boolean {
    if (waiting.command.type !== 'task.admit') return false;
    const { spec } = waiting.command;
    const escrow = state.get('escrow', spec.submitter);
    const fresh = isFresh(state, nowMs, this.#o.maxEscrowAgeMs);
    if (fresh && nowMs - waiting.since > PATIENCE_MS) return false;
    if (!escrow || (fresh && freeOf(escrow) >= parseSym(spec.maxFee))) return false;
    const reader = this.#o.reader();
    if (fresh && !reader.candidate() && reader.lastReadAt() > waiting.since) return false; // read since, and still too little
    waiting.notBefore = nowMs + 200;
    reader.request();
    return true;
  }

  refused(command: Command, code: string, message: string): void {
    if (command.type === 'chain.observed') this.#o.reader().drop();
    const uid = command.type === 'task.admit' || command.type === 'task.cancel' ? command.uid : undefined;
    if (uid === undefined) return;
    const list = command.type === 'task.admit' ? this.#admissions : this.#cancels;
    if (code === 'AlreadyDecided') list.delete(uid);
    const waiting = list.get(uid);
    if (!waiting) return;
    waiting.notBefore = this.#o.clock.now() + AGAIN_AFTER_MS;
    this.#o.logger.warn({ uid, type: command.type, code }, `a candidate was refused: ${message}`);
  }

  /** Tasks seen and not yet admitted. */
  waiting(): number {
    return this.#admissions.size;
  }
}
