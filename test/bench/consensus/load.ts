/** A closed loop: so many commands under way at a time, each answered before the next. */
import { performance } from 'node:perf_hooks';
import { quantile } from '../figures.ts';

export interface Load {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Longest time in which nothing was answered, milliseconds. */
  readonly gap: number;
}
/** `submit` resolves when its command is decided, and is asked again when it rejects. */
export const closedLoop = async (submit: (n: number) => Promise<void>, underWay: number, ms: number, warmUpMs = 1_000): Promise<Load> => {
  const began = performance.now();
  const from = began + warmUpMs;
  const until = from + ms;
  const latencies: number[] = [];
  let [n, last, gap] = [0, began, 0];
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      n += 1;
      const at = performance.now();
      await submit(n);
      const now = performance.now();
      if (now < from) last = now;
      else {
        latencies.push(now - at);
        gap = Math.max(gap, now - last);
        last = now;
      }
    }
  };
  await Promise.all(Array.from({ length: underWay }, client));
  const took = performance.now() - from;
  return { perSecond: (latencies.length * 1000) / took, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), gap };
};
