import { describe, expect, test } from 'vitest';
import { taskStates, type TaskState } from '../resources/task.ts';
import { aGenesis, aPolicy, GENESIS_TIME } from '../testing/genesis.ts';
import { genesisDigest } from '../genesis.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { deadlineOf, isTerminal, mayMove, moved } from './lifecycle.ts';

describe('T2, T3: the table of transitions', () => {
  test.each`
    rule    | from                     | to                       | legal
    ${'T2'} | ${'accepted'}            | ${'resolving'}           | ${true}
    ${'T2'} | ${'resolving'}           | ${'dispatched'}          | ${true}
    ${'T2'} | ${'dispatched'}          | ${'verifying'}           | ${true}
    ${'T2'} | ${'verifying'}           | ${'awaiting_settlement'} | ${true}
    ${'T2'} | ${'awaiting_settlement'} | ${'completed'}           | ${true}
    ${'T2'} | ${'accepted'}            | ${'dispatched'}          | ${false}
    ${'T2'} | ${'verifying'}           | ${'completed'}           | ${false}
    ${'T3'} | ${'accepted'}            | ${'rejected'}            | ${true}
    ${'T3'} | ${'accepted'}            | ${'timed_out'}           | ${false}
    ${'T3'} | ${'resolving'}           | ${'timed_out'}           | ${true}
    ${'T3'} | ${'dispatched'}          | ${'rejected'}            | ${true}
    ${'T3'} | ${'dispatched'}          | ${'challenged'}          | ${false}
    ${'T3'} | ${'verifying'}           | ${'rejected'}            | ${false}
    ${'T3'} | ${'verifying'}           | ${'challenged'}          | ${true}
    ${'T3'} | ${'awaiting_settlement'} | ${'timed_out'}           | ${false}
    ${'T3'} | ${'challenged'}          | ${'verifying'}           | ${true}
    ${'T3'} | ${'challenged'}          | ${'completed'}           | ${false}
  `('$rule: $from -> $to is $legal', ({ from, to, legal }: { from: TaskState; to: TaskState; legal: boolean }) =>
    expect(mayMove(from, to)).toBe(legal),
  );

  test('T4: completed, rejected and timed_out are terminal, and nothing else is', () =>
    expect(taskStates.filter(isTerminal).toSorted()).toEqual(['completed', 'rejected', 'timed_out']));
});

test('moved throws on a move that the table does not list, and writes history with height, time and reason', () => {
  const world = World.ready();
  const task = world.task(world.submit(aTask()));
  const genesis = aGenesis();
  const ctx = { genesis, genesisDigest: genesisDigest(genesis), time: world.time + 5, height: 77n };
  expect(() => moved(task, 'completed', ctx)).toThrow('illegal move');
  expect(moved(task, 'rejected', ctx, 'Cancelled').history.at(-1)).toEqual({
    state: 'rejected',
    height: 77n,
    time: world.time + 5,
    reason: 'Cancelled',
  });
});

describe('T5: deadlines', () => {
  const final = GENESIS_TIME + 30_000;
  test.each`
    state                    | ends
    ${'accepted'}            | ${final}
    ${'resolving'}           | ${final}
    ${'dispatched'}          | ${final}
    ${'verifying'}           | ${GENESIS_TIME + 60_100}
    ${'awaiting_settlement'} | ${GENESIS_TIME + 6100}
  `('$state, entered 50 ms after genesis', ({ state, ends }: { state: TaskState; ends: number }) =>
    expect(deadlineOf(state, final, aPolicy(), GENESIS_TIME + 50)).toBe(ends),
  );
});
