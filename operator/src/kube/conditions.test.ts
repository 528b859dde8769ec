import { expect, test } from 'vitest';
import { findCondition, isTrue, setCondition } from './conditions.ts';

const ready = (status: 'True' | 'False', reason = 'Ready') =>
  ({ type: 'Ready', status, reason, message: 'm', observedGeneration: 1 }) as const;
const at = (s: number): number => Date.UTC(2030, 0, 1, 0, 0, s, 123);

test('a condition keeps its transition time while its status stays', () => {
  const first = setCondition(undefined, ready('False', 'Starting'), at(1));
  const second = setCondition(first, ready('False', 'Pulling'), at(2));
  const third = setCondition(second, ready('True'), at(3));
  expect([first, second, third].map((list) => findCondition(list, 'Ready')?.lastTransitionTime)).toEqual([
    '2030-01-01T00:00:01Z',
    '2030-01-01T00:00:01Z',
    '2030-01-01T00:00:03Z',
  ]);
  expect(findCondition(second, 'Ready')?.reason).toBe('Pulling');
  expect([isTrue(second, 'Ready'), isTrue(third, 'Ready'), isTrue(undefined, 'Ready')]).toEqual([false, true, false]);
});

test('the others stay, in the order of their types, and the list given is not changed', () => {
  const before = Object.freeze(setCondition([], ready('True'), at(1)));
  const after = setCondition(before, { ...ready('True'), type: 'Attested' }, at(2));
  expect(after.map((c) => c.type)).toEqual(['Attested', 'Ready']);
  expect(before).toHaveLength(1);
});
