/** N3: no enterprise puts its enclave, or its words, in another's place. */
import { expect, test } from 'vitest';
import type { Command } from '@scs/protocol';
import { enterprises, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import {
  aggregateCommand,
  anOffer,
  answerCommand,
  readyCommand,
  registerCommand,
  releaseCommand,
  sliceReadyCommand,
} from '@scs/protocol/testing/statements.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { speaksFor } from './speaks-for.ts';

const world = World.ready();
const uid = world.submit(aTask().signed(world.genesis));
world.answer(uid);
world.ready(uid);
const slice = sliceReadyCommand(world, world.task(uid), vaultNames[0]!, 1);
const release = releaseCommand(world, world.task(uid), vaultNames[0]!, 90n);
world.release(uid);
world.aggregatorReady(uid);
const aggregator = world.aggregator(uid);
const record = (task: string) => world.state.get('task', task);

const commands: readonly (readonly [string, Command, string])[] = [
  ['an offer', registerCommand(world, anOffer(vaultNames[0]!)), enterprises[0]],
  ['an answer', answerCommand(world, world.task(uid), vaultNames[0]!, 1n), enterprises[0]],
  ['a slice’s enclave', slice, enterprises[0]],
  ['a release', release, enterprises[0]],
  ['an aggregator’s enclave', readyCommand(world, world.task(uid), 'aggregator', aggregator.address, 'alder', 1), aggregator.name],
  ['evidence of the aggregate', aggregateCommand(world, world.task(uid), aggregator.address), aggregator.name],
];
test.each(commands)('%s is taken from its own enterprise only', (_what, command, owner) => {
  for (const name of enterprises) expect(speaksFor(actorKey(name).address, command, record)).toBe(name === owner);
});
test('of a task that this master has not heard of, the rules judge', () => {
  expect(speaksFor(actorKey('birch').address, slice, () => undefined)).toBe(true);
});
