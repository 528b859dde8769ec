import { expect, test } from 'vitest';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';

test('T2: a query goes forward through every state to completed', () => {
  const world = World.ready();
  const uid = world.submit(aTask().query('coffee').maxFee('10'));
  const task = world.runTo(uid, 'completed');
  expect(task.history.map(({ state }) => state)).toEqual([
    'accepted',
    'resolving',
    'dispatched',
    'verifying',
    'awaiting_settlement',
    'completed',
  ]);
});
