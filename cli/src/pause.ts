import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, or returns at once when the user interrupts. */
export const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  try {
    await sleep(ms, undefined, { signal });
  } catch (cause) {
    if (!signal.aborted) throw cause;
  }
};
