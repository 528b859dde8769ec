import { expect, test } from 'vitest';
import { MaybeSet } from './maybe-set.ts';

test('what was added is never denied; of a full set, few others are held to be in it', () => {
  const set = new MaybeSet(2 ** 13);
  const added = Array.from({ length: 500 }, (_, i) => `task ${i}`);
  for (const text of added) set.add(text);
  expect(added.every((text) => set.maybe(text))).toBe(true);
  const others = Array.from({ length: 10_000 }, (_, i) => `other ${i}`).filter((text) => set.maybe(text));
  // (1 - e^(-8 * 500 / 8192))^8 is 0.5 %.
  expect(others.length).toBeLessThan(150);
  expect(new MaybeSet().maybe('task 1')).toBe(false);
});
