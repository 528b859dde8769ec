/** Time as a port: everything in this folder that waits or stamps does it through a `Clock`, so that no test sleeps. */
export interface Clock {
  /** Civil time, milliseconds since 1970. May step when the machine's clock is set. */
  now(): number;
  /** Milliseconds on a clock that never steps; where a clock lacks it, `monotonic(clock)` falls back on `now`. */
  monotonic?(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects: the caller looks at its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** For durations that must not be shortened by somebody setting the machine's clock (leases, inactivity). */
export const monotonic = (clock: Clock): number => clock.monotonic?.() ?? clock.now();

/** Longest delay that setTimeout takes; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), longestTimerMs));
      function done(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      }
      signal?.addEventListener('abort', done, { once: true });
    }),
};

type Sleeper = { readonly dueAt: number; readonly ms: number; readonly wake: () => void };

export interface FakeClock extends Clock {
  monotonic(): number;
  /** Moves time on by `ms` and wakes, in order of their due times, all who are due. */
  advance(ms: number): void;
  /** Sets the civil clock without any time passing, as a wrong NTP server would. */
  stepCivil(ms: number): void;
  /** Durations asked for by those who sleep now. */
  sleeping(): readonly number[];
  /** Resolves as soon as someone sleeps for a duration that fits (at once if someone does already); gives that duration. */
  untilSleeping(fits?: (ms: number) => boolean): Promise<number>;
}

/** A clock that only a test moves. Starts at `startMs` of civil time. */
export function fakeClock(startMs = Date.UTC(2030, 0, 1)): FakeClock {
  let elapsed = 0;
  let civilOffset = startMs;
  const sleepers = new Set<Sleeper>();
  const waiters = new Set<{ fits: (ms: number) => boolean; found: (ms: number) => void }>();

  const tellWaiters = (ms: number): void => {
    for (const waiter of waiters) {
      if (!waiter.fits(ms)) continue;
      waiters.delete(waiter);
      waiter.found(ms);
    }
  };
  const nextDue = (until: number): Sleeper | undefined =>
    [...sleepers].filter((s) => s.dueAt <= until).toSorted((a, b) => a.dueAt - b.dueAt)[0];

  return {
    now: () => civilOffset + elapsed,
    monotonic: () => elapsed,
    stepCivil: (ms) => {
      civilOffset += ms;
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper: Sleeper = {
          dueAt: elapsed + Math.max(ms, 0),
          ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', sleeper.wake);
            resolve();
          },
        };
        signal?.addEventListener('abort', sleeper.wake, { once: true });
        sleepers.add(sleeper);
        tellWaiters(ms);
      }),
    advance: (ms) => {
      const until = elapsed + ms;
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        elapsed = Math.max(elapsed, due.dueAt);
        due.wake();
      }
      elapsed = until;
    },
    sleeping: () => [...sleepers].map((s) => s.ms),
    untilSleeping: (fits = () => true) =>
      new Promise((resolve) => {
        const already = [...sleepers].find((s) => fits(s.ms));
        if (already !== undefined) return resolve(already.ms);
        waiters.add({ fits, found: resolve });
      }),
  };
}
