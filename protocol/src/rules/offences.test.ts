/** Penalties that prove themselves (G3), and who counts as active by what is bonded (N3). */
import { describe, expect, test } from 'vitest';
import type { Command } from '../commands.ts';
import { hex } from '../encoding/bytes.ts';
import { DEFAULT_ECONOMY } from '../economy.ts';
import { signStatement } from '../evidence.ts';
import { decodeSlash, slashKey } from '../staking.ts';
import { aGenesis, aPolicy, enterprises } from '../testing/genesis.ts';
import { digestOf, vaultKey } from '../testing/keys.ts';
import { aggregateCommand, enclaveKey, releaseCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { accusationIn } from './offences.ts';

type Release = Extract<Command, { type: 'slice.release' }>;
type Aggregate = Extract<Command, { type: 'aggregate.evidence' }>;
const VAULT = 'alder/shoppers';

/** All Vaults have released; the aggregator is ready. */
const scene = () => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.answer(uid);
  world.ready(uid);
  world.release(uid);
  world.aggregatorReady(uid);
  return { world, uid };
};
const released = (world: World, uid: string, change: Partial<Release['receipt']> = {}, seed = vaultKey(VAULT).seed): Release => {
  const honest = releaseCommand(world, world.task(uid), VAULT, 99n);
  const receipt = { ...honest.receipt, ...change };
  return { ...honest, receipt, signature: signStatement(seed, 'slice.release', world.genesisDigest, receipt) };
};
const aggregated = (world: World, uid: string, inputs?: Aggregate['aggregate']['evidence']['inputs'], seed?: string): Aggregate => {
  const { address } = world.aggregator(uid);
  const honest = aggregateCommand(world, world.task(uid), address);
  const evidence = { ...honest.aggregate.evidence, ...(inputs && { inputs }) };
  const signature = signStatement(seed ?? enclaveKey(uid, address, 0).seed, 'aggregate.evidence', world.genesisDigest, evidence);
  return { ...honest, aggregate: { evidence, signature } };
};
const accusation = (command: Command): Command => accusationIn(command)!;

describe('G3: a Vault that signs two outputs for one slice', () => {
  test('is penalized once', () => {
    const { world, uid } = scene();
    const second = released(world, uid, { outputCommitment: digestOf('another output') });
    expect(world.faultOf(second)).toBe('Conflicts');
    world.block(accusation(second));
    expect(decodeSlash(world.state.map.get(slashKey(1n))!)).toMatchObject({
      role: 'enterprise',
      offender: world.address('alder'),
      offence: 'invalid_evidence',
      share: 0n,
    });
    expect(world.state.must('settlement', 'slash-1')).toMatchObject({ leaf: 'slash', state: 'finalizing' });
    expect(world.faultOf(accusation(second))).toBe('AlreadyDecided');
    expect(world.faultOf(accusation(released(world, uid, { outputCommitment: digestOf('a third') })))).toBe('AlreadyDecided');
    world.observe();
    expect(world.state.must('settlement', 'slash-1').state).toBe('finalized');
  });
  test('with the third offence its enterprise loses its membership, as on the chain', () => {
    const world = World.ready();
    const offend = (): void => {
      const uid = world.submit(aTask().maxFee('6'));
      world.answer(uid);
      world.ready(uid);
      world.release(uid);
      world.block(accusation(released(world, uid, { outputCommitment: digestOf('another output') })));
    };
    const states = [1, 2, 3].map(() => {
      offend();
      return world.state.must('actor', world.address('alder')).state;
    });
    expect(states).toEqual(['active', 'active', 'suspended']);
    expect(world.task(world.submit(aTask().maxFee('6'))).parts).toHaveLength(2);
  });
  test.each([
    ['the decided release', {}, undefined, 'EvidenceInvalid'],
    ['one that it did not sign', { outputCommitment: digestOf('other') }, vaultKey('birch/shoppers').seed, 'EvidenceInvalid'],
    ['one for another envelope', { outputCommitment: digestOf('other'), envelope: digestOf('envelope') }, undefined, 'EvidenceInvalid'],
    ['one of a task that there is not', { task: '00000000-0000-4000-8000-000000000000' }, undefined, 'TaskUnknown'],
    ['other evidence', { evidence: digestOf('evidence') }, undefined, undefined],
  ] as const)('%s: %s', (_, change, seed, code) => {
    const { world, uid } = scene();
    expect(world.faultOf(accusation(released(world, uid, change, seed)))).toBe(code);
  });
  test('nothing is proven before its release is decided', () => {
    const world = World.ready();
    const uid = world.submit(aTask());
    world.answer(uid);
    world.ready(uid);
    expect(world.faultOf(accusation(released(world, uid, { outputCommitment: digestOf('other') })))).toBe('EvidenceInvalid');
  });
});

describe('G3: an aggregator that signs other inputs than were released', () => {
  test('is penalized, its enterprise by name', () => {
    const { world, uid } = scene();
    const false_ = aggregated(world, uid, [{ vault: VAULT, outputCommitment: digestOf('made up') }]);
    expect(world.faultOf(false_)).toBe('EvidenceInvalid');
    world.block(accusation(false_));
    expect(decodeSlash(world.state.map.get(slashKey(1n))!).offender).toBe(world.aggregator(uid).address);
    world.block(aggregated(world, uid)); // the task itself goes on
    expect(world.task(uid).state).toBe('verifying');
  });
  test('what another key signed, or what is true, proves nothing', () => {
    const { world, uid } = scene();
    const inputs = [{ vault: VAULT, outputCommitment: digestOf('made up') }];
    expect(world.faultOf(accusation(aggregated(world, uid, inputs, vaultKey(VAULT).seed)))).toBe('EvidenceInvalid');
    expect(world.faultOf(accusation(aggregated(world, uid)))).toBe('EvidenceInvalid');
  });
});

test('other commands accuse nobody', () => expect(accusationIn({ type: 'tick' })).toBeUndefined());

describe('N3, G3: an enterprise below S_enterprise', () => {
  const stakes = { ...DEFAULT_ECONOMY.stakes, enterprise: 1_000n };
  const genesis = aGenesis({ policy: { ...aPolicy(), economy: { ...DEFAULT_ECONOMY, stakes } } });
  const bonded = (amounts: Readonly<Record<string, bigint>>): World => {
    const world = World.ready(genesis);
    for (const [name, amount] of Object.entries(amounts)) world.bond({ role: 'enterprise', holder: world.address(name), bonded: amount });
    world.observe();
    return world;
  };
  const submit = (world: World) => world.task(world.submit(aTask().signed(genesis)));
  test('serves no task and aggregates none', () => {
    const world = bonded({ alder: 1_000n, birch: 5_000n, cedar: 999n });
    const task = submit(world);
    expect(task.parts.map(({ enterprise }) => enterprise)).toEqual(['alder', 'birch'].map((name) => world.address(name)));
    world.answer(task.uid);
    expect(world.task(task.uid).aggregators).not.toContain(world.address('cedar'));
  });
  test('too few of them: EnterpriseNotActive, until the bond is read', () => {
    const world = bonded({ alder: 1_000n });
    expect(submit(world).rejection).toMatchObject({ code: 'EnterpriseNotActive' });
    for (const name of enterprises) world.bond({ role: 'enterprise', holder: world.address(name), bonded: 1_000n });
    world.observe();
    expect(submit(world).state).toBe('resolving');
  });
  test('a penalty that takes the bond below it ends its service', () => {
    const world = bonded({ alder: 1_000n, birch: 1_000n, cedar: 1_000n });
    world.bond({ role: 'enterprise', holder: world.address('alder'), bonded: 900n });
    world.observe();
    expect(submit(world).parts).toHaveLength(2);
    expect(hex(world.state.root())).toMatch(/^[0-9a-f]{64}$/);
  });
});
