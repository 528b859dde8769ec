/**
 * Does what the log has decided for the chain (rules P2, P3, P4, K6, K7, G4): lands batches and leaves, mints what is due, brings proofs
 * of equivocation. Whoever proposes does it, one piece of each line at a time; twice does no harm. What it leaves, another master does after
 * a while, and says so.
 */
import type { Equivocation, ReplacementLink } from '@scs/protocol';
import { backoffMs } from '../../kube/backoff.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import type { Log } from '../log/log.ts';
import { ChainError } from './chain.ts';
import { lanesOf, type Lane, type LanesChain, type Work } from './lanes.ts';

export interface SettlementEffectsOptions {
  readonly chain: LanesChain;
  readonly log: Pick<Log, 'state' | 'leaf' | 'isPrimary'>;
  /** Committees since genesis, by governance, in order (P5). */
  readonly replacements?: readonly ReplacementLink[];
  /** Proofs that a master signed twice. */
  readonly offences?: () => readonly Equivocation[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  /** Something has landed, `batch/7`: the chain is worth reading. */
  readonly onLanded: (what: string) => void;
  readonly onFault?: (code: string) => void;
  /** Done here, where another master leads, after it had waited for `followMs`. */
  readonly onNeglected?: (what: string) => void;
  /** How long the others leave it to the primary, at least, milliseconds. */
  readonly followMs?: number;
}
const LOOK_MS = 200;
/** Landing takes seconds, and the reading that tells of it some more. */
const FOLLOW_MS = 30_000;
const retry = { baseMs: 500, capMs: 30_000 };

/** Refusals that pass by themselves: a pot that is filled later. */
const passing: ReadonlySet<string> = new Set(['PotInsufficient']);
const passes = (thrown: unknown): boolean =>
  thrown instanceof ChainError && (thrown.transient || (thrown.fault.code === 'ContractRefused' && passing.has(thrown.fault.reason)));

interface Track {
  readonly lane: Lane;
  failures: number;
  notBefore: number;
  /** Where another master leads: what it has to do, and since when. */
  waits?: { readonly what: string; readonly late: number };
}

export class SettlementEffects {
  readonly #o: SettlementEffectsOptions;
  readonly #tracks: readonly Track[];
  #stuck: string | undefined;
  #lastTurnAt: number;
  constructor(options: SettlementEffectsOptions) {
    this.#o = options;
    const { chain, log, onLanded, offences = () => [], replacements = [] } = options;
    this.#tracks = lanesOf({ chain, log, replacements, offences, onLanded }).map((lane) => ({ lane, failures: 0, notBefore: 0 }));
    this.#lastTurnAt = options.clock.now();
  }
  lastTurnAt(): number {
    return this.#lastTurnAt;
  }
  /** Code of the last fault that needs somebody to act; undefined while all goes well or passes by waiting. */
  stuck(): string | undefined {
    return this.#stuck;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#o;
    while (!signal.aborted) {
      for (const track of this.#tracks) {
        this.#lastTurnAt = clock.now();
        if (!signal.aborted) await this.#turn(track);
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  async #turn(track: Track): Promise<void> {
    const { log, clock, random = Math.random, onNeglected } = this.#o;
    if (clock.now() < track.notBefore) return;
    const work = track.lane.next(log.state());
    const follows = !track.lane.byAll && !log.isPrimary();
    if (follows && !this.#isLate(track, work)) return;
    const done = work === undefined || (await this.#do(work));
    if (follows && done && work) onNeglected?.(work.what);
    track.failures = done ? 0 : track.failures + 1;
    track.notBefore = done ? 0 : clock.now() + backoffMs(track.failures, retry, random);
  }

  /** Whether the primary has left this piece of work for long. */
  #isLate(track: Track, work: Work | undefined): boolean {
    const { clock, random = Math.random, followMs = FOLLOW_MS } = this.#o;
    if (!work) delete track.waits;
    else if (track.waits?.what !== work.what) track.waits = { what: work.what, late: clock.now() + followMs * (1 + random()) };
    return track.waits !== undefined && clock.now() >= track.waits.late;
  }

  async #do(work: Work): Promise<boolean> {
    const { logger, onFault } = this.#o;
    try {
      await work.run();
      this.#stuck = undefined;
      logger.info({ what: work.what }, 'landed on the chain');
      return true;
    } catch (thrown) {
      const code = thrown instanceof ChainError ? thrown.fault.code : errorFields(thrown).code;
      onFault?.(code);
      const fields = { what: work.what, ...errorFields(thrown), code };
      if (passes(thrown)) logger.warn(fields, 'not landed yet');
      else {
        this.#stuck = code;
        logger.error(fields, 'can not be landed; somebody has to act');
      }
      return false;
    }
  }
}
