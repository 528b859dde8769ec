/** The masters' side of dividends (K6): pots follow charges, roots are a Vault's word, what is left over is not lost. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../commands.ts';
import { decodeDividendRoot, dividendKey } from '../dividends.ts';
import { DEFAULT_ECONOMY } from '../economy.ts';
import { signStatement } from '../evidence.ts';
import { aGenesis, aPolicy, vaultNames } from '../testing/genesis.ts';
import { digestOf, vaultKey } from '../testing/keys.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { leavesUnderRoot, potName } from './dividend-pots.ts';
import { economyIn } from './economy.ts';

const LENGTH = aPolicy().epoch.lengthMs;
const [first, second, third] = vaultNames as [string, string, string];
const CLAIM_SECONDS = DEFAULT_ECONOMY.dividends.claimSeconds;
const economy = { ...DEFAULT_ECONOMY, stakes: { ...DEFAULT_ECONOMY.stakes, producer: 500n } };
const genesis = aGenesis({ policy: { ...aPolicy(), economy } });

const root = (name = 'root'): string => digestOf(name);
const publish = (world: World, vault: string, epoch = 0, name = 'root', signer = vault): Command => {
  const statement = { vault, epoch, root: root(name) };
  return {
    type: 'vault.dividends',
    statement,
    signature: signStatement(vaultKey(signer).seed, 'vault.dividends', world.genesisDigest, statement),
  };
};
const settled = (vaults = vaultNames): World => {
  const world = World.ready(genesis);
  const uid = world.submit(aTask().named('paid').signed(genesis));
  world.answer(uid);
  world.ready(uid);
  world.release(uid, [...vaults]);
  if (vaults.length === vaultNames.length) {
    world.aggregatorReady(uid);
    world.aggregate(uid);
  } else world.block({ type: 'task.cancel', uid });
  world.followUp();
  world.settle();
  return world;
};
const closed = (world = settled()): World => {
  world.advance(LENGTH);
  return world;
};
const pot = (world: World, vault: string, epoch = 0) => world.state.must('pot', potName(epoch, vault));

describe('pots', () => {
  test('each Vault that delivered gets the same part of what the batch sets aside; the task says so', () => {
    const world = settled();
    // 15 % of 5.25 SYM for three Vaults
    for (const vault of vaultNames) expect(pot(world, vault)).toEqual({ epoch: 0, vault, amount: 26_250_000n });
    const task = world.state.must('task', world.blocks.flatMap((b) => b.commands).find((c) => c.type === 'task.admit')!.uid);
    expect(task.dividend).toEqual({ epoch: 0, share: 26_250_000n });
    expect(economyIn(world.state).earmarked).toBe(78_750_000n);
  });
  test('K10: of a failed task, the Vaults whose output left', () => {
    const world = settled([first]);
    expect(pot(world, first).amount).toBe(41_250_000n); // 15 % of 2.75 SYM
    expect(world.state.get('pot', potName(0, second))).toBeUndefined();
  });
  test('are fixed when their epoch closes', () => {
    const world = settled();
    expect(pot(world, first).total).toBeUndefined();
    expect(pot(closed(world), first).total).toBe(26_250_000n);
  });
  test('what roots left over on the chain goes to the pots of the next epoch, by their size', () => {
    const world = settled();
    world.leaveOver(300n);
    world.bond({ role: 'enterprise', holder: world.address('alder'), bonded: 1n });
    world.observe();
    expect(economyIn(world.state)).toMatchObject({ unpromised: 78_750_300n, earmarked: 78_750_000n });
    closed(world);
    expect(vaultNames.map((vault) => pot(world, vault).total)).toEqual([26_250_100n, 26_250_100n, 26_250_100n]);
    expect(economyIn(world.state).earmarked).toBe(78_750_300n);
    world.advance(3 * LENGTH);
    expect(economyIn(world.state).earmarked).toBe(78_750_300n);
  });
});

describe('vault.dividends', () => {
  test('K5, K6: a signed root becomes a leaf whose total is the pot, for who was staked since the epoch began', () => {
    const world = closed();
    world.block(publish(world, second));
    const leaf = decodeDividendRoot(world.state.map.get(dividendKey(1n))!);
    expect(leaf).toEqual({
      number: 1n,
      root: root(),
      count: leavesUnderRoot(DEFAULT_ECONOMY),
      total: 26_250_000n,
      least: 500n,
      since: BigInt(world.genesis.time / 1000),
      expiresAt: BigInt(Math.floor(world.time / 1000)) + CLAIM_SECONDS,
    });
    expect(pot(world, second)).toMatchObject({ root: root(), number: 1n });
    expect(world.state.must('settlement', 'dividends-1')).toMatchObject({ leaf: 'dividends', epoch: 0, state: 'finalizing' });
    world.block(publish(world, first, 0, 'other'));
    expect(world.state.must('settlement', 'dividends-2').state).toBe('candidate_ready');
    world.observe();
    expect(economyIn(world.state)).toMatchObject({ earmarked: 26_250_000n, unpromised: 26_250_000n, landed: { dividends: 2n } });
    expect(world.state.must('settlement', 'dividends-2').state).toBe('finalized');
  });
  test.each([
    ['twice the same', (world: World) => publish(world, first), 'AlreadyDecided'],
    ['another for the same epoch', (world: World) => publish(world, first, 0, 'other'), 'Conflicts'],
    ["signed by another Vault's key", (world: World) => publish(world, second, 0, 'root', first), 'SignatureInvalid'],
    ['an epoch without a pot', (world: World) => publish(world, second, 7), 'NotDue'],
    ['a Vault that there is not', (world: World) => publish(world, 'alder/other'), 'VaultUnknown'],
    ['what is due', (world: World) => publish(world, third), undefined],
  ])('%s', (_, command, code) => {
    const world = closed();
    world.block(publish(world, first));
    expect(world.faultOf(command(world))).toBe(code);
  });
  test('not before the epoch closes', () => {
    const world = settled();
    expect(world.faultOf(publish(world, first))).toBe('NotDue');
  });
});
