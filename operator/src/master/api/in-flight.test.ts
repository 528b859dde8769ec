/** No caller takes the whole waiting room (bounded queues, N1). */
import { expect, test } from 'vitest';
import { inFlight } from './in-flight.ts';

test('a caller beyond its share waits; the others do not, and what is done makes room', () => {
  const take = inFlight({ calls: 2, bytes: 10 });
  const first = take('a', 4);
  expect(take('a', 7)).toBeUndefined();
  expect(take('a', 6)).toBeDefined();
  expect(take('a', 0)).toBeUndefined();
  expect(take('b', 10)).toBeDefined();
  first?.();
  first?.();
  expect(take('a', 4)).toBeDefined();
  expect(take('a', 0)).toBeUndefined();
});
