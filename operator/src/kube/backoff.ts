/** Exponential backoff: doubles from `baseMs` up to `capMs`; jitter takes off up to half, so that many clients don't return together. */
export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Delay in milliseconds before attempt `failures + 1`; `failures` counts from 1. `random` gives [0, 1). */
export function backoffMs(failures: number, { baseMs, capMs }: Backoff, random: () => number = Math.random): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return Math.round(full * (0.5 + random() / 2));
}
