import { expect, test } from 'vitest';
import { RateLimit } from './rate-limit.ts';

test('a burst, then a steady rate, each caller by themselves; a clock that goes back gives nothing', () => {
  const limit = new RateLimit({ burst: 2, perSecond: 1 });
  expect([0, 0, 0].map((at) => limit.take('ann', at))).toEqual([true, true, false]);
  expect(limit.take('bob', 0)).toBe(true);
  expect(limit.take('ann', 999)).toBe(false);
  expect(limit.take('ann', 1_999)).toBe(true);
  expect(limit.take('ann', 0)).toBe(false);
});

test('it remembers so many callers and no more', () => {
  const limit = new RateLimit({ burst: 1, perSecond: 0 }, 2);
  expect(['ann', 'bob', 'ann', 'cem', 'bob'].map((name) => limit.take(name, 0))).toEqual([true, true, false, true, true]);
});
