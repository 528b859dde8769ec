import { describe, expect, test } from 'vitest';
import type { VaultOffer } from '../commands.ts';
import { signStatement } from '../evidence.ts';
import type { Usage } from '../policy.ts';
import { aGenesis, aPolicy, vaultNames } from '../testing/genesis.ts';
import { masterKey } from '../testing/keys.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { odometerOf, roomFor } from './odometer.ts';
import { replenishments } from './replenishment.ts';

const policy = aPolicy();
const LIMIT = 500_000n;
const genesisWith = (replenishEpochs?: number) =>
  aGenesis({ policy: { ...policy, privacy: { ...policy.privacy, ...(replenishEpochs && { replenishEpochs }) } } });
const worldWith = (replenishEpochs?: number): World => World.ready(genesisWith(replenishEpochs));

const approval = (world: World, usage: Usage, epoch: number, masters: readonly number[] = [0, 2], signed = { usage, epoch }) =>
  ({
    type: 'budget.replenish',
    statement: { usage, epoch },
    approvals: masters.map((master) => ({
      master,
      signature: signStatement(masterKey(master).seed, 'budget.replenish', world.genesisDigest, signed),
    })),
  }) as const;
const epochOf = (world: World): number => world.state.must('meta').epoch;
const passEpoch = (world: World): void => {
  world.advance(policy.epoch.lengthMs);
  world.observe();
};
/** Four tasks take all that a Vault has for marketing. */
const exhaust = (world: World): void => {
  for (let i = 0; i < 4; i++) world.runTo(world.submit(aTask()), 'verifying');
};
const odometer = (world: World) =>
  odometerOf(world.state, { vault: vaultNames[0]!, usage: 'marketing', domain: 'retail.purchase' }, LIMIT, policy);
const rejection = (world: World) => world.task(world.submit(aTask())).rejection;

describe('B2: by two masters, at the end of the epoch they name', () => {
  test('nothing before it; after it all of the limit', () => {
    const world = worldWith();
    exhaust(world);
    expect(rejection(world)).toMatchObject({ code: 'BudgetExhausted', limit: LIMIT, asked: 125_000n, left: 0n });
    world.block(approval(world, 'marketing', epochOf(world)));
    expect(rejection(world)).toMatchObject({ code: 'BudgetExhausted', left: 0n });
    passEpoch(world);
    expect(odometer(world)).toMatchObject({ spent: 0n, reserved: 0n, byActor: {} });
    const task = world.task(world.submit(aTask()));
    expect(task).toMatchObject({ state: 'resolving', replenished: 1 });
    expect(odometer(world)).toMatchObject({ spent: 0n, reserved: 125_000n });
  });
  test('once: the epochs after it spend on', () => {
    const world = worldWith();
    world.block(approval(world, 'marketing', epochOf(world)));
    passEpoch(world);
    exhaust(world);
    passEpoch(world);
    expect(replenishments(world.state, 'marketing')).toBe(1);
    expect(rejection(world)).toMatchObject({ code: 'BudgetExhausted', left: 0n });
  });
  test('another usage is not touched', () => {
    const world = worldWith();
    exhaust(world);
    world.block(approval(world, 'analytics', epochOf(world)));
    passEpoch(world);
    expect(odometer(world)).toMatchObject({ spent: LIMIT });
    expect(world.task(world.submit(aTask().usage('analytics'))).replenished).toBe(1);
  });

  test.each<[string, string, (world: World) => ReturnType<typeof approval>]>([
    ['one master alone', 'SignatureInvalid', (w) => approval(w, 'marketing', 0, [1])],
    ['one master twice', 'SignatureInvalid', (w) => approval(w, 'marketing', 0, [1, 1])],
    ['a third who signed nothing', 'SignatureInvalid', (w) => approval(w, 'marketing', 0, [0, 2, 2])],
    ['signatures for another usage', 'SignatureInvalid', (w) => approval(w, 'marketing', 0, [0, 1], { usage: 'training', epoch: 0 })],
    ['signatures for another epoch', 'SignatureInvalid', (w) => approval(w, 'marketing', 0, [0, 1], { usage: 'marketing', epoch: 1 })],
    ['an epoch ahead', 'NotDue', (w) => approval(w, 'marketing', 1)],
  ])('%s is refused: %s', (_, code, command) => {
    const world = worldWith();
    expect(world.faultOf(command(world))).toBe(code);
  });
  test('an epoch that is over, and a second time, are refused', () => {
    const world = worldWith();
    const early = approval(world, 'marketing', 0);
    world.block(early);
    expect(world.faultOf(approval(world, 'marketing', 0, [1, 2]))).toBe('AlreadyDecided');
    passEpoch(world);
    expect(world.faultOf(early)).toBe('TooLate');
  });
  test('signatures for another group are refused', () => {
    const other = World.ready(aGenesis({ name: 'other' }));
    expect(worldWith().faultOf(approval(other, 'marketing', 0))).toBe('SignatureInvalid');
  });
});

describe('B2, G1: by the policy, at the end of every so many epochs', () => {
  test('every second', () => {
    const world = worldWith(2);
    const counts = Array.from({ length: 5 }, () => {
      passEpoch(world);
      return replenishments(world.state, 'marketing');
    });
    expect(counts).toEqual([0, 1, 1, 2, 2]);
  });
  test('approved and due at once is once', () => {
    const world = worldWith(1);
    world.block(approval(world, 'marketing', 0));
    passEpoch(world);
    expect(replenishments(world.state, 'marketing')).toBe(1);
  });
});

test('B5: what is reserved over the boundary stays reserved, and is spent in the new period', () => {
  const world = worldWith(1);
  const short = policy.epoch.lengthMs - policy.windows.executionMs / 2;
  world.advance(short);
  world.observe();
  const uid = world.submit(aTask());
  world.answer(uid);
  world.ready(uid);
  world.advance(policy.windows.executionMs / 2 + 1);
  expect(replenishments(world.state, 'marketing')).toBe(1);
  expect(odometer(world)).toMatchObject({ reserved: 125_000n, spent: 0n });
  world.release(uid);
  expect(odometer(world)).toMatchObject({ reserved: 0n, spent: 125_000n });
});

test("B4: what is left is the smaller of the odometer's and the actor's share of the epoch", () => {
  const halves = { ...policy, privacy: { ...policy.privacy, actorShareBasisPoints: 5_000 } };
  const world = World.ready(aGenesis({ policy: halves }));
  const key = { vault: vaultNames[0]!, usage: 'marketing', domain: 'retail.purchase' } as const;
  const left = () => roomFor(world.state, key, world.address('roastery'), LIMIT, halves);
  world.submit(aTask());
  expect(left()).toEqual({ limit: 250_000n, left: 125_000n });
  world.submit(aTask());
  expect(rejection(world)).toMatchObject({ code: 'BudgetExhausted', limit: 250_000n, asked: 125_000n, left: 0n });
});

describe('C5, B4: what a Vault narrows, the public odometer goes by', () => {
  const offering = (world: World, revision: number, limits?: VaultOffer['limits']): void => {
    for (const vault of vaultNames) {
      const journal = world.state.must('journal', vault);
      world.block(registerCommand(world, anOffer(vault, { revision, journal, ...(limits && { limits }) })));
    }
  };
  test('a Vault that follows every second replenishment is full until the second', () => {
    const world = worldWith(1);
    offering(world, 1, [{ usage: 'marketing', replenishEvery: 2 }]);
    exhaust(world);
    passEpoch(world);
    expect(replenishments(world.state, 'marketing')).toBe(1);
    expect(odometer(world)).toMatchObject({ spent: LIMIT, replenishEvery: 2 });
    expect(rejection(world)).toMatchObject({ code: 'BudgetExhausted', left: 0n });
    passEpoch(world);
    expect(odometer(world).spent).toBe(0n);
    expect(rejection(world)).toBeUndefined();
  });
  test('following fewer from now on gives nothing back, following more gives what is due', () => {
    const world = worldWith(1);
    passEpoch(world);
    passEpoch(world);
    exhaust(world);
    offering(world, 1, [{ usage: 'marketing', replenishEvery: 5 }]);
    expect(odometer(world).spent).toBe(LIMIT);
    passEpoch(world);
    expect(odometer(world).spent).toBe(LIMIT);
    offering(world, 2);
    expect(odometer(world).spent).toBe(0n);
  });
  test('its own lower limit is refused by the masters, with its figures', () => {
    const world = worldWith();
    offering(world, 1, [{ usage: 'marketing', microRho: 125_000n }]);
    expect(rejection(world)).toBeUndefined();
    expect(rejection(world)).toMatchObject({ code: 'BudgetExhausted', limit: 125_000n, left: 0n });
  });
  test('governance can only narrow: a higher limit changes nothing; a usage twice is refused', () => {
    const world = worldWith();
    offering(world, 1, [{ usage: 'marketing', microRho: 10n ** 12n }]);
    expect(odometer(world).limit).toBe(LIMIT);
    const twice = [{ usage: 'marketing' as const }, { usage: 'marketing' as const, microRho: 1n }];
    expect(world.faultOf(registerCommand(world, anOffer(vaultNames[0]!, { revision: 2, limits: twice })))).toBe('OfferInvalid');
  });
});
