/** Commands on their way into the agreement: submitted ones, those that the state calls for, those that this master has gathered. */
import { decodeCommand, encodeCommand, type Command, type State as Records } from '@scs/protocol';
import type { Clock } from '../../../kube/clock.ts';
import type { Candidates, Decision } from '../../log/log.ts';
import { Pool } from '../../log/pool.ts';
import type { Rules } from '../../log/rules-port.ts';
import { decidedHeight, lastDecided } from '../chain.ts';
import { commandDigest } from '../pool.ts';
import type { State } from '../state.ts';
import type { Inbox } from './inbox.ts';

export interface CommandDeskOptions {
  readonly rules: Rules;
  readonly candidates: Candidates;
  readonly inbox: Inbox;
  readonly clock: Clock;
  /** The agreement's state; undefined until there is one. */
  readonly state: () => State | undefined;
  /** The last certified state and its height. */
  readonly certified: () => { readonly records: Records; readonly height: bigint };
  readonly isPrimary: () => boolean;
  readonly wake: () => void;
}

/** What is due and not proposed for so long, another master puts forward too: then a primary that leaves it loses its view. */
const OVERDUE_MS = 400;
const refusals: Readonly<Record<string, string>> = {
  Busy: 'too many commands wait; try again',
  TimedOut: 'not decided in time; it may still be',
  NotBorneOut: 'the masters could not bear it out by their own reading; try again',
};

/** Bytes of the command in a block; undefined when it has no canonical form, as when a chain's node tells absurd numbers. */
const canonical = (command: Command): Uint8Array | undefined => {
  try {
    return encodeCommand(command);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
};

export class CommandDesk {
  readonly #o: CommandDeskOptions;
  readonly #pool: Pool;
  /** Since when something is due, by digest. */
  readonly #due = new Map<string, number>();
  readonly #doubtful = new Map<string, { readonly bytes: Uint8Array; readonly why: string }>();
  #gathering = false;
  #closed = false;

  constructor(options: CommandDeskOptions) {
    this.#o = options;
    this.#pool = new Pool({ clock: options.clock });
  }

  async propose(command: Command): Promise<Decision> {
    const { decision, fresh } = this.#pool.add(command);
    if (fresh) this.#push(encodeCommand(command));
    return decision;
  }
  pending(): readonly Command[] {
    return this.#pool.commands();
  }
  /** The agreement has begun anew: what waits here is given to it again. */
  pushAll(): void {
    for (const command of this.#pool.commands()) this.#push(encodeCommand(command));
  }
  #push(bytes: Uint8Array): void {
    this.#o.inbox.put('own', { kind: 'command', bytes });
    this.#o.wake();
  }
  decided(commands: readonly Command[], height: bigint): void {
    this.#pool.decided(commands, height);
    const doubtful = [...this.#doubtful.values()];
    this.#doubtful.clear(); // some may come to be in doubt again
    for (const { bytes, why } of doubtful) this.refused(bytes, why);
    this.gather();
  }
  close(): void {
    this.#closed = true;
    this.#pool.close();
  }

  /**
   * The agreement took it out of its pool. Its word says why; the rules say it better where they still refuse it. What they refuse only
   * on blocks that are decided and not certified yet may be in one of those: the next certified block tells.
   */
  refused(bytes: Uint8Array, why: string): void {
    const { rules, clock, certified, candidates } = this.#o;
    const command = decodeCommand(bytes);
    const { records, height } = certified();
    const state = this.#o.state();
    const applied = rules.apply(records, command, { time: clock.now(), height: height + 1n });
    if (applied.ok && !(why in refusals) && state && decidedHeight(state.chain) > height)
      return void this.#doubtful.set(commandDigest(bytes), { bytes, why });
    const message = applied.ok ? (refusals[why] ?? 'it was not taken now; try again') : applied.fault.message;
    const code = why === 'NotBorneOut' ? 'Unavailable' : why;
    this.#due.delete(commandDigest(bytes));
    this.#pool.refused(command, code, message);
    candidates.refused(command, code, message);
  }

  /** Looks at what is due: once for all that happens in one turn of the event loop. */
  gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.offerDue();
    });
  }
  /** By the primary at once, by the others when it is overdue. */
  offerDue(): void {
    const { rules, candidates, clock, inbox, state: stateOf, isPrimary, wake } = this.#o;
    const state = stateOf();
    if (!state || this.#closed || state.halted !== undefined) return;
    const now = clock.now();
    const { records } = lastDecided(state.chain);
    const seen = new Set<string>();
    for (const command of [...rules.next(records, now), ...candidates.take(records, now)]) {
      const bytes = canonical(command);
      if (!bytes) {
        candidates.refused(command, 'CommandMalformed', 'it has no canonical form');
        continue;
      }
      const id = commandDigest(bytes);
      seen.add(id);
      const since = this.#due.get(id) ?? now;
      this.#due.set(id, since);
      if (!state.pool.has(id) && (isPrimary() || now - since >= OVERDUE_MS)) inbox.put('own', { kind: 'command', bytes });
    }
    for (const id of this.#due.keys()) if (!seen.has(id)) this.#due.delete(id);
    if (!inbox.isEmpty()) wake();
  }
}
