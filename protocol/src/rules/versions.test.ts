/** Versions of the protocol (rules X4, G5): announced by all three, approved by two, active from the end of an epoch. */
import { expect, test } from 'vitest';
import type { Command } from '../commands.ts';
import { signStatement } from '../evidence.ts';
import { masterKey } from '../testing/keys.ts';
import { World } from '../testing/world.ts';
import { applyBlock } from './apply.ts';
import { policyOf } from './context.ts';

const announce = (world: World, master: number, newest: number, sequence = 1, by = master): Command => {
  const statement = { master, newest, sequence };
  return {
    type: 'version.announce',
    statement,
    signature: signStatement(masterKey(by).seed, 'version.announce', world.genesisDigest, statement),
  };
};
const activate = (world: World, version: number, masters: readonly number[] = [0, 2]): Command => {
  const statement = { version };
  const approve = (master: number) => ({
    master,
    signature: signStatement(masterKey(master).seed, 'version.activate', world.genesisDigest, statement),
  });
  return { type: 'version.activate', statement, approvals: masters.map(approve) };
};
const active = (world: World): number => world.state.must('meta').protocolVersion;
const endEpoch = (world: World): void => {
  world.time = world.state.must('meta').epochStart + policyOf(world.genesis, 1).epoch.lengthMs;
  world.block({ type: 'tick' });
};
const announced = (newest: readonly number[]): World => {
  const world = new World();
  world.block(...newest.map((n, master) => announce(world, master, n)));
  return world;
};

test('X4: what all three announced and two approved is active from the end of the epoch', () => {
  const world = announced([2, 2, 3]);
  world.block(activate(world, 2));
  expect(active(world)).toBe(1);
  endEpoch(world);
  expect(active(world)).toBe(2);
});

test('X4: a master that goes back to its old build meanwhile puts it off to the next end of an epoch', () => {
  const world = announced([2, 2, 2]);
  world.block(activate(world, 2));
  world.block(announce(world, 1, 1, 2));
  endEpoch(world);
  expect(active(world)).toBe(1);
  world.block(announce(world, 1, 2, 3));
  endEpoch(world);
  expect(active(world)).toBe(2);
});

test.each<[string, string, (world: World) => Command]>([
  ['one has not announced it', 'NotAgreed', (world) => activate(world, 2)],
  ['one approves alone', 'SignatureInvalid', (world) => activate(world, 2, [1])],
  ['a version is left out', 'Conflicts', (world) => activate(world, 3)],
  ['it is announced already', 'AlreadyDecided', (world) => announce(world, 0, 2, 2)],
  ['an old announcement is brought again', 'Conflicts', (world) => announce(world, 0, 1, 1)],
  ['another master announces', 'SignatureInvalid', (world) => announce(world, 2, 2, 2, 1)],
])('X4: refused: %s', (_why, code, command) => {
  const world = announced([2, 2, 1]);
  expect(world.faultOf(command(world))).toBe(code);
});

test('X4: a build that does not carry the active version takes no block; one that does, goes on', () => {
  const world = announced([2, 2, 2]);
  world.block(activate(world, 2));
  endEpoch(world);
  const { height, block: parent, time } = world.state.must('meta');
  const next = { height: height + 1n, generation: 0n, parent, time, proposer: 0, commands: [] };
  const group = { genesis: world.genesis, genesisDigest: world.genesisDigest };
  expect(applyBlock(world.state, next, group)).toMatchObject({ ok: false, fault: { code: 'ProtocolVersionUnknown' } });
  expect(applyBlock(world.state, next, { ...group, newest: 2 })).toMatchObject({ ok: true });
});
