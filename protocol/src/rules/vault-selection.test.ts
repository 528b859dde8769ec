import { describe, expect, test } from 'vitest';
import { explain } from '../rejection.ts';
import { aGenesis, aPolicy, vaultNames } from '../testing/genesis.ts';
import { actorKey } from '../testing/keys.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { aTask, type TaskBuilder } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import type { VaultOffer } from '../commands.ts';
import type { Genesis } from '../genesis.ts';

const [alder, birch, cedar] = vaultNames as [string, string, string];
/** The Vaults with these changes to their offers; those not named are not registered. */
const worldWith = (offers: Record<string, Partial<VaultOffer>>, genesis: Genesis = aGenesis()): World => {
  const world = new World(genesis);
  world.fund('roastery', '100');
  world.fund('stranger', '100');
  world.observe();
  world.block(...Object.entries(offers).map(([vault, changes]) => registerCommand(world, anOffer(vault, changes))));
  return world;
};
const all = { [alder]: {}, [birch]: {}, [cedar]: {} };
const analyticsOnly = { domains: [{ name: 'retail.purchase', usages: ['analytics' as const], classes: ['query' as const] }] };
const parseOnly = { domains: [{ name: 'retail.purchase', usages: ['marketing' as const], classes: ['parse' as const] }] };
const resolved = (world: World, task: TaskBuilder) => world.task(world.submit(task));

describe('C1: which Vaults are asked', () => {
  test('all that can serve, in order', () => {
    const task = resolved(worldWith(all), aTask());
    expect(task.parts.map(({ vault, state }) => [vault, state])).toEqual(vaultNames.map((vault) => [vault, 'asked']));
  });
  test('one that denies the actor, offers another usage or another class is left out when the quorum holds', () => {
    const world = worldWith({ [alder]: {}, [birch]: {}, [cedar]: { actors: [] } });
    expect(resolved(world, aTask()).parts.map(({ vault }) => vault)).toEqual([alder, birch]);
    const other = worldWith({ [alder]: {}, [birch]: analyticsOnly, [cedar]: {} });
    expect(resolved(other, aTask()).parts.map(({ vault }) => vault)).toEqual([alder, cedar]);
    const third = worldWith({ [alder]: parseOnly, [birch]: {}, [cedar]: {} });
    expect(resolved(third, aTask()).parts.map(({ vault }) => vault)).toEqual([birch, cedar]);
  });
});

const inactive = aGenesis({ actors: aGenesis().actors.map((a) => (a.name === 'cedar' ? { ...a, state: 'active' } : a)) });
const shares = aGenesis({ policy: { ...aPolicy(), privacy: { ...aPolicy().privacy, actorShareBasisPoints: 5000 } } });

describe('T6: each reason why too few Vaults can serve', () => {
  test.each`
    code                   | world                                             | task
    ${'UsageNotOffered'}   | ${worldWith(all)}                                 | ${aTask().usage('training')}
    ${'UsageNotOffered'}   | ${worldWith({})}                                  | ${aTask()}
    ${'QuorumUnreachable'} | ${worldWith({ [alder]: {} })}                     | ${aTask()}
    ${'QuorumUnreachable'} | ${worldWith(all, inactive)}                       | ${aTask().quorum(4)}
    ${'ActorNotPermitted'} | ${worldWith(all)}                                 | ${aTask().by('stranger')}
    ${'ActorNotPermitted'} | ${worldWith({ ...all, [birch]: { actors: [] } })} | ${aTask().quorum(3)}
    ${'BudgetExhausted'}   | ${worldWith(all)}                                 | ${aTask().epsilon('1').maxFee('50').quorum(3)}
    ${'FeeAboveMaximum'}   | ${worldWith(all)}                                 | ${aTask().maxFee('2')}
  `('$code', ({ code, world, task }: { code: string; world: World; task: TaskBuilder }) => {
    if (code === 'BudgetExhausted') world.submit(aTask().epsilon('0.5'));
    const record = resolved(world, task);
    expect(record.rejection?.code).toBe(code);
    expect(record).toMatchObject({ state: 'rejected', charge: 0n, locked: 0n });
    expect(explain(record.rejection!)).toMatch(/\.$/);
    const locked = world.state.must('escrow', task.spec().submitter).locked;
    expect(locked).toBe(code === 'BudgetExhausted' ? 1_000_000_000n : 0n);
  });

  test('T6: the actor that is denied learns by which Vaults', () =>
    expect(resolved(worldWith({ ...all, [birch]: { actors: [] } }), aTask().quorum(3)).rejection).toEqual({
      code: 'ActorNotPermitted',
      submitter: actorKey('roastery').address,
      vaults: [birch],
    }));
  test('UsageNotOffered names what is offered', () =>
    expect(resolved(worldWith(all), aTask().usage('personal')).rejection).toMatchObject({ offered: ['analytics', 'marketing'] }));
});

describe('B1, B4: the odometer', () => {
  test('B1: each Vault holds the limit divided by the overlap bound: four tasks of epsilon 0.5, not five', () => {
    const world = worldWith(all);
    for (let i = 0; i < 4; i++) expect(resolved(world, aTask().maxFee('6')).state).toBe('resolving');
    expect(resolved(world, aTask().maxFee('6')).rejection).toEqual({
      code: 'BudgetExhausted',
      vault: alder,
      usage: 'marketing',
      limit: 500_000n,
      asked: 125_000n,
      left: 0n,
    });
    expect(resolved(world, aTask().usage('analytics').maxFee('6')).state).toBe('resolving');
  });

  test("B4: an actor's share of an epoch is a limit of its own, and comes back with the next epoch; the odometer does not", () => {
    const world = worldWith(all, shares);
    for (let i = 0; i < 2; i++) world.runTo(world.submit(aTask().maxFee('6')), 'completed');
    expect(resolved(world, aTask().maxFee('6')).rejection).toMatchObject({ code: 'BudgetExhausted', limit: 250_000n, left: 0n });
    world.advance(3_600_000);
    world.observe();
    expect(world.state.must('meta').epoch).toBe(1);
    for (let i = 0; i < 2; i++) world.runTo(world.submit(aTask().maxFee('6')), 'completed');
    expect(resolved(world, aTask().maxFee('6')).rejection?.code).toBe('BudgetExhausted');
    const odometer = world.state.must('odometer', `${alder}/marketing/retail.purchase`);
    expect(odometer).toMatchObject({ reserved: 0n, spent: 500_000n, epoch: 1 });
  });

  test('B2: a task that ends before execution gives its reservation back', () => {
    const world = worldWith(all);
    const uid = world.submit(aTask());
    const odometer = () => world.state.must('odometer', `${alder}/marketing/retail.purchase`);
    expect(odometer().reserved).toBe(125_000n);
    world.block({ type: 'task.cancel', uid });
    expect(odometer()).toMatchObject({ reserved: 0n, spent: 0n, byActor: { [world.address('roastery')]: 0n } });
  });
});

test('K1, K2: the upper quote over all Vaults asked must fit maxFee', () =>
  expect(resolved(worldWith(all), aTask().maxFee('5.24')).rejection).toEqual({
    code: 'FeeAboveMaximum',
    quote: 525_000_000n,
    maximum: 524_000_000n,
  }));

test('N3: Vaults of an enterprise that is not active are not asked', () => {
  const genesis = aGenesis();
  const world = worldWith(all);
  const cedarActor = genesis.actors.find(({ name }) => name === 'cedar')!;
  world.state = world.state.put('actor', cedarActor.address, { ...cedarActor, state: 'suspended' });
  expect(resolved(world, aTask()).parts.map(({ vault }) => vault)).toEqual([alder, birch]);
  expect(resolved(world, aTask().quorum(3)).rejection).toEqual({ code: 'EnterpriseNotActive', vault: cedar });
});
