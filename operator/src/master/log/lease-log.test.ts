/** The interim log under a seeded adversary: safety always, progress once the network heals (rules N1, G4). */
import { afterEach, describe, expect, test } from 'vitest';
import { Liar } from './testing/liar.ts';
import { pick } from './testing/random.ts';
import { SimulatedMasters } from './testing/simulated-masters.ts';
import { toyCommand } from './testing/toy-rules.ts';

let world: SimulatedMasters | undefined;
afterEach(() => world?.close());

/** Anything that may go wrong goes wrong: two holders at once, crashes at any write, partitions, lost and repeated messages. */
const chaos = async (w: SimulatedMasters, steps: number, masters: readonly number[], liar?: Liar, forgetful?: number): Promise<void> => {
  let submitted = 0;
  for (let i = 0; i < steps; i += 1) {
    const someone = pick(masters, w.random)!;
    const luck = w.random();
    if (luck < 0.02) w.giveLease(someone);
    else if (luck < 0.03) w.takeLease(someone);
    else if (luck < 0.034) w.crash(someone);
    else if (luck < 0.036) w.crashAtWrite(someone, 1 + Math.floor(w.random() * 3));
    else if (luck < 0.05) w.start(someone);
    else if (luck < 0.055) w.network.cut(someone, pick([0, 1, 2], w.random)!);
    else if (luck < 0.065) w.network.heal();
    else if (luck < 0.11) void w.log(someone)?.propose(toyCommand(`c${submitted++}`));
    else if (luck < 0.16) liar?.act(someone);
    if (forgetful !== undefined && w.random() < 0.01) w.loseDisk(forgetful);
    await w.step(0.08);
  }
};

/** All is well from now on: does something new get decided by everybody? */
const heals = async (w: SimulatedMasters, masters: readonly number[], name: string): Promise<boolean> => {
  w.disarm();
  w.network.heal();
  for (const i of [0, 1, 2]) w.takeLease(i);
  for (const i of masters) w.start(i);
  const decidedBy = (i: number): boolean => w.log(i)?.state().map.get(`seen/${name}`) !== undefined;
  for (let i = 0; i < 6_000; i += 1) {
    w.settleLease();
    if (i % 100 === 0) for (const m of masters) if (!decidedBy(m)) void w.log(m)?.propose(toyCommand(name));
    await w.step(0);
    if (masters.every(decidedBy)) return true;
  }
  return false;
};

const startAll = (seed: number): SimulatedMasters => {
  world = new SimulatedMasters(seed);
  for (const i of [0, 1, 2]) world.start(i);
  return world;
};

test('N1: three masters decide what is submitted to any of them', async () => {
  const w = startAll(1);
  const decisions = [0, 1, 2].map((i) => w.log(i)!.propose(toyCommand(`one${i}`)));
  w.giveLease(1);
  for (let i = 0; i < 2_000 && w.heights.some((h) => h === 0n); i += 1) await w.step(0);
  expect(await Promise.all(decisions)).toEqual([0, 1, 2].map(() => ({ ok: true, height: expect.any(BigInt) as unknown })));
});

test('T6: a command that the rules refuse is answered with their code, and is in no block', async () => {
  const w = startAll(2);
  expect(await heals(w, [0, 1, 2], 'first')).toBe(true);
  const answer = w.log(0)!.propose(toyCommand('bad1'));
  for (let i = 0; i < 400; i += 1) {
    w.settleLease();
    await w.step(0);
  }
  expect(await answer).toMatchObject({ ok: false, code: 'Bad' });
});

describe.each(Array.from({ length: 25 }, (_, i) => i + 100))('seed %i', (seed) => {
  test('G4: crashes, partitions, lost messages and two holders never decide two blocks at a height, and it goes on afterwards', async () => {
    const w = startAll(seed);
    expect(await heals(w, [0, 1, 2], 'before')).toBe(true);
    await chaos(w, 1_500, [0, 1, 2]);
    expect(await heals(w, [0, 1, 2], 'after')).toBe(true);
    expect(w.conflicts).toEqual([]);
    expect([0, 1, 2].map((i) => w.log(i)?.halted())).toEqual([undefined, undefined, undefined]);
  });

  test('N1: a lying proposer gets nothing false decided, by either of the others', async () => {
    const w = startAll(seed);
    expect(await heals(w, [0, 1, 2], 'before')).toBe(true);
    w.crash(2);
    const liar = new Liar(2, w);
    await chaos(w, 1_000, [0, 1], liar);
    expect(w.conflicts).toEqual([]);
    expect([0, 1].map((i) => w.log(i)?.halted())).toEqual([undefined, undefined]);
    w.start(0);
    w.start(1);
    expect([0, 1].map((i) => Liar.harmless(w, i))).toEqual([true, true]);
  });
});

test.each(Array.from({ length: 8 }, (_, i) => i + 900))(
  'N9: a master that loses its disk again and again signs nothing twice, and comes back (seed %i)',
  async (seed) => {
    const w = startAll(seed);
    expect(await heals(w, [0, 1, 2], 'before')).toBe(true);
    await chaos(w, 1_500, [0, 1, 2], undefined, 2);
    expect(await heals(w, [0, 1, 2], 'after')).toBe(true);
    expect(w.conflicts).toEqual([]);
    expect([0, 1, 2].map((i) => w.log(i)?.halted())).toEqual([undefined, undefined, undefined]);
  },
);

test('a lying master does not keep two correct ones that hear each other from deciding', async () => {
  const w = startAll(7);
  expect(await heals(w, [0, 1, 2], 'before')).toBe(true);
  w.crash(2);
  const liar = new Liar(2, w);
  for (let round = 0; round < 5; round += 1) {
    liar.act(round % 2);
    expect(await heals(w, [0, 1], `round${round}`)).toBe(true);
  }
  expect([0, 1].map((i) => Liar.harmless(w, i))).toEqual([true, true]);
});

test('two masters go on without the third, which catches up when it is back', async () => {
  const w = startAll(8);
  expect(await heals(w, [0, 1, 2], 'before')).toBe(true);
  w.crash(0);
  for (const name of ['a', 'b', 'c']) expect(await heals(w, [1, 2], name)).toBe(true);
  expect(await heals(w, [0, 1, 2], 'after')).toBe(true);
  expect(w.log(0)?.state().map.get('seen/b')).toBeDefined();
});
