/** What is shown of a task and of the log, from records that the real rules made (rules N6, G7, T6, T8). */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ActorSpec,
  ActorStatus,
  CanonicalAttributeSpec,
  decodeCanonical,
  decodeBatch,
  DomainSpec,
  encodeSettlementLeaf,
  EpochSpec,
  EpochStatus,
  fromHex,
  hex,
  OwnAttribute,
  PolicyVersionSpec,
  QueryAttributeSpec,
  QueryAttributeStatus,
  rootFromPath,
  parseSym,
  settlementLeafOf,
  SettlementSpec,
  SettlementStatus,
  sign,
  decideMessage,
  TaskStatus,
  utf8,
  type Certificate,
  type CertifiedLeaf,
  type TaskRecord,
} from '@scs/protocol';
import { vaultNames } from '@scs/protocol/testing/genesis.ts';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { aCatalogueChange } from '@scs/protocol/testing/catalogue-change.ts';
import { anOffer, registerCommand } from '@scs/protocol/testing/statements.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { clusterKinds, objectsOfKey, wantedNames, wantedObject, type Sources } from './cluster-objects.ts';
import { taskConditions } from './conditions.ts';
import { evidenceFound, evidenceHeight, evidenceIn, resultFiles, sameFiles } from './result-files.ts';
import { sameStatus } from './same.ts';
import { taskStatus } from './task-status.ts';

const committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };
/** The leaf of a world's state with two real votes. */
const leafOf = (world: World, key: string): CertifiedLeaf | undefined => {
  const value = world.state.map.get(key);
  const path = world.state.map.prove(key);
  if (!value || !path) return undefined;
  const stateRoot = hex(world.state.root());
  const head = { genesis: world.genesisDigest, generation: 0n, height: world.height, stateRoot, block: world.state.must('meta').block };
  const votes = [0, 1].map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) }));
  const certificate: Certificate = { head, votes };
  return { key, value: hex(value), siblings: path.siblings.map(hex), certificate };
};
const sourcesOf = (world: World): Sources => ({ genesis: world.genesis, state: world.state, leaf: (key) => leafOf(world, key) });
const logOf = (world: World) => ({
  state: () => world.state,
  leaf: (key: string) => leafOf(world, key),
});
const evidenceOf = (world: World, record: TaskRecord): string | undefined =>
  evidenceIn(
    record,
    world.blocks.find(({ height }) => height === evidenceHeight(record))!,
  );

type Stage = readonly [reached: string, record: TaskRecord];
const stages = (): readonly Stage[] => {
  const world = World.ready();
  const task = aTask().named('staged').signed(world.genesis);
  const seen: Stage[] = [];
  const note = (name: string): void => void seen.push([name, world.task(task.uid)]);
  world.block(task);
  note('accepted');
  world.followUp();
  note('resolving');
  world.answer(task.uid, [vaultNames[0]!]);
  note('one answered');
  world.answer(task.uid, vaultNames.slice(1));
  note('dispatched');
  world.ready(task.uid);
  note('enclaves ready');
  world.release(task.uid);
  note('released');
  world.aggregatorReady(task.uid);
  note('aggregator ready');
  world.aggregate(task.uid);
  note('verifying');
  world.followUp();
  note('awaiting');
  world.settle();
  note('completed');
  return seen;
};
let byName: ReadonlyMap<string, TaskRecord>;
beforeAll(() => {
  byName = new Map(stages());
});
const conditionsAt = (stage: string) => taskConditions(byName.get(stage)!);
const brief = (stage: string): string =>
  conditionsAt(stage)
    .map((c) => `${c.type}=${c.status === 'True' ? 'True' : c.reason}`)
    .join(' ');

describe('conditions', () => {
  test.each([
    ['accepted', 'Accepted=True AwaitingSettlement=Pending Completed=Pending Dispatched=Pending Resolved=Resolving Verified=Pending'],
    ['resolving', 'Accepted=True AwaitingSettlement=Pending Completed=Pending Dispatched=WaitingForVaults Resolved=True Verified=Pending'],
    ['dispatched', 'Accepted=True AwaitingSettlement=Pending Completed=Pending Dispatched=True Resolved=True Verified=WaitingForEnclaves'],
    [
      'enclaves ready',
      'Accepted=True AwaitingSettlement=Pending Completed=Pending Dispatched=True Resolved=True Verified=WaitingForReleases',
    ],
    ['released', 'Accepted=True AwaitingSettlement=Pending Completed=Pending Dispatched=True Resolved=True Verified=WaitingForAggregator'],
    [
      'aggregator ready',
      'Accepted=True AwaitingSettlement=Pending Completed=Pending Dispatched=True Resolved=True Verified=WaitingForAggregate',
    ],
    ['awaiting', 'Accepted=True AwaitingSettlement=True Completed=ChallengeWindowOpen Dispatched=True Resolved=True Verified=True'],
    ['completed', 'Accepted=True AwaitingSettlement=Settled Completed=True Dispatched=True Resolved=True Verified=True'],
  ])('of a task that is %s', (stage, expected) => expect(brief(stage)).toBe(expected));

  test('T6: a task that does not resolve was accepted, and its lock is freed', () => {
    const world = World.ready();
    const uid = world.submit(aTask().named('odd').query('nonsense').signed(world.genesis));
    const status = taskStatus(world.task(uid), undefined);
    expect(status.fee).toMatchObject({ locked: '0', charged: '0', freed: '10' });
    expect(status.conditions?.find((c) => c.type === 'Accepted')?.status).toBe('True');
    expect(status.conditions?.find((c) => c.type === 'Resolved')).toMatchObject({ status: 'False', reason: status.reason });
  });

  test('a message names whom it waits for', () =>
    expect(conditionsAt('one answered').find((c) => c.type === 'Dispatched')?.message).toBe(
      `1 of 3 Vaults have answered; waiting for ${vaultNames[1]}, ${vaultNames[2]}.`,
    ));

  test('T6: a task refused at admission was never accepted, and says why', () => {
    const world = World.ready();
    const task = aTask().named('dear').maxFee('5000').signed(world.genesis);
    world.block(task);
    const status = taskStatus(world.task(task.uid), undefined);
    expect(status).toMatchObject({ state: 'rejected', reason: 'EscrowInsufficient', fee: { locked: '0', charged: '0', freed: '0' } });
    expect(status.conditions?.every((c) => c.status === 'False' && c.reason === 'EscrowInsufficient')).toBe(true);
  });
});

describe('status', () => {
  test('N6: fits the schema, and is the same whoever computes it', () => {
    const world = World.ready();
    const task = aTask().named('whole').signed(world.genesis);
    const uid = world.submit(task);
    world.runTo(uid, 'dispatched');
    world.ready(uid);
    const record = world.task(uid);
    const status = taskStatus(record, leafOf(world, `task/${uid}`));
    expect(TaskStatus.parse(status)).toEqual(status);
    expect(taskStatus(record, leafOf(world, `task/${uid}`))).toEqual(status);
  });

  test('N6: an older proof that holds is as good; an altered one, or another word, is not', () => {
    const world = World.ready();
    const uid = world.submit(aTask().named('proved').signed(world.genesis));
    const older = taskStatus(world.task(uid), leafOf(world, `task/${uid}`));
    world.observe();
    const newer = taskStatus(world.task(uid), leafOf(world, `task/${uid}`));
    expect(older.proof?.head.height).not.toBe(newer.proof?.head.height);
    const same = (found: TaskStatus) => sameStatus(found, newer, world.genesisDigest, committee);
    expect(same(older)).toBe(true);
    expect(same({ ...older, state: 'completed' })).toBe(false);
    expect(same({ ...older, proof: { ...older.proof!, siblings: older.proof!.siblings.map(() => '0'.repeat(64)) } })).toBe(false);
    const { proof: _, ...unproved } = older;
    expect(same(unproved)).toBe(false);
  });
});

describe('result', () => {
  const completed = (): { world: World; uid: string } => {
    const world = World.ready();
    const uid = world.submit(aTask().named('settled').signed(world.genesis));
    for (const state of ['dispatched', 'verifying', 'awaiting_settlement', 'completed'] as const)
      if (world.task(uid).state !== state) step(world, uid, state);
    return { world, uid };
  };
  const step = (world: World, uid: string, state: string): void => {
    if (state === 'dispatched') world.answer(uid);
    if (state === 'verifying') {
      world.ready(uid);
      world.release(uid);
      world.aggregatorReady(uid);
      world.aggregate(uid);
    }
    if (state === 'awaiting_settlement') world.followUp();
    if (state === 'completed') world.settle();
  };

  test('P3: the files lead from the sealed bytes to the root in the batch', () => {
    const { world, uid } = completed();
    const record = world.task(uid);
    const files = resultFiles(record, utf8('sealed'), evidenceOf(world, record), logOf(world));
    expect(Object.keys(files.data ?? {}).toSorted()).toEqual([
      'batch.leaf',
      'envelope.leaf',
      'evidence.json',
      'provisional',
      'settlement.json',
      'task.leaf',
    ]);
    const { index, count, path } = decodeCanonical(utf8(files.data!['settlement.json']!)) as {
      index: number;
      count: number;
      path: string[];
    };
    const batch = decodeCanonical(utf8(files.data!['batch.leaf']!)) as CertifiedLeaf;
    const root = rootFromPath(index, count, encodeSettlementLeaf(settlementLeafOf(record)), path.map(fromHex));
    expect(root && hex(root)).toBe(decodeBatch(fromHex(batch.value)).tasksRoot);
    expect(files.data!['provisional']).toBe('false');
  });

  test.each([
    ['nothing', {}, true],
    ['a leaf', { data: { 'task.leaf': '{}' } }, false],
    ['the evidence', { data: { 'evidence.json': '{}' } }, false],
    ['another file beside', { data: { extra: 'x' } }, false],
    ['the sealed bytes', { binaryData: { 'result.sealed': 'AAAA' } }, false],
  ])('N6: with %s altered, they are written again: %o', (_what, change: { data?: object; binaryData?: object }, same) => {
    const { world, uid } = completed();
    const wanted = resultFiles(world.task(uid), utf8('sealed'), evidenceOf(world, world.task(uid)), logOf(world));
    const found = { data: { ...wanted.data, ...change.data }, binaryData: { ...wanted.binaryData, ...change.binaryData } };
    expect(sameFiles(found, wanted, world.genesisDigest, committee)).toBe(same);
  });

  test('N6, X1: the evidence that lies there is believed by its certified digest, so that an old task needs no block out of the archive', () => {
    const { world, uid } = completed();
    const record = world.task(uid);
    const text = evidenceOf(world, record)!;
    expect(evidenceFound(record, { data: { 'evidence.json': text } })).toBe(text);
    const other = { ...record, evidence: '0'.repeat(64) };
    expect(evidenceFound(other, { data: { 'evidence.json': text } })).toBeUndefined();
    for (const found of [undefined, {}, { data: { 'evidence.json': '{}' } }, { data: { 'evidence.json': text.slice(1) } }])
      expect(evidenceFound(record, found)).toBeUndefined();
  });
});

describe('G7: cluster-scoped objects', () => {
  const schemas = {
    PolicyVersion: PolicyVersionSpec,
    Epoch: EpochSpec,
    Settlement: SettlementSpec,
    Actor: ActorSpec,
    Domain: DomainSpec,
    CanonicalAttribute: CanonicalAttributeSpec,
    QueryAttribute: QueryAttributeSpec,
  };
  test('one of each kind at least, with names that Kubernetes takes and specs that fit their schema', () => {
    const world = World.ready();
    const uid = world.submit(aTask().named('counted').signed(world.genesis));
    world.answer(uid);
    world.ready(uid);
    world.release(uid);
    world.aggregatorReady(uid);
    world.aggregate(uid);
    world.followUp();
    world.settle();
    const sources = sourcesOf(world);
    const names = wantedNames(sources);
    expect(new Set(names.map(([kind]) => kind))).toEqual(new Set(clusterKinds));
    for (const [kind, name] of names) {
      expect(name).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
      const wanted = wantedObject(sources, kind, name);
      expect(schemas[kind].parse(wanted?.spec)).toEqual(wanted?.spec);
    }
    const settlement = wantedObject(sources, 'Settlement', 'settlement-1');
    expect(SettlementStatus.parse(settlement?.status)).toEqual(settlement?.status);
    expect(settlement?.status['state']).toBe('finalized');
    const epoch = wantedObject(sources, 'Epoch', 'epoch-0');
    expect(EpochStatus.parse(epoch?.status)).toEqual(epoch?.status);
    const actors = names.filter(([kind]) => kind === 'Actor').map(([kind, name]) => wantedObject(sources, kind, name)?.status);
    for (const status of actors) expect(ActorStatus.parse(status)).toEqual(status);
  });
  test('S1, G5: a change of the catalogue shows from the next epoch on, with the leaf that two masters certified', () => {
    const world = World.ready();
    const name = 'age-group';
    const of = () => wantedObject(sourcesOf(world), 'QueryAttribute', name)!;
    const [before] = [of()];
    world.block(
      aCatalogueChange(world, [{ kind: 'move', layer: 'query', name: 'age_group', to: 'deprecated', successor: 'product_group' }]),
    );
    expect([of().spec, of().status['state']]).toEqual([before!.spec, 'active']);
    world.advance(world.genesis.policy.epoch.lengthMs);
    expect(of().spec).toMatchObject({ successor: 'product_group' });
    expect(QueryAttributeStatus.parse(of().status)).toMatchObject({
      state: 'deprecated',
      semanticVersion: world.state.must('meta').semanticVersion,
    });
    expect(of().status['semanticVersion']).not.toBe(before!.status['semanticVersion']);
    const changed = objectsOfKey('semantics/', sourcesOf(world));
    expect(changed).toContainEqual(['QueryAttribute', name]);
    expect(changed).toContainEqual(['Domain', 'retail.purchase']);
  });
  test('S3: a Vault’s own attribute is shown from the epoch that it begins with, under a name that no other object has', () => {
    const world = World.ready();
    const vault = vaultNames[0]!;
    const attributes = [
      OwnAttribute.parse({ name: 'is_big', domain: 'retail.purchase', local: 'STORE ID', type: 'string', kind: 'boolean', values: ['1'] }),
    ];
    world.block(registerCommand(world, anOffer(vault, { revision: 1, attributes })));
    const shown = () => wantedNames(sourcesOf(world)).filter(([, name]) => name.includes('--'));
    expect(shown()).toEqual([]);
    world.advance(world.genesis.policy.epoch.lengthMs);
    expect(shown()).toEqual([['QueryAttribute', 'alder.shoppers--is-big']]);
    const wanted = wantedObject(sourcesOf(world), 'QueryAttribute', 'alder.shoppers--is-big')!;
    expect(QueryAttributeSpec.parse(wanted.spec)).toEqual(wanted.spec);
    expect(wanted.spec).toMatchObject({ name: 'alder/shoppers/is_big', vault, derivation: { kind: 'boolean', from: 'STORE ID' } });
    expect(JSON.stringify(wanted.spec)).not.toContain('local/');
    expect(QueryAttributeStatus.parse(wanted.status)).toMatchObject({ state: 'active', proof: { key: `own/${vault}` } });
    expect(objectsOfKey(`own/${vault}`, sourcesOf(world))).toEqual(shown());
    expect(objectsOfKey('epoch/1', sourcesOf(world))).toContainEqual(shown()[0]);
    expect(wantedObject(sourcesOf(world), 'QueryAttribute', 'alder.shoppers--nothing')).toBeUndefined();
  });
  test('P1: a batch is shown from its first waiting task on, in each of its states', () => {
    const world = World.ready();
    const uid = world.submit(aTask().named('shown').signed(world.genesis));
    world.runTo(uid, 'awaiting_settlement');
    const shown = () => wantedObject(sourcesOf(world), 'Settlement', 'settlement-1');
    expect(shown()).toBeUndefined();
    const { windows, settlement } = world.genesis.policy;
    world.advance(windows.challengeMs);
    expect(shown()).toMatchObject({ spec: { kind: 'batch', number: 1, taskCount: 1 }, status: { state: 'collecting' } });
    expect(wantedNames(sourcesOf(world))).toContainEqual(['Settlement', 'settlement-1']);
    world.time += settlement.maxDelayMs;
    world.block();
    expect(shown()?.status['state']).toBe('verifying_inputs');
    world.followUp();
    expect(shown()?.status['state']).toBe('finalizing');
    world.observe();
    expect(shown()?.status['state']).toBe('finalized');
  });
  test('K7: node rewards are shown too, with what they give out', () => {
    const world = World.ready();
    world.mint(parseSym('10'));
    world.observe();
    world.advance(world.genesis.policy.epoch.lengthMs);
    const sources = sourcesOf(world);
    expect(wantedNames(sources)).toContainEqual(['Settlement', 'settlement-node-rewards-1']);
    const wanted = wantedObject(sources, 'Settlement', 'settlement-node-rewards-1');
    expect(SettlementSpec.parse(wanted?.spec)).toEqual({ kind: 'node-rewards', number: 1, epoch: 0, taskCount: 0 });
    expect(SettlementStatus.parse(wanted?.status)).toMatchObject({ state: 'finalizing', distributed: '4' });
    world.observe();
    expect(wantedObject(sourcesOf(world), 'Settlement', 'settlement-node-rewards-1')?.status['state']).toBe('finalized');
  });
  test("N3, G3: an enterprise's bond and credits stand in its Actor", () => {
    const world = World.ready();
    const uid = world.submit(aTask().named('credited').signed(world.genesis));
    world.bond({ role: 'enterprise', holder: world.address('alder'), bonded: parseSym('500') });
    world.runTo(uid, 'completed');
    const [, name] = wantedNames(sourcesOf(world)).find(([kind, n]) => kind === 'Actor' && n.startsWith('alder'))!;
    const status = wantedObject(sourcesOf(world), 'Actor', name)?.status;
    expect(ActorStatus.parse(status)).toMatchObject({ state: 'active', bonded: '500', credits: '0.175' });
    for (const key of ['bond/enterprise/', 'credit/', 'conduct/'])
      expect(objectsOfKey(`${key}${world.address('alder')}`, world)).toEqual([['Actor', name]]);
  });
  test('what nobody decided is not wanted', () => {
    const sources = sourcesOf(World.ready());
    for (const kind of clusterKinds) expect(wantedObject(sources, kind, 'made-up-7')).toBeUndefined();
    expect(wantedObject(sources, 'Settlement', 'settlement-1')).toBeUndefined();
  });
});
