import { expect, test } from 'vitest';
import type { Command } from '@scs/protocol';
import { digestOf, vaultKey } from '@scs/protocol/testing/keys.ts';
import { releaseCommand } from '@scs/protocol/testing/statements.ts';
import { signStatement } from '@scs/protocol';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import type { Decision } from '../log/log.ts';
import { proposeOrAccuse } from './accuse.ts';

const VAULT = 'alder/shoppers';
/** A log that decides by the rules. */
const logOf = (world: World) => ({
  propose: async (command: Command): Promise<Decision> => {
    const applied = world.try(command);
    if (!applied.ok) return { ok: false, ...applied.fault };
    world.block(command);
    return { ok: true, height: world.height };
  },
});
const scene = () => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.answer(uid);
  world.ready(uid);
  const honest = releaseCommand(world, world.task(uid), VAULT, 5n);
  const receipt = { ...honest.receipt, outputCommitment: digestOf('another output') };
  const second = { ...honest, receipt, signature: signStatement(vaultKey(VAULT).seed, 'slice.release', world.genesisDigest, receipt) };
  return { world, honest, second };
};

test('G3: a Vault that hands in a second output is answered, and its penalty decided', async () => {
  const { world, honest, second } = scene();
  expect(await proposeOrAccuse(logOf(world), honest)).toMatchObject({ ok: true });
  expect(await proposeOrAccuse(logOf(world), second)).toMatchObject({ ok: false, code: 'Conflicts' });
  expect(world.state.get('settlement', 'slash-1')).toMatchObject({ leaf: 'slash' });
});
test('the same receipt again, and refusals that prove nothing, accuse nobody', async () => {
  const { world, honest, second } = scene();
  expect(await proposeOrAccuse(logOf(world), honest)).toMatchObject({ ok: true });
  expect(await proposeOrAccuse(logOf(world), honest)).toMatchObject({ code: 'AlreadyDecided' });
  expect(await proposeOrAccuse(logOf(world), { ...second, signature: honest.signature })).toMatchObject({ code: 'SignatureInvalid' });
  expect(world.state.get('settlement', 'slash-1')).toBeUndefined();
});
