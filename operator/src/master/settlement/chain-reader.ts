/**
 * Reads the chain for the log (rules K2, P2): proposes `chain.observed` when an escrow changed, a batch landed, the decided reading gets
 * old, or somebody asks for a fresh one. One reading at a time, and none more often than `soonestMs`.
 */
import { Command, type EconomyReading, type Genesis, type State } from '@scs/protocol';
import type { Clock } from '../../kube/clock.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import { UNKNOWN_TRANSACTION } from '../witness.ts';
import { ChainError, type Chain, type ChainReading } from './chain.ts';
import { economyNews, economyQuestion } from './economy-reading.ts';

type Observed = Extract<Command, { type: 'chain.observed' }>;
export interface ChainReaderOptions {
  readonly chain: Pick<Chain, 'observe' | 'settledBatch' | 'economy'>;
  /** Whose bonds are read. */
  readonly genesis: Pick<Genesis, 'actors' | 'masters'>;
  /** Accounts with an escrow. */
  readonly accounts: readonly string[];
  readonly state: () => State;
  /** Only who proposes needs to read. */
  readonly active: () => boolean;
  /** A reading is proposed anew when the decided one is half as old; milliseconds. */
  readonly maxAgeMs: number;
  readonly everyMs?: number;
  readonly soonestMs?: number;
  /** Bonds, minting and leaves are read so often, and when somebody asks for a fresh reading. */
  readonly economyEveryMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** There is a candidate. */
  readonly onReading: () => void;
}
const MOST_BATCHES = 20;
/** Admissions ask for fresh escrows several times a second; the rest need not follow that closely. */
const ASKED_EVERY_MS = 2_000;

export class ChainReader {
  readonly #o: ChainReaderOptions;
  #candidate: Observed | undefined;
  #asked = false;
  #stir = new AbortController();
  #lastReadAt = 0;
  #economyReadAt = 0;
  #lastTurnAt: number;

  constructor(options: ChainReaderOptions) {
    this.#o = options;
    this.#lastTurnAt = options.clock.now();
  }

  /** What to propose now, if anything. */
  candidate(): Observed | undefined {
    return this.#candidate;
  }
  /** It was refused, or decided: a new reading makes the next. */
  drop(): void {
    this.#candidate = undefined;
  }
  /** Somebody waits for a fresh reading. */
  request(): void {
    this.#asked = true;
    this.#stir.abort();
  }
  /** Civil time of the last successful reading; 0 before the first. */
  lastReadAt(): number {
    return this.#lastReadAt;
  }
  lastTurnAt(): number {
    return this.#lastTurnAt;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, everyMs = 1_500, soonestMs = 250 } = this.#o;
    while (!signal.aborted) {
      this.#lastTurnAt = clock.now();
      if (this.#o.active() && !this.#candidate) await this.#read();
      await clock.sleep(soonestMs, signal);
      if (this.#stir.signal.aborted) this.#stir = new AbortController();
      if (!this.#asked) await clock.sleep(everyMs - soonestMs, AbortSignal.any([signal, this.#stir.signal]));
    }
  }

  async #read(): Promise<void> {
    const { chain, accounts, state, clock, logger } = this.#o;
    const asked = this.#asked;
    this.#asked = false;
    try {
      const settled = await this.#settled();
      const reading = await chain.observe(accounts);
      const economy = await this.#economy(reading, asked);
      this.#lastReadAt = clock.now();
      this.#candidate = this.#worthTelling(state(), reading, settled, asked, economy);
      if (this.#candidate) this.#o.onReading();
    } catch (thrown) {
      logger.warn(errorFields(thrown), 'the chain could not be read');
    }
  }

  /** What is new of the economy, as of the same point; read now and then only. */
  async #economy(reading: ChainReading, asked: boolean): Promise<EconomyReading | undefined> {
    const { chain, genesis, state, clock, economyEveryMs = 10_000 } = this.#o;
    const everyMs = asked ? Math.min(ASKED_EVERY_MS, economyEveryMs) : economyEveryMs;
    if (this.#economyReadAt > 0 && clock.now() - this.#economyReadAt < everyMs) return undefined;
    const question = economyQuestion(genesis, state());
    const figures = await chain.economy(question, reading);
    this.#economyReadAt = clock.now();
    return economyNews(question, figures, state());
  }

  /** Decided batches that have landed, in order, from the first that isn't decided to have. */
  async #settled(): Promise<Observed['settled']> {
    const { chain: decided, nextBatch } = this.#o.state().must('meta');
    const landed: Observed['settled'] = [];
    const first = (decided?.settled ?? 0n) + 1n;
    for (let batch = first; batch < nextBatch && landed.length < MOST_BATCHES; batch += 1n) {
      const found = await this.#o.chain.settledBatch(batch);
      if (!found) break;
      const { tasksRoot, txHash = UNKNOWN_TRANSACTION, version = 0n } = found;
      landed.push({ batch, tasksRoot, transaction: txHash, version });
    }
    return landed;
  }

  #worthTelling(
    state: State,
    reading: ChainReading,
    settled: Observed['settled'],
    asked: boolean,
    economy: EconomyReading | undefined,
  ): Observed | undefined {
    const { chain } = state.must('meta');
    const time = Number(reading.timestampMs);
    const escrows = Object.entries(reading.escrows)
      .filter(([account, { balance, withdrawing }]) => {
        const known = state.get('escrow', account);
        return known !== undefined && (known.balance !== balance || known.withdrawing !== withdrawing);
      })
      .map(([account, { balance, withdrawing }]) => ({ account, balance, withdrawing }))
      .toSorted((a, b) => (a.account < b.account ? -1 : 1));
    const inTime = settled.filter(({ version }) => version <= reading.ledgerVersion);
    if (chain && (reading.ledgerVersion < chain.ledgerVersion || time < chain.time)) return undefined;
    if (chain && reading.ledgerVersion === chain.ledgerVersion && time === chain.time) return undefined;
    const old = !chain || this.#o.clock.now() - chain.time > this.#o.maxAgeMs / 2;
    const stale = asked && (!chain || reading.ledgerVersion > chain.ledgerVersion);
    if (escrows.length === 0 && inTime.length === 0 && !old && !stale && !economy) return undefined;
    const { ledgerVersion } = reading;
    const observed: Observed = { type: 'chain.observed', ledgerVersion, time, escrows, settled: inTime, ...(economy && { economy }) };
    // a node may tell figures that no block can hold; such a candidate would keep all else out of it, too
    if (Command.safeParse(observed).success) return observed;
    throw new ChainError({ code: 'ChainMisbehaves', detail: 'the node told figures out of all bounds' });
  }
}
