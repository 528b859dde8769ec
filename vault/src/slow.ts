/** The log of slow steps: name and class alone. No statement, no value, no count, and no time by which one could be told (B4). */
import type { Logger } from './logger.ts';

const SLOW_SECONDS = [1, 10, 60];

export const noteSlow = (log: Pick<Logger, 'warn'>, step: string, ms: number): void => {
  const over = SLOW_SECONDS.findLast((seconds) => ms >= seconds * 1000);
  if (over !== undefined) log.warn({ step, overSeconds: over }, 'slow');
};
