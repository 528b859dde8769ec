import { expect, test } from 'vitest';
import type { Command } from '@scs/protocol';
import { buildBlock } from './build-block.ts';
import { nameOf, toyCommand, toyRules } from './testing/toy-rules.ts';

const build = (state = toyRules.initial(), ...commands: Command[]) => {
  const refusals: string[] = [];
  const chosen = buildBlock({
    rules: toyRules,
    state,
    base: { height: 1n, generation: 0n, parent: '0'.repeat(64), time: 1, proposer: 0 },
    commands,
    refused: (command, { code }) => refusals.push(`${nameOf(command)} ${code}`),
  });
  return { refusals, names: chosen?.block.commands.map(nameOf) };
};

test('N1: a command is told "already decided" by what is decided, never by a block that may yet be lost', () => {
  expect(build(undefined, toyCommand('a'), toyCommand('a'), toyCommand('b'))).toEqual({ refusals: [], names: ['a', 'b'] });
  const decided = toyRules.apply(toyRules.initial(), toyCommand('a'), { time: 0, height: 0n });
  expect(build(decided.ok ? decided.state : undefined, toyCommand('b'), toyCommand('a'))).toEqual({
    refusals: ['a AlreadyDecided'],
    names: ['b'],
  });
});

test('what the decided state refuses is refused, wherever it stands', () => {
  expect(build(undefined, toyCommand('a'), toyCommand('bad'))).toEqual({ refusals: ['bad Bad'], names: ['a'] });
});

test('T5: what would make the block late waits for the next one, but one command goes always', () => {
  const build = (made: number) => {
    let asked = 0;
    return buildBlock({
      rules: toyRules,
      state: toyRules.initial(),
      base: { height: 1n, generation: 0n, parent: '0'.repeat(64), time: 1, proposer: 0 },
      commands: ['a', 'b', 'c', 'd'].map(toyCommand),
      enough: () => ++asked > made,
      refused: () => expect.unreachable(),
    })?.block.commands.map(nameOf);
  };
  expect(build(0)).toEqual(['a']);
  expect(build(2)).toEqual(['a', 'b', 'c']);
});
