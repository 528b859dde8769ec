/** Time as a port: whatever waits here does it through a `Clock`, so that no test sleeps. */
export interface Clock {
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects: the caller looks at its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal?.addEventListener('abort', finish, { once: true });
    }),
};

export interface Backoff {
  readonly clock: Clock;
  readonly baseMs?: number;
  readonly capMs?: number;
  /** In [0, 1). */
  readonly random?: () => number;
}
/** Sleeps before try `failures + 1`: doubled from base to cap, with jitter of up to half. */
export const backOff = (
  failures: number,
  { clock, baseMs = 200, capMs = 5_000, random = Math.random }: Backoff,
  signal?: AbortSignal,
): Promise<void> => clock.sleep(Math.round(Math.min(capMs, baseMs * 2 ** Math.min(failures, 20)) * (0.5 + random() / 2)), signal);
