import { describe, expect, test } from 'vitest';
import { blockDigest, decodeBlock, encodeBlock, type Block } from '../block.ts';
import { decodeCommand, encodeCommand } from '../commands.ts';
import { explain } from '../rejection.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { applyBlock } from './apply.ts';
import { nextCommands, nextDue } from './due.ts';

test('T2: a query goes forward through every state to completed; T8: the charge is fixed when the evidence is decided', () => {
  const world = World.ready();
  const uid = world.submit(aTask().query('coffee').maxFee('10'));
  expect(world.runTo(uid, 'verifying')).toMatchObject({ charge: 525_000_000n });
  expect(world.task(uid).sealedResult).toBeDefined();
  const task = world.runTo(uid, 'completed');
  const states = ['accepted', 'resolving', 'dispatched', 'verifying', 'awaiting_settlement', 'completed'];
  expect(task.history.map(({ state }) => state)).toEqual(states);
  const heights = task.history.map(({ height }) => height);
  expect(heights).toEqual(heights.toSorted((a, b) => Number(a - b)));
});

describe('T5: blocks', () => {
  const next = (world: World, change: Partial<Block> = {}): Block => {
    const { height, block: parent, time } = world.state.must('meta');
    return { height: height + 1n, generation: 0n, parent, time, proposer: 1, commands: [], ...change };
  };
  test.each`
    code                | change
    ${'HeightMismatch'} | ${{ height: 9n }}
    ${'HeightMismatch'} | ${{ height: 2n }}
    ${'ParentMismatch'} | ${{ parent: 'ab'.repeat(32) }}
    ${'TimeBackwards'}  | ${{ time: 1 }}
  `('$code for $change', ({ code, change }: { code: string; change: Partial<Block> }) => {
    const world = World.ready();
    expect(applyBlock(world.state, next(world, change), world)).toMatchObject({ ok: false, fault: { code } });
  });
  test('one faulty command makes the whole block faulty, and is named', () => {
    const world = World.ready();
    const commands = [aTask().signed(world.genesis), { type: 'tick' as const }];
    expect(applyBlock(world.state, next(world, { commands }), world)).toMatchObject({ ok: false, command: 1, fault: { code: 'NotDue' } });
  });
  test('height, time and digest go into the state, and the touched records are named', () => {
    const world = World.ready();
    const command = aTask().signed(world.genesis);
    const block = next(world, { commands: [command], time: world.time + 7 });
    const applied = applyBlock(world.state, block, world);
    expect(applied.ok && applied.state.must('meta')).toMatchObject({ height: block.height, time: block.time, block: blockDigest(block) });
    expect(applied.ok && applied.touched).toEqual([`escrow/${world.address('roastery')}`, `task/${command.uid}`, 'meta/']);
  });
  test('all commands of a whole run survive encoding', () => {
    const world = World.ready();
    world.runTo(world.submit(aTask()), 'completed');
    for (const block of world.blocks) {
      expect(decodeBlock(encodeBlock(block))).toEqual(block);
      for (const command of block.commands) expect(decodeCommand(encodeCommand(command))).toEqual(command);
    }
  });
});

describe('what the masters propose by themselves', () => {
  test('the work that waits, in order, and when there is more', () => {
    const world = World.ready();
    expect(nextCommands(world.state, world.time, world.genesis)).toEqual([]);
    expect(nextDue(world.state, world.genesis)).toBe(world.genesis.time + 3_600_000);
    const command = aTask().signed(world.genesis);
    world.block(command);
    expect(nextCommands(world.state, world.time, world.genesis)).toEqual([{ type: 'task.resolve', uid: command.uid }]);
    world.followUp();
    expect(nextDue(world.state, world.genesis)).toBe(world.time + 60_000);
    expect(nextCommands(world.state, world.time + 60_000, world.genesis)).toEqual([{ type: 'tick' }]);
  });
  test('work that something else has done is not proposed', () => {
    const world = World.ready();
    const [first, second] = [aTask().signed(world.genesis), aTask().signed(world.genesis)];
    world.block(first, second);
    world.block({ type: 'task.resolve', uid: second.uid });
    expect(nextCommands(world.state, world.time, world.genesis)).toEqual([{ type: 'task.resolve', uid: first.uid }]);
    world.block({ type: 'task.cancel', uid: first.uid });
    expect(nextCommands(world.state, world.time, world.genesis)).toEqual([]);
    expect(world.state.get('queue', 'next')).toBeUndefined();
  });
});

test('no record that rules walk grows with the number of live tasks', () => {
  const world = World.ready();
  const largest = () =>
    Math.max(...[...world.state.map.entries()].filter(([key]) => /^(index|queue|meta)\//.test(key)).map(([, value]) => value.length));
  for (let i = 0; i < 100; i++) world.block(aTask().maxFee('0.1').signed(world.genesis));
  const few = largest();
  for (let i = 0; i < 400; i++) world.block(aTask().maxFee('0.1').signed(world.genesis));
  expect(largest()).toBeLessThanOrEqual(few);
});

test('T6: every end of a task can be explained in a sentence', () => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.block({ type: 'task.cancel', uid });
  expect(explain(world.task(uid).rejection!)).toMatch(/\.$/);
});
