/**
 * Looks after this master's gas account (rules P2, P4): without gas nothing lands, and nobody is told by the chain. Below the limit it
 * says so as an event on the master's StatefulSet, as a metric, and to whoever asks.
 */
import type { Clock } from '../../kube/clock.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import type { Reason } from '../projection/conditions.ts';
import type { Chain } from './chain.ts';

export interface GasWatchOptions {
  readonly chain: Pick<Chain, 'gasBalance'>;
  /** Base units of the chain's gas coin (10^-8 APT); default: 0.1 APT, some hundred batches. */
  readonly lowBelow?: bigint;
  readonly everyMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told on each look that finds too little. */
  readonly onLow: (why: Reason) => void;
}
const LOW = 10_000_000n;

export class GasWatch {
  readonly #o: GasWatchOptions;
  #balance: bigint | undefined;
  constructor(options: GasWatchOptions) {
    this.#o = options;
  }
  /** As last read; undefined before that. */
  balance(): bigint | undefined {
    return this.#balance;
  }
  /** Why settlement may stop soon, or has; undefined while there is enough. */
  low(): Reason | undefined {
    const { lowBelow = LOW } = this.#o;
    if (this.#balance === undefined || this.#balance >= lowBelow) return undefined;
    return {
      reason: 'GasLow',
      message: `The gas account holds ${this.#balance} base units of gas coin, below ${lowBelow}: fund it, or batches stop landing.`,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, everyMs = 60_000 } = this.#o;
    while (!signal.aborted) {
      await this.#look();
      await clock.sleep(everyMs, signal);
    }
  }

  async #look(): Promise<void> {
    const { chain, logger, onLow } = this.#o;
    try {
      this.#balance = await chain.gasBalance();
    } catch (thrown) {
      return logger.warn(errorFields(thrown), 'the gas balance could not be read');
    }
    const why = this.low();
    if (why) {
      logger.warn({ balance: this.#balance.toString() }, why.message);
      onLow(why);
    }
  }
}
