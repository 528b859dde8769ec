/** Lands certified batches on the chain (rules P2, P3, P4), in order, one at a time. Whoever proposes does it; twice does no harm. */
import { batchKey } from '@scs/protocol';
import { backoffMs } from '../../kube/backoff.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import type { Log } from '../log/log.ts';
import { ChainError, type Chain } from './chain.ts';

export interface SettlementEffectsOptions {
  readonly chain: Pick<Chain, 'settle'>;
  readonly log: Pick<Log, 'state' | 'leaf' | 'isPrimary'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  /** A batch has landed: the chain is worth reading. */
  readonly onLanded: (batch: bigint) => void;
  readonly onFault?: (code: string) => void;
}
const LOOK_MS = 200;
const retry = { baseMs: 500, capMs: 30_000 };

export class SettlementEffects {
  readonly #o: SettlementEffectsOptions;
  /** Landed, as the chain told this process; the log learns it from a reading. */
  #landed = 0n;
  #lastTurnAt: number;
  constructor(options: SettlementEffectsOptions) {
    this.#o = options;
    this.#lastTurnAt = options.clock.now();
  }
  lastTurnAt(): number {
    return this.#lastTurnAt;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, random = Math.random } = this.#o;
    let failures = 0;
    while (!signal.aborted) {
      this.#lastTurnAt = clock.now();
      const batch = log.isPrimary() ? this.#next() : undefined;
      const landed = batch === undefined || (await this.#settle(batch));
      failures = landed ? 0 : failures + 1;
      await clock.sleep(landed ? LOOK_MS : backoffMs(failures, retry, random), signal);
    }
  }

  /** The first decided batch that isn't known to have landed. */
  #next(): bigint | undefined {
    const { chain, nextBatch } = this.#o.log.state().must('meta');
    const observed = chain?.settled ?? 0n;
    const next = (this.#landed > observed ? this.#landed : observed) + 1n;
    return next < nextBatch ? next : undefined;
  }

  async #settle(batch: bigint): Promise<boolean> {
    const { chain, log, logger, onLanded, onFault } = this.#o;
    const leaf = log.leaf(batchKey(batch));
    if (!leaf) return false;
    try {
      const { txHash, version } = await chain.settle({ leaf });
      this.#landed = batch;
      logger.info({ batch: Number(batch), txHash, version: version.toString() }, 'a batch has landed');
      onLanded(batch);
      return true;
    } catch (thrown) {
      const code = thrown instanceof ChainError ? thrown.fault.code : errorFields(thrown).code;
      onFault?.(code);
      const fields = { batch: Number(batch), ...errorFields(thrown), code };
      if (thrown instanceof ChainError && thrown.transient) logger.warn(fields, 'a batch could not be landed yet');
      else logger.error(fields, 'a batch can not be landed; somebody has to act');
      return false;
    }
  }
}
