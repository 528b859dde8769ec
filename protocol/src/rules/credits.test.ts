/** Data contribution credits (N3): earned from unaffiliated payers below what they paid, spent on one's own fees, never money. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSym, parseSym } from '../amounts.ts';
import { settlementSums } from '../settlement.ts';
import { batchKey, decodeBatch } from '../settlement-layout.ts';
import { aGenesis, vaultNames } from '../testing/genesis.ts';
import { actorKey, testKey } from '../testing/keys.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { creditOf, earnedCredits } from './credits.ts';
import { settlementLeafOf } from './settle.ts';

const alder = actorKey('alder').address;
/** alder may also submit; roastery may belong to it. */
const genesisWith = (affiliated: boolean) => {
  const genesis = aGenesis();
  return {
    ...genesis,
    actors: genesis.actors.map((actor) => ({
      ...actor,
      ...(actor.name === 'alder' && { kubernetesUsers: ['alder'] }),
      ...(actor.name === 'roastery' && affiliated && { affiliation: alder }),
    })),
  };
};
const worldWith = (affiliated = false): World => {
  const world = new World(genesisWith(affiliated));
  const actors = ['roastery', 'alder'].map((name) => world.address(name));
  world.block(...vaultNames.map((vault) => registerCommand(world, anOffer(vault, { actors }))));
  world.fund('roastery', '100');
  world.fund('alder', '100');
  world.observe();
  return world;
};
const settledBy = (world: World, submitter: string, name: string): string => {
  const uid = world.submit(aTask().named(name).by(submitter).signed(world.genesis));
  world.runTo(uid, 'completed');
  return uid;
};
const creditsOf = (world: World): string[] =>
  ['alder', 'birch', 'cedar'].map((name) => formatSym(creditOf(world.state, world.address(name))));

describe('N3: credits', () => {
  test('are earned by the Vaults that served an unaffiliated payer, below what it paid', () => {
    const world = worldWith();
    settledBy(world, 'roastery', 'one');
    expect(creditsOf(world)).toEqual(['0.175', '0.175', '0.175']); // 10 % of 5.25, by three
  });
  test('not from an affiliated payer, nor from oneself', () => {
    const world = worldWith(true);
    settledBy(world, 'roastery', 'one');
    expect(creditsOf(world)).toEqual(['0', '0.175', '0.175']);
    settledBy(world, 'alder', 'two');
    expect(creditsOf(world)).toEqual(['0', '0.35', '0.35']);
  });
  test('offset fees: what they meet is neither taken nor distributed, nor earns credits again', () => {
    const world = worldWith();
    settledBy(world, 'roastery', 'one');
    const uid = settledBy(world, 'alder', 'two');
    const task = world.task(uid);
    expect(task).toMatchObject({ charge: parseSym('5.25'), creditUsed: parseSym('0.175') });
    expect(settlementLeafOf(task)).toMatchObject({ quote: parseSym('5.25'), charge: parseSym('5.075'), refund: parseSym('0.175') });
    const batch = decodeBatch(world.state.map.get(batchKey(2n))!);
    expect(batch.debits).toEqual([{ account: alder, amount: parseSym('5.075') }]);
    const { debits, credits, dividends, treasury } = settlementSums(batch);
    expect(credits + dividends + treasury).toBe(debits);
    expect(world.state.must('escrow', alder)).toMatchObject({ balance: parseSym('94.925'), locked: 0n });
    expect(creditsOf(world)).toEqual(['0', '0.34416666', '0.34416667']);
  });
  test('a submitter who is no enterprise has none', () => {
    const world = worldWith();
    settledBy(world, 'roastery', 'one');
    expect(creditOf(world.state, world.address('roastery'))).toBe(0n);
  });
  test('of one batch together stay below what was paid, whatever the policy', () =>
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 63n),
        fc.integer({ min: 0, max: 9_999 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 5 }),
        (paid, basisPoints, who, affiliated) => {
          const operators = who.map((n) => testKey(`operator ${n}`).address);
          const own = testKey(`operator ${affiliated}`).address;
          const earned = earnedCredits(paid, operators, basisPoints, (enterprise) => enterprise === own);
          const sum = earned.reduce((a, { amount }) => a + amount, 0n);
          expect(sum < paid || paid === 0n).toBe(true);
          expect(earned.some(({ account }) => account === own)).toBe(false);
        },
      ),
      { seed: 5, numRuns: 200 },
    ));
});
