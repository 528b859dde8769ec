import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { State } from '../state.ts';
import { Draft } from './draft.ts';
import { addDue, earliestDue, slotTime, takeDue } from './due-index.ts';

const times = fc.integer({ min: 0, max: 20_000_000 }).map(slotTime);
const take = (draft: Draft, now: number): string[] => {
  const taken: string[] = [];
  for (let entries = takeDue(draft, now); entries; entries = takeDue(draft, now)) taken.push(...entries);
  return taken;
};

describe('T5: the index of what falls due', () => {
  test('gives back exactly what is due, earliest slot first, and leaves nothing behind', () =>
    fc.assert(
      fc.property(fc.array(times, { maxLength: 60 }), times, (list, now) => {
        const draft = new Draft(new State());
        for (const [i, time] of list.entries()) addDue(draft, time, `task/${i}`);
        expect(earliestDue(draft)).toBe(list.length === 0 ? undefined : Math.min(...list));
        const taken = take(draft, now).map((entry) => list[Number(entry.slice(5))]!);
        expect(taken).toEqual(list.filter((time) => time <= now).toSorted((a, b) => a - b));
        take(draft, Infinity);
        expect([...draft.state.map.entries()]).toEqual([]);
      }),
    ));

  test('a slot with many entries is taken in chunks of 64, and no leaf holds more', () => {
    const draft = new Draft(new State());
    for (let i = 0; i < 1000; i++) addDue(draft, 500, `task/${i}`);
    for (const [, value] of draft.state.map.entries()) expect(value.length).toBeLessThan(64 * 12);
    expect(takeDue(draft, 499)).toBeUndefined();
    expect(takeDue(draft, 500)!.length).toBeLessThanOrEqual(64);
    expect(take(draft, 500)).toHaveLength(1000 - 40);
  });

  test('a time between slots is rounded up, and refused as it is', () => {
    expect(slotTime(101)).toBe(200);
    expect(() => addDue(new Draft(new State()), 101, 'task/a')).toThrow(RangeError);
  });
});
