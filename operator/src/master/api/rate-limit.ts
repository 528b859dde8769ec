/** How much one caller may ask: a token bucket each, for as many callers as are registered. */
import { type Clock, monotonic } from '../../kube/clock.ts';

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}
/** Returns true while the caller is within its rate. */
export const rateLimit = ({ perSecond, burst }: Rate, clock: Clock): ((caller: string) => boolean) => {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (caller) => {
    const now = monotonic(clock);
    const bucket = buckets.get(caller) ?? { tokens: burst, at: now };
    buckets.set(caller, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
};
