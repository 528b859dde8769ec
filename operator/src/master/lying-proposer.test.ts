/**
 * N1: for each type of command, a proposer that lies is outvoted: a correct master that checks by itself does not take it. Beside
 * each lie stands the truth, which is taken; so nothing here passes because everything is refused.
 */
import { describe, expect, test } from 'vitest';
import { blockDigest, encodeBlock, genesisDigest, hex, parseSym, type Block, type Command, type Committee } from '@scs/protocol';
import { aGenesis, enterprises, GENESIS_TIME, submitters, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { actorKey, masterKey } from '@scs/protocol/testing/keys.ts';
import {
  aggregateCommand,
  anOffer,
  answerCommand,
  readyCommand,
  registerCommand,
  releaseCommand,
  sliceReadyCommand,
} from '@scs/protocol/testing/statements.ts';
import { aTask, type AdmitCommand } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { fakeClock } from '../kube/clock.ts';
import { evaluate, type Tip } from './consensus/chain.ts';
import type { Environment } from './consensus/environment.ts';
import { environmentOf } from './consensus/runtime/environment-of.ts';
import { judge } from './consensus/runtime/judge.ts';
import { RUNTIME_LIMITS } from './consensus/runtime/minbft-options.ts';
import { rulesOf } from './rules.ts';
import { simulatedChain, type SimulatedChain } from './settlement/simulated-chain.ts';
import type { SeenTask, TaskObject } from './task-objects.ts';
import { createWitness } from './witness.ts';

const LIAR = 1;
const committee: Committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };

/** What one correct master sees of the world. */
interface Sight {
  tasks: SeenTask[];
  blobs: boolean;
  pending: Command[];
  chain: SimulatedChain;
  mayAdmit?: boolean;
}
const objectOf = ({ uid, namespace, name, spec, user }: SeenTask): TaskObject => ({
  metadata: { uid, namespace, name, annotations: { 'scp.symphony.foundation/submitted-by': user } },
  spec,
});

/** What master 0 says to a block of master 1 with this command, on top of the blocks of the world: the rules', or its own reading's word. */
const answerTo = async (world: World, command: Command, sight: Sight, change: Partial<Block> = {}): Promise<string> => {
  const genesis = genesisDigest(world.genesis);
  const rules = rulesOf(world.genesis, genesis);
  const env = environmentOf({
    index: 0,
    genesisDigest: genesis,
    seed: masterKey(0).seed,
    rules,
    committee,
    limits: RUNTIME_LIMITS,
    formation: undefined,
  });
  const parent = tipOf(env, world);
  const read = async (namespace: string, name: string): Promise<TaskObject | undefined> => {
    const task = sight.tasks.find((t) => t.namespace === namespace && t.name === name);
    return task && objectOf(task);
  };
  const witness = createWitness({
    genesis: world.genesis,
    tasks: {
      byUid: (uid) => sight.tasks.filter((t) => t.uid === uid).map(objectOf)[0],
      read,
      listed: (namespace) => namespace === 'roastery',
    },
    chain: sight.chain,
    accounts: submitters.map((name) => actorKey(name).address),
    mayAdmit: () => sight.mayAdmit ?? true,
    hasBlob: async () => sight.blobs,
    rules,
    height: () => parent.head.height,
    blockAt: (height) => (height === 0n ? genesis : world.blocks.filter((b) => b.height === height).map(blockDigest)[0]),
    pending: () => sight.pending,
  });
  const block: Block = {
    height: parent.head.height + 1n,
    generation: 0n,
    parent: parent.head.block,
    time: world.time,
    proposer: LIAR,
    commands: [command],
    ...change,
  };
  const evaluated = evaluate(env, parent, encodeBlock(block));
  if (!evaluated.ok) return evaluated.why.split(':')[0]!;
  const clock = fakeClock(world.time);
  const it = { block, again: false, parent, after: evaluated.tip.records, arrived: clock.now() };
  // a world that can't tell is asked again; here it stays as it is
  const verdict = await judge({ witness, clockBoundMs: 300, clock, random: () => 0 }, it, AbortSignal.abort());
  return verdict.fits ? 'taken' : (verdict.code ?? '');
};
/** All blocks of the world, one after the other from the start of the log. */
const tipOf = (env: Environment, world: World): Tip => {
  const records = env.rules.initial();
  const head = { genesis: env.genesis, generation: 0n, height: 0n, stateRoot: hex(records.root()), block: env.genesis };
  const first: Tip = { head, bytes: new Uint8Array(), time: world.genesis.time, records };
  return world.blocks.reduce((tip, block) => {
    const evaluated = evaluate(env, tip, encodeBlock(block));
    if (!evaluated.ok) throw new Error(evaluated.why);
    return evaluated.tip;
  }, first);
};

const genesis = aGenesis();
const sightOf = (world: World): Sight => {
  const chain = simulatedChain({ genesis: world.genesisDigest, committee, startMs: BigInt(GENESIS_TIME) });
  return { tasks: [], blobs: true, pending: [], chain };
};
interface Scene {
  readonly world: World;
  readonly sight: Sight;
  readonly uid: string;
}
/** A world with one task in the given stage, seen by the voter. */
const scene = (
  stage: 'none' | 'accepted' | 'resolving' | 'dispatched' | 'ready' | 'released' | 'aggregating' | 'verifying' | 'awaiting',
): Scene => {
  const world = World.ready(genesis);
  const sight = sightOf(world);
  const task = aTask().named('one').signed(genesis);
  if (stage === 'none') return { world, sight, uid: task.uid };
  sight.tasks.push(seen(task));
  if (stage === 'accepted') world.block(task);
  else world.submit(task);
  const steps: readonly (readonly [typeof stage, () => void])[] = [
    ['dispatched', () => world.answer(task.uid)],
    ['ready', () => world.ready(task.uid)],
    ['released', () => world.release(task.uid)],
    ['aggregating', () => world.aggregatorReady(task.uid)],
    ['verifying', () => world.aggregate(task.uid)],
    ['awaiting', () => world.followUp()],
  ];
  const last = steps.findIndex(([name]) => name === stage);
  for (const [, step] of steps.slice(0, last + 1)) step();
  return { world, sight, uid: task.uid };
};
const seen = ({ uid, namespace, name, spec, user }: AdmitCommand): SeenTask => ({ uid, namespace, name, spec, user });
const forged = <C extends Command & { signature: string }>(command: C): C => ({ ...command, signature: '00'.repeat(64) });
const record = ({ world, uid }: Scene) => world.task(uid);

describe('task.admit', () => {
  const admit = aTask().named('fresh').signed(genesis);
  test.each([
    ['the Task as it is', admit, [seen(admit)], 'taken'],
    ['a Task that nobody created', admit, [], 'TaskNotSeen'],
    ['a Task of another uid', admit, [{ ...seen(admit), uid: 'ff' }], 'TaskNotSeen'],
    ['another spec', admit, [{ ...seen(admit), spec: { ...admit.spec, maxFee: '9' } }], 'TaskDiffers'],
    ['another Kubernetes user', admit, [{ ...seen(admit), user: 'somebody' }], 'TaskDiffers'],
    [
      'a namespace that is not listed',
      { ...admit, namespace: 'elsewhere' },
      [{ ...seen(admit), namespace: 'elsewhere' }],
      'NamespaceNotListed',
    ],
  ])('%s', async (_what, command, tasks, answer) => {
    const { world, sight } = scene('none');
    expect(await answerTo(world, command, { ...sight, tasks })).toBe(answer);
  });
  test('N5: not before the voter itself has seen a forged stamp refused', async () => {
    const { world, sight } = scene('none');
    expect(await answerTo(world, admit, { ...sight, tasks: [seen(admit)], mayAdmit: false })).toBe('Unavailable');
  });
});

test('task.resolve: only of a task that waits for it', async () => {
  const s = scene('accepted');
  expect(await answerTo(s.world, { type: 'task.resolve', uid: s.uid }, s.sight)).toBe('taken');
  expect(await answerTo(s.world, { type: 'task.resolve', uid: 'ff' }, s.sight)).toBe('TaskUnknown');
});

test('task.cancel: only when the voter itself finds the Task gone', async () => {
  const s = scene('resolving');
  const command: Command = { type: 'task.cancel', uid: s.uid };
  expect(await answerTo(s.world, command, s.sight)).toBe('TaskStillThere');
  expect(await answerTo(s.world, command, { ...s.sight, tasks: [] })).toBe('taken');
});

test('vault.register: signed by its enterprise', async () => {
  const s = scene('none');
  const command = registerCommand(s.world, anOffer(vaultNames[0]!, { revision: 1, sizeBand: 2 }));
  expect(await answerTo(s.world, command, s.sight)).toBe('taken');
  expect(await answerTo(s.world, forged(command), s.sight)).toBe('SignatureInvalid');
  expect(await answerTo(s.world, { ...command, offer: { ...command.offer, sizeBand: 0 } }, s.sight)).toBe('SignatureInvalid');
});

test('vault.answer: signed by the Vault', async () => {
  const s = scene('resolving');
  const command = answerCommand(s.world, record(s), vaultNames[0]!, s.world.sequence(vaultNames[0]!));
  expect(await answerTo(s.world, command, s.sight)).toBe('taken');
  expect(await answerTo(s.world, forged(command), s.sight)).toBe('SignatureInvalid');
});

test('task.dispatch: not before the Vaults have answered', async () => {
  const s = scene('resolving');
  const command: Command = { type: 'task.dispatch', uid: s.uid };
  expect(await answerTo(s.world, command, s.sight)).not.toBe('taken');
  for (const vault of vaultNames) s.world.block(answerCommand(s.world, record(s), vault, s.world.sequence(vault)));
  expect(await answerTo(s.world, command, s.sight)).toBe('taken');
});

test('enclave.ready: attested, for this Vault', async () => {
  const s = scene('dispatched');
  const command = sliceReadyCommand(s.world, record(s), vaultNames[0]!);
  expect(await answerTo(s.world, command, s.sight)).toBe('taken');
  expect(await answerTo(s.world, forged(command), s.sight)).toBe('SignatureInvalid');
  const elsewhere = readyCommand(s.world, record(s), 'slice', vaultNames[0]!, enterprises[1]);
  const { statement } = sliceReadyCommand(s.world, record(s), vaultNames[1]!);
  const borrowed = { ...elsewhere, statement: { ...elsewhere.statement, attestation: statement.attestation } };
  expect(await answerTo(s.world, borrowed, s.sight)).not.toBe('taken');
});

test('slice.release: signed by the Vault, for this envelope', async () => {
  const s = scene('ready');
  const command = releaseCommand(s.world, record(s), vaultNames[0]!, s.world.sequence(vaultNames[0]!));
  expect(await answerTo(s.world, command, s.sight)).toBe('taken');
  expect(await answerTo(s.world, forged(command), s.sight)).toBe('SignatureInvalid');
});

test('aggregator.replace: not before the aggregator has had its time', async () => {
  const s = scene('aggregating');
  const failed = record(s).aggregators![0]!;
  expect(await answerTo(s.world, { type: 'aggregator.replace', uid: s.uid, failed }, s.sight)).toBe('NotDue');
  s.world.time = record(s).deadline;
  expect(await answerTo(s.world, { type: 'aggregator.replace', uid: s.uid, failed }, s.sight)).toBe('taken');
});

test('aggregate.evidence: verified by every master, and the sealed result is there', async () => {
  const s = scene('aggregating');
  const command = aggregateCommand(s.world, record(s), record(s).aggregators![0]!);
  expect(await answerTo(s.world, command, s.sight)).toBe('taken');
  expect(await answerTo(s.world, command, { ...s.sight, blobs: false })).toBe('ResultMissing');
  const { evidence } = command.aggregate;
  const lie = { ...command, aggregate: { ...command.aggregate, evidence: { ...evidence, inputs: evidence.inputs.slice(1) } } };
  expect(await answerTo(s.world, lie, s.sight)).toBe('EvidenceInvalid');
});

describe('tick', () => {
  test('T5: only when something is due', async () => {
    const s = scene('verifying');
    expect(await answerTo(s.world, { type: 'tick' }, s.sight)).toBe('taken');
    const quiet = scene('none');
    expect(await answerTo(quiet.world, { type: 'tick' }, quiet.sight)).toBe('NotDue');
  });
  test('T5: a voter who holds evidence refuses the tick that would expire its task', async () => {
    const s = scene('aggregating');
    const evidence = aggregateCommand(s.world, record(s), record(s).aggregators![0]!);
    s.world.time = record(s).finalDeadline;
    expect(await answerTo(s.world, { type: 'tick' }, { ...s.sight, pending: [evidence] })).toBe('EvidencePending');
    expect(await answerTo(s.world, { type: 'tick' }, s.sight)).toBe('taken');
  });
});

test('settlement.batch: not before it is due', async () => {
  const s = scene('awaiting');
  expect(await answerTo(s.world, { type: 'settlement.batch', number: 1n }, s.sight)).toBe('NotDue');
});

describe('chain.observed', () => {
  const account = actorKey(submitters[0]).address;
  const observed = (world: World, changes: object = {}): Command => ({
    type: 'chain.observed',
    ledgerVersion: 1n,
    time: world.time + 1,
    escrows: [{ account, balance: parseSym('7'), withdrawing: 0n }],
    settled: [],
    ...changes,
  });
  const fresh = (): { world: World; sight: Sight } => {
    const world = new World(genesis);
    const sight = sightOf(world);
    sight.chain.deposit(account, parseSym('7'));
    sight.chain.advance(1n);
    return { world, sight };
  };
  test.each([
    ['what the voter reads itself', {}, 'taken'],
    ['more than is there', { escrows: [{ account, balance: parseSym('8'), withdrawing: 0n }] }, 'ChainReadsOtherwise'],
    ['a withdrawal left out', { escrows: [{ account, balance: parseSym('7'), withdrawing: 1n }] }, 'ChainReadsOtherwise'],
    ['an escrow that changed, left out', { escrows: [] }, 'ChainReadsOtherwise'],
    ['a version that the chain has not reached', { ledgerVersion: 99n }, 'Unavailable'],
    ['a time that the chain has not reached', { time: GENESIS_TIME + 3_600_000 }, 'Unavailable'],
  ])('%s', async (_what, changes, answer) => {
    const { world, sight } = fresh();
    expect(await answerTo(world, observed(world, changes), sight)).toBe(answer);
  });
  describe('K7, N3: of the economy', () => {
    const holder = actorKey('alder').address;
    const landed = { 'node-rewards': 0n, dividends: 0n, slash: 0n, governance: 0n };
    const told = { minted: 5n, unpromised: 0n, landed, bonds: [{ role: 'enterprise' as const, holder, bonded: 9n }] };
    test.each([
      ['what the voter reads itself', {}, 'taken'],
      ['more minted', { minted: 6n }, 'ChainReadsOtherwise'],
      ['less minted', { minted: 4n }, 'ChainReadsOtherwise'],
      ['dividends for no one', { unpromised: 1n }, 'ChainReadsOtherwise'],
      ['another bond', { bonds: [{ ...told.bonds[0]!, bonded: 10n }] }, 'ChainReadsOtherwise'],
      ['a bond that changed, left out', { bonds: [] }, 'ChainReadsOtherwise'],
      [
        "a bond of no master's",
        { bonds: [...told.bonds, { role: 'master' as const, holder: 'ab'.repeat(32), bonded: 1n }] },
        'ChainReadsOtherwise',
      ],
    ])('%s', async (_what, changes, answer) => {
      const { world, sight } = fresh();
      sight.chain.economyOutside.owe(5n);
      await sight.chain.mintDue();
      sight.chain.economyOutside.bond(holder, 9n);
      const economy = { ...told, ...changes };
      expect(await answerTo(world, observed(world, { ledgerVersion: 3n, economy }), sight)).toBe(answer);
    });
  });
  test('K2: an old version does not pass for a fresh one', async () => {
    const { world, sight } = fresh();
    sight.chain.advance(1_000n);
    sight.chain.requestWithdrawal(account, parseSym('7'));
    sight.chain.advance(1_000n);
    const late = { time: world.time + 2_001 };
    expect(await answerTo(world, observed(world, late), sight)).toBe('ChainReadsOtherwise');
    const escrows = [{ account, balance: parseSym('7'), withdrawing: parseSym('7') }];
    expect(await answerTo(world, observed(world, { ...late, ledgerVersion: 2n, escrows }), sight)).toBe('taken');
  });
  test('P2: a batch that has not landed', async () => {
    const s = scene('awaiting');
    const { windows, settlement } = genesis.policy;
    s.world.advance(windows.challengeMs + settlement.maxDelayMs + 1_000);
    const chain = s.world.state.must('meta').chain!;
    s.sight.chain.advance(BigInt(s.world.time - GENESIS_TIME));
    for (const name of submitters) s.sight.chain.deposit(actorKey(name).address, parseSym('100'));
    for (let version = 2n; version <= chain.ledgerVersion; version += 1n) s.sight.chain.deposit(account, 0n);
    const { tasksRoot } = await import('@scs/protocol').then(({ batchKey, decodeBatch }) =>
      decodeBatch(s.world.state.map.get(batchKey(1n))!),
    );
    const lie: Extract<Command, { type: 'chain.observed' }> = {
      type: 'chain.observed',
      ledgerVersion: chain.ledgerVersion + 1n,
      time: s.world.time,
      escrows: [],
      settled: [{ batch: 1n, tasksRoot, transaction: `0x${'a'.repeat(64)}`, version: chain.ledgerVersion }],
    };
    expect(await answerTo(s.world, lie, s.sight)).toBe('ChainReadsOtherwise');
    expect(await answerTo(s.world, { ...lie, settled: [] }, s.sight)).toBe('taken');
  });
});

describe('the block itself', () => {
  const honest = async (change: Parameters<typeof answerTo>[3]): Promise<string> => {
    const s = scene('accepted');
    return answerTo(s.world, { type: 'task.resolve', uid: s.uid }, s.sight, change);
  };
  test.each([
    ['nothing false', {}, 'taken'],
    ['another parent', { parent: 'dd'.repeat(32) }, 'not on this parent'],
    ['another height', { height: 2n ** 40n }, 'not on this parent'],
    ['a time far ahead (T5)', { time: GENESIS_TIME + 3_600_000 }, 'TimeOutOfBound'],
    ['another generation', { generation: 1n }, 'another generation'],
  ])('%s', async (_what, change, answer) => expect(await honest(change)).toBe(answer));
});
