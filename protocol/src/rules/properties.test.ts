/** What must hold under any interleaving, duplication and silence: commands in any order, some twice, some never. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Command } from '../commands.ts';
import { decodeCanonical } from '../encoding/canonical.ts';
import { hex } from '../encoding/bytes.ts';
import { MerkleMap } from '../merkle.ts';
import { batchFault, settlementSums } from '../settlement.ts';
import { batchKey, decodeBatch, encodeSettlementLeaf, listRoot } from '../settlement-layout.ts';
import type { TaskRecord, VaultPart } from '../state.ts';
import { aGenesis, aPolicy, vaultNames } from '../testing/genesis.ts';
import { aggregateCommand, answerCommand, readyCommand, releaseCommand, sliceReadyCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { applyBlock } from './apply.ts';
import { initialState } from './genesis-state.ts';
import { isTerminal, mayMove } from './lifecycle.ts';
import { vaultLimit } from './odometer.ts';
import { settlementLeafOf } from './settle.ts';

const policy = aPolicy();
/** Two tasks a batch, so that batches are cut by size too, and shares that bind. */
const genesis = aGenesis({
  policy: {
    ...policy,
    privacy: { ...policy.privacy, actorShareBasisPoints: 9000 },
    settlement: { ...policy.settlement, maxTasks: 2 },
    epoch: { lengthMs: 400_000 },
  },
});

type Step =
  | { readonly kind: 'submit'; readonly quorum: number; readonly deadline: number; readonly maxFee: string }
  | { readonly kind: 'say'; readonly task: number; readonly what: number; readonly vault: number; readonly start: number }
  | { readonly kind: 'progress'; readonly task: number; readonly steps: number }
  | { readonly kind: 'again'; readonly which: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'follow' }
  | { readonly kind: 'observe' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      quorum: fc.integer({ min: 1, max: 3 }),
      deadline: fc.constantFrom(30, 200, 900),
      maxFee: fc.constantFrom('6', '30', '80'),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({ kind: fc.constant('say' as const), task: fc.nat(5), what: fc.nat(29), vault: fc.nat(2), start: fc.nat(1) }),
  },
  { weight: 40, arbitrary: fc.record({ kind: fc.constant('progress' as const), task: fc.nat(2), steps: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('again' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 7000, 20_000, 61_000) }) },
  { weight: 6, arbitrary: fc.constant({ kind: 'follow' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'observe' as const }) },
);

/** What somebody outside may say of the task now; undefined when they have nothing to speak of yet. */
const said = (world: World, task: TaskRecord, { what, vault: v, start }: Extract<Step, { kind: 'say' }>): Command | undefined => {
  const vault = vaultNames[v]!;
  const part = task.parts.find((p) => p.vault === vault);
  if (what === 0) return { type: 'task.cancel', uid: task.uid };
  if (what === 1) return { type: 'task.dispatch', uid: task.uid };
  if (what === 2 && part) return answerCommand(world, task, vault, 0n, { code: 'Busy', message: '' });
  if (what <= 10 && part) return answerCommand(world, task, vault, world.sequence(vault));
  if (!task.envelope || !part) return undefined;
  if (what <= 16) return sliceReadyCommand(world, task, vault, start);
  if (what <= 22) return part.enclave ? releaseCommand(world, task, vault, world.sequence(vault)) : undefined;
  const { address, name } = world.aggregator(task.uid);
  if (what === 23) return { type: 'aggregator.replace', uid: task.uid, failed: address };
  if (what <= 26) return readyCommand(world, task, 'aggregator', address, name, start);
  return task.aggregatorEnclave && task.survivors ? aggregateCommand(world, task, address) : undefined;
};

/** The next thing that an honest Vault, sidecar or aggregator would say. */
const honest = (world: World, task: TaskRecord): Command | undefined => {
  const part = (state: VaultPart['state']) => task.parts.find((p) => p.state === state)?.vault;
  const [asked, reserved, ready] = [part('asked'), part('reserved'), part('ready')];
  if (task.state === 'resolving' && asked) return answerCommand(world, task, asked, world.sequence(asked));
  if (task.state !== 'dispatched') return undefined;
  if (reserved && !task.survivors) return sliceReadyCommand(world, task, reserved);
  if (ready && !task.survivors) return releaseCommand(world, task, ready, world.sequence(ready));
  const { address, name } = world.aggregator(task.uid);
  if (!task.aggregatorEnclave)
    return readyCommand(world, task, 'aggregator', address, name, 2 + (task.formerAggregatorEnclaves ?? []).length);
  return task.survivors ? aggregateCommand(world, task, address) : undefined;
};
class Run {
  readonly world = World.ready(genesis);
  readonly uids: string[] = [];
  readonly #said: Command[] = [];

  take(next: Step): void {
    if (next.kind === 'submit') this.#submit(next);
    else if (next.kind === 'say') this.#say(next);
    else if (next.kind === 'progress') for (let i = 0; i < next.steps; i++) this.#progress(this.uids.at(-1 - next.task));
    else if (next.kind === 'again') this.world.propose(...this.#said.slice(next.which % (this.#said.length + 1)).slice(0, 1));
    else if (next.kind === 'wait') this.world.time += next.ms;
    else if (next.kind === 'follow') this.world.followUp();
    else this.world.observe();
  }
  #submit({ quorum, deadline, maxFee }: Extract<Step, { kind: 'submit' }>): void {
    const command = aTask().quorum(quorum).deadline(deadline).maxFee(maxFee).signed(genesis);
    this.world.block(command);
    this.uids.push(command.uid);
  }
  #say(next: Extract<Step, { kind: 'say' }>): void {
    const uid = this.uids.at(-1 - next.task);
    const command = uid === undefined ? undefined : said(this.world, this.world.task(uid), next);
    if (!command) return;
    this.#said.push(command);
    this.world.propose(command);
  }
  #progress(uid: string | undefined): void {
    this.world.followUp();
    const task = uid === undefined ? undefined : this.world.task(uid);
    const command = task && honest(this.world, task);
    if (command) this.world.propose(command);
  }
  tasks(): TaskRecord[] {
    return this.uids.map((uid) => this.world.task(uid));
  }
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((a, b) => a + b, 0n);
const holds = ({ state }: VaultPart): boolean => state === 'asked' || state === 'reserved' || state === 'ready';

/** K2: what tasks lock is what escrows show locked, and no more than is there. */
const checkLocks = (run: Run): void => {
  const escrow = run.world.state.must('escrow', run.world.address('roastery'));
  expect(escrow.locked).toBe(sum(run.tasks().map(({ locked }) => locked)));
  expect(escrow.locked <= escrow.balance).toBe(true);
  for (const { quote, charge, maxFee } of run.tasks()) {
    expect((quote ?? 0n) <= maxFee).toBe(true);
    expect((charge ?? 0n) <= (quote ?? 0n)).toBe(true);
  }
};
/** B4, B5: the odometer is the sum of its parts, and never above the limit. */
const checkOdometers = (run: Run): void => {
  const limit = vaultLimit(genesis.policy, 'marketing', 3);
  for (const vault of vaultNames) {
    const odometer = run.world.state.get('odometer', `${vault}/marketing/retail.purchase`);
    if (!odometer) continue;
    const parts = run.tasks().flatMap(({ parts: all }) => all.filter((p) => p.vault === vault));
    expect(odometer.reserved).toBe(sum(parts.filter(holds).map(() => 125_000n)));
    expect(odometer.spent).toBe(sum(parts.map(({ release }) => release?.microRho ?? 0n)));
    expect(odometer.reserved + odometer.spent <= limit).toBe(true);
    expect(Object.values(odometer.byActor).every((used) => used >= 0n && used <= (limit * 9n) / 10n)).toBe(true);
  }
};
/** T2, T3, T4: only moves of the table; what has ended stays as it ended. */
const checkMoves = (before: readonly TaskRecord[], after: readonly TaskRecord[]): void => {
  for (const [i, task] of after.entries()) {
    const states = task.history.map(({ state }) => state);
    expect(states.at(-1)).toBe(task.state);
    for (const [j, state] of states.entries()) if (j > 0) expect(mayMove(states[j - 1]!, state)).toBe(true);
    const earlier = before[i];
    if (!earlier) continue;
    expect(states.slice(0, earlier.history.length)).toEqual(earlier.history.map(({ state }) => state));
    if (isTerminal(earlier.state)) expect([task.state, task.charge, task.quote]).toEqual([earlier.state, earlier.charge, earlier.quote]);
  }
};
/** T5: each live task waits in the index for its deadline, or for its batch. */
const checkDeadlines = (run: Run): void => {
  const waiting = new Set<string>();
  for (const [key, value] of run.world.state.map.entries()) {
    const slot = /^index\/due\/s\/(\d+)\/\d+$/.exec(key)?.[1];
    if (slot) for (const entry of decodeCanonical(value) as string[]) waiting.add(`${slot}00 ${entry}`);
  }
  for (const { uid, state, deadline, readyAt } of run.tasks())
    if (!isTerminal(state) && readyAt === undefined) expect(waiting.has(`${deadline} task/${uid}`)).toBe(true);
};
/** P1, P3, K9: batches are sound, hold each task once, and their roots follow from the records. */
const checkBatches = (run: Run): void => {
  const { state } = run.world;
  const settled: string[] = [];
  for (let number = 1n; number < state.must('meta').nextBatch; number++) {
    const batch = decodeBatch(state.map.get(batchKey(number))!);
    const tasks = state.must('settlement', String(number)).tasks.map((uid) => run.world.task(uid));
    expect(batchFault(batch)).toBeUndefined();
    expect(settlementSums(batch).debits).toBe(sum(tasks.map(({ charge }) => charge!)));
    expect(hex(listRoot(tasks.map((task) => encodeSettlementLeaf(settlementLeafOf(task)))))).toBe(batch.tasksRoot);
    expect(tasks.every((task) => task.batch === number && BigInt(task.verifiedEpoch!) === batch.epoch)).toBe(true);
    settled.push(...tasks.map(({ uid }) => uid));
  }
  expect(new Set(settled).size).toBe(settled.length);
};
const check = (run: Run, before: readonly TaskRecord[]): void => {
  checkLocks(run);
  checkOdometers(run);
  checkMoves(before, run.tasks());
  checkDeadlines(run);
  checkBatches(run);
};

const runs = fc.array(step, { minLength: 20, maxLength: 120, size: 'max' });
const played = (steps: readonly Step[], each: (run: Run, before: readonly TaskRecord[]) => void): Run => {
  const run = new Run();
  for (const next of steps) {
    const before = run.tasks();
    run.take(next);
    each(run, before);
  }
  return run;
};
/** Nobody says anything more; time passes, and the chain works. */
const leftAlone = (run: Run): void => {
  for (let i = 0; i < 20; i++) {
    run.world.advance(120_000);
    run.world.observe();
  }
};

describe('any interleaving of commands', () => {
  test('B5, K2, T2, T3, T5, P3: locks, odometers, moves, deadlines and batches hold after every step', () => {
    let checked = 0;
    const counted = (run: Run, before: readonly TaskRecord[]): void => {
      check(run, before);
      checked += 1;
    };
    fc.assert(
      fc.property(runs, (steps) => {
        played(steps, counted);
      }),
      { numRuns: 20 },
    );
    expect(checked).toBeGreaterThan(20 * 19);
  }, 120_000);

  test('T5: nothing is stuck: left alone, every task ends, nothing stays locked or reserved, and what was charged is settled', () => {
    const ended = new Map<string, number>();
    fc.assert(
      fc.property(runs, (steps) => {
        const run = played(steps, () => undefined);
        leftAlone(run);
        check(run, []);
        for (const { state } of run.tasks()) ended.set(state, (ended.get(state) ?? 0) + 1);
        for (const task of run.tasks()) {
          expect(isTerminal(task.state)).toBe(true);
          expect(task.locked).toBe(0n);
          expect(task.transaction !== undefined).toBe((task.charge ?? 0n) > 0n);
        }
        for (const vault of vaultNames)
          expect(run.world.state.get('odometer', `${vault}/marketing/retail.purchase`)?.reserved ?? 0n).toBe(0n);
      }),
      { numRuns: 25, seed: 20_260_101 },
    );
    // The sample is worth something only when it reaches every end.
    expect([...ended.keys()].toSorted()).toEqual(['completed', 'rejected', 'timed_out']);
    expect(ended.get('completed')).toBeGreaterThan(10);
  }, 120_000);

  test('X1, X2: replaying the blocks gives the same root, and the root does not depend on the order of writing', () => {
    fc.assert(
      fc.property(runs, fc.integer(), (steps, seed) => {
        const { world } = played(steps, () => undefined);
        let state = initialState(genesis);
        for (const block of world.blocks) {
          const applied = applyBlock(state, block, world);
          if (!applied.ok) throw new Error(applied.fault.code);
          state = applied.state;
        }
        expect(hex(state.root())).toBe(hex(world.state.root()));
        const entries = [...world.state.map.entries()].toSorted(([a], [b]) => ((a.length * 31 + seed) % 7) - ((b.length * 31 + seed) % 7));
        expect(hex(entries.reduce((map, [key, value]) => map.set(key, value), MerkleMap.empty).root())).toBe(hex(world.state.root()));
      }),
      { numRuns: 8 },
    );
  }, 120_000);
});
