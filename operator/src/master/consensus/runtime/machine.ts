/**
 * Drives `step` over real ports (rules N2, G4): takes what has come in, steps through it, adds what that asks to keep to the store, and says
 * the rest once that is durable. While the disk works it goes on: what comes in meanwhile is paid for with the next sync.
 */
import type { Certificate } from '@scs/protocol';
import { backoffMs } from '../../../kube/backoff.ts';
import type { Clock } from '../../../kube/clock.ts';
import { errorFields, type Logger } from '../../../kube/logger.ts';
import { DiskError, type Disk } from '../../log/disk.ts';
import { blockOf, type Tip } from '../chain.ts';
import type { Environment } from '../environment.ts';
import { leave } from '../leave.ts';
import type { Message } from '../messages.ts';
import { recover, type CounterNow, type Remembered } from '../recover.ts';
import { type Condition, type Discontent, type HeldVote, type Input, type Output, type State, type Stored } from '../state.ts';
import { step } from '../step.ts';
import { statusFor } from '../transfer.ts';
import type { DeferredWrites } from '../../log/waiting-writes.ts';
import type { AgreementStore } from './agreement-store.ts';
import { CounterGone, type CounterPort } from './counter-port.ts';
import type { Inbox } from './inbox.ts';
import { flushDue, IdleFlush } from './flush-due.ts';
import { Outbox } from './outbox.ts';
import { type Case, caseOf, judge, type JudgeOptions } from './judge.ts';
import { encodeMessage, type Packet } from './wire-codec.ts';

export interface MachineOptions {
  readonly env: Environment;
  readonly disk: Disk & DeferredWrites;
  readonly store: AgreementStore;
  readonly inbox: Inbox;
  readonly counter: CounterPort;
  readonly judging: JudgeOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly send: (to: number, packet: Packet) => void;
  /** Gives the block to the disk now; what it returns is called once what it rests on is durable. */
  readonly adopt: (tip: Tip, certificate: Certificate) => () => void;
  readonly onRefused: (command: Uint8Array, why: string) => void;
  readonly onEvidence: (first: HeldVote, second: HeldVote) => void;
  readonly onCondition: (code: Condition, message: string) => void;
  /** This master has to begin as a new identity: its counter is another one by now, or the stream of the one with this key is `spoilt`. */
  readonly onIdentityLost: (why: string, spoilt?: string) => void;
  /** A view was entered. */
  readonly onView: (cause: ViewCause) => void;
  /** A block was certified: milliseconds since it was offered here. */
  readonly onRound: (ms: number, commands: number) => void;
  /** The disk can't be written: nothing more is said. */
  readonly onDiskFault: (error: DiskError) => void;
}

/** Why a view ended: what this master had against it, or that both others had asked for the next. */
export type ViewCause = Discontent | 'asked';

const TICK_MS = 20;
const BLOCKS_A_PAGE = 16;
const PAGE_BYTES = 8 * 1024 * 1024;
const ARRIVALS_KEPT = 256;
const retry = { baseMs: 10, capMs: 1_000 };
const isPromise = (record: Stored, own: string): boolean =>
  record.kind === 'intent' || record.kind === 'vote' || (record.kind === 'message' && record.message.ui.key === own);

export class Machine {
  readonly #o: MachineOptions;
  readonly #stopping = new AbortController();
  readonly #work = new Set<Promise<void>>();
  #state: State;
  #scheduled = false;
  #tickedAt = -Infinity;
  readonly #idle = new IdleFlush();
  #failed = false;
  #rosterLength: number;
  readonly #outbox: Outbox;
  /** Place in the store of the last promise. */
  #promised = 0;
  /** When each offered block came in, by this master's clock: T5 asks how late it was then, not how long it has waited here since. */
  readonly #arrivals = new Map<string, number>();
  /** Blocks taken from a peer since it was last told how far this master is. */
  readonly #fetched = new Map<number, number>();

  /** Goes on from what is stored. Throws RangeError when that contradicts itself. */
  constructor(options: MachineOptions, remembered: Remembered, counter: CounterNow) {
    this.#o = options;
    const back = recover(options.env, remembered, counter, options.clock.now());
    this.#state = back.state;
    this.#outbox = new Outbox(() => options.store.durable());
    options.store.listen((fault) => (fault ? this.#diskFault(fault) : this.#outbox.send()));
    this.#rosterLength = remembered.chain?.roster.length ?? remembered.roster.length;
    this.#carryOut(back.outputs);
  }

  state(): State {
    return this.#state;
  }
  /** Until `stop`. */
  start(): void {
    this.#track(this.#tick());
  }
  async stop(): Promise<void> {
    this.#stopping.abort();
    // what waits is said: whoever goes on from the store counts on it
    if (this.#onDisk(() => this.#o.store.syncNow())) this.#outbox.send();
    await Promise.allSettled(this.#work);
  }
  #onDisk(work: () => void): boolean {
    if (this.#failed) return false;
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#diskFault(error);
      return false;
    }
  }
  /** It decides nothing more in this formation (N9: it has confirmed the next). */
  leave(): void {
    this.#state = leave(this.#state);
  }
  /** Something is in the inbox. */
  wake(): void {
    if (this.#scheduled || this.#over()) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #over(): boolean {
    return this.#failed || this.#stopping.signal.aborted;
  }
  #track(work: Promise<void>): void {
    const running = work.finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  async #tick(): Promise<void> {
    while (!this.#over()) {
      this.wake();
      await this.#o.clock.sleep(TICK_MS, this.#stopping.signal);
    }
  }

  #turn(): void {
    if (this.#over()) return;
    const inputs = [...this.#o.inbox.take()];
    const now = this.#o.clock.now();
    if (now - this.#tickedAt >= TICK_MS / 2 || now < this.#tickedAt) {
      this.#tickedAt = now;
      inputs.unshift({ kind: 'tick', now });
      this.#flushIdle(now);
    }
    const { view, wanted, wantedFor = 'stalled' } = this.#state;
    const outputs: Output[] = [];
    for (const input of inputs) this.#step(input, outputs);
    this.#carryOut(outputs);
    if (this.#state.view > view) this.#o.onView(wanted >= this.#state.view ? wantedFor : 'asked');
    if (!this.#o.inbox.isEmpty()) this.wake();
  }

  #flushIdle(now: number): void {
    if (this.#idle.due(now, this.#o.disk.waiting())) this.#onDisk(() => this.#o.store.flush());
  }

  #step(input: Input, outputs: Output[]): void {
    try {
      const next = step(this.#o.env, this.#state, input);
      this.#state = next.state;
      outputs.push(...next.outputs);
    } catch (error) {
      // a mistake of ours that some message found: it is as if that message had been lost
      this.#o.logger.error({ input: input.kind, ...errorFields(error) }, 'the agreement failed on an input; it is dropped');
    }
    if (input.kind === 'message' && input.wire.kind === 'certified') this.#fetchedFrom(input.from, outputs);
  }
  /** After a page of blocks the next is asked for at once. */
  #fetchedFrom(from: number, outputs: Output[]): void {
    const count = (this.#fetched.get(from) ?? 0) + 1;
    this.#fetched.set(from, count % BLOCKS_A_PAGE);
    if (count < BLOCKS_A_PAGE) return;
    outputs.push({ kind: 'send', to: from, wire: statusFor(this.#state, from) });
  }

  /** What is to be stored goes to the store, the rest into the outbox until that is durable, as far as it has to be. */
  #carryOut(outputs: readonly Output[]): void {
    const told: (() => void)[] = [];
    const records = outputs.flatMap((o) => (o.kind === 'store' ? [o.record] : []));
    if (records.length > 0 && !this.#store(records, told)) return;
    this.#outbox.put(this.#promised, () => {
      for (const output of outputs) {
        if (output.kind === 'decided') {
          told.shift()?.();
          this.#noteRound(output.tip);
        } else if (output.kind !== 'judge') this.#one(output);
      }
    });
    for (const output of outputs) if (output.kind === 'judge') this.#askJudge(output);
  }

  /** True when all of it is on its way to the disk; what follows waits if anything in it is a promise. */
  #store(records: readonly Stored[], told: (() => void)[]): boolean {
    const { disk, store, adopt } = this.#o;
    const own = this.#state.own.key;
    return this.#onDisk(() => {
      for (const record of records) {
        if (record.kind === 'message') this.#noteArrival(record.message);
        if (record.kind === 'certified' || record.kind === 'snapshot') told.push(adopt(record.tip, record.certificate));
      }
      const promise = records.some((r) => isPromise(r, own));
      const place = store.add(records, promise);
      if (promise) this.#promised = place;
      const { roster } = this.#state.chain;
      if (roster.length !== this.#rosterLength) store.setRoster(roster);
      this.#rosterLength = roster.length;
      if (flushDue(disk.waiting())) store.flush();
    });
  }
  #diskFault(error: DiskError): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#o.onDiskFault(error);
  }

  #noteRound({ head, bytes }: Tip): void {
    const arrived = this.#arrivals.get(head.block);
    if (arrived !== undefined) this.#o.onRound(Math.max(0, this.#o.clock.now() - arrived), blockOf(bytes)?.commands.length ?? 0);
  }
  #noteArrival({ body }: Message): void {
    if (body.kind !== 'prepare' || this.#arrivals.has(body.block)) return;
    this.#arrivals.set(body.block, this.#o.clock.now());
    const oldest = this.#arrivals.keys().next().value;
    if (this.#arrivals.size > ARRIVALS_KEPT && oldest !== undefined) this.#arrivals.delete(oldest);
  }

  #one(output: Exclude<Output, { kind: 'decided' | 'judge' }>): void {
    const { send } = this.#o;
    switch (output.kind) {
      case 'store':
        if (output.record.kind === 'truncate' && output.record.key === this.#state.own.key) this.#forget(output.record.counter);
        return;
      case 'send':
        return send(output.to, encodeMessage(output.wire));
      case 'send-blocks':
        this.#onDisk(() => this.#sendBlocks(output.to, output.from));
        return;
      case 'create-ui':
        return this.#track(this.#createUi(this.#state.own.key, output.digest));
      case 'refused':
        return this.#o.onRefused(output.command, output.why);
      case 'evidence':
        this.#onDisk(() => this.#o.onEvidence(output.first, output.second));
        return;
      case 'condition':
        this.#o.onCondition(output.code, output.message);
        if (this.#state.own.muted !== undefined && (output.code === 'CounterAhead' || output.code === 'StreamFault'))
          this.#o.onIdentityLost(output.message, this.#state.own.key);
    }
  }

  /** A page of blocks, bounded in number and bytes: a status costs its sender little. */
  #sendBlocks(to: number, from: bigint): void {
    const { send, disk } = this.#o;
    let left = PAGE_BYTES;
    for (const { bytes, certificate } of disk.blocks(from, BLOCKS_A_PAGE)) {
      if (left <= 0) return;
      left -= bytes.length;
      send(to, encodeMessage({ kind: 'certified', bytes, certificate }));
    }
  }

  /** Looking says nothing to anybody: it begins at once. */
  #askJudge({ block, bytes, again }: Extract<Output, { kind: 'judge' }>): void {
    const it = caseOf(this.#o.env, this.#state, block, bytes, again);
    this.#track(this.#judge(block, it && { ...it, arrived: this.#arrivals.get(block) ?? this.#o.clock.now() }));
  }
  #forget(below: number): void {
    const forgotten = this.#o.counter.forget(this.#state.own.key, below).catch((error: unknown) => {
      this.#o.logger.info(errorFields(error), 'the counter was not told what it may forget; the next checkpoint tells it again');
    });
    this.#track(forgotten);
  }

  async #createUi(key: string, digest: string): Promise<void> {
    const { counter, inbox, clock, random, logger, onIdentityLost } = this.#o;
    for (let tries = 1; !this.#over(); tries += 1) {
      try {
        const ui = await counter.createUi(key, digest);
        inbox.put('own', { kind: 'ui', ui });
        return this.wake();
      } catch (error) {
        if (error instanceof CounterGone) return onIdentityLost(error.message);
        if (tries % 20 === 1) logger.warn(errorFields(error), 'the counter does not answer');
        await clock.sleep(backoffMs(tries, retry, random), this.#stopping.signal);
      }
    }
  }

  async #judge(block: string, it: Case | undefined): Promise<void> {
    const { judging, inbox, logger } = this.#o;
    let fits = false;
    let command: number | undefined;
    try {
      const verdict = it ? await judge(judging, it, this.#stopping.signal) : { fits: false, why: 'it does not fit the rules here' };
      ({ fits } = verdict);
      command = verdict.command;
      if (!fits) logger.info({ block: block.slice(0, 16), why: verdict.why ?? '' }, 'a block is not borne out here');
    } catch (error) {
      logger.error({ block: block.slice(0, 16), ...errorFields(error) }, 'a block could not be judged');
    }
    inbox.put('own', { kind: 'judged', block, fits, ...(command === undefined ? {} : { command }) });
    this.wake();
  }
}
