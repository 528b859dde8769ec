import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { State } from '../state.ts';
import { Draft } from './draft.ts';
import { dequeue, enqueue, firstItems, queueLength } from './queue.ts';

test('first in, first out; an emptied queue leaves nothing', () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3 })), (steps) => {
      const draft = new Draft(new State());
      const model: string[][] = [];
      for (const [i, step] of steps.entries()) {
        if (step > 0) {
          enqueue(draft, 'q', [String(i)]);
          model.push([String(i)]);
        } else if (model.length >= -step && model.length > 0) {
          dequeue(draft, 'q', -step);
          model.splice(0, -step);
        }
        expect(queueLength(draft, 'q')).toBe(model.length);
        expect(firstItems(draft, 'q', 5)).toEqual(model.slice(0, 5));
      }
      if (model.length > 0) dequeue(draft, 'q', model.length);
      expect([...draft.state.map.entries()]).toEqual([]);
    }),
  ));
test('taking more than there is throws', () => {
  const draft = new Draft(new State());
  enqueue(draft, 'q', ['a']);
  expect(() => dequeue(draft, 'q', 2)).toThrow(RangeError);
});
