import { expect, test } from 'vitest';
import { PeersHeard } from './peers-heard.ts';

test('N7: a master that hears one peer is not alone; after seconds without any word it is, until the next', () => {
  let now = 1_000;
  const heard = new PeersHeard(() => now);
  expect(heard.allAway()).toBe(false);
  now += 5_001;
  expect(heard.allAway()).toBe(true);
  heard.note(2, 7n);
  expect([heard.allAway(), heard.heightOf(2), heard.heightOf(1)]).toEqual([false, 7n, 0n]);
  now += 4_000;
  heard.note(1);
  now += 4_000;
  expect([heard.allAway(), heard.heightOf(2)]).toEqual([false, 7n]);
});
