import { describe, expect, test } from 'vitest';
import { parseSym } from '../amounts.ts';
import { explain } from '../rejection.ts';
import { aGenesis, aPolicy } from '../testing/genesis.ts';
import { actorKey } from '../testing/keys.ts';
import { aTask, type AdmitCommand, type TaskBuilder } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import type { Actor, Genesis } from '../genesis.ts';

const genesis = aGenesis();
const withActors = (change: (actor: Actor) => Actor): Genesis => aGenesis({ actors: genesis.actors.map(change) });
const suspended = withActors((a) => (a.name === 'stranger' ? { ...a, state: 'suspended' } : a));
const producer = withActors((a) => (a.name === 'stranger' ? { ...a, role: 'producer' } : a));

/** The task as it is after its admission. */
const admitted = (task: TaskBuilder | AdmitCommand, on = World.ready()) => {
  const command = 'signed' in task ? task.signed(on.genesis) : task;
  on.block(command);
  return on.task(command.uid);
};
const altered = (change: Partial<AdmitCommand['spec']>): AdmitCommand => {
  const command = aTask().signed(genesis);
  return { ...command, spec: { ...command.spec, ...change } };
};
const reused = (): World => {
  const world = World.ready();
  world.block(aTask().nonce('ab'.repeat(16)).signed(genesis));
  return world;
};
const poor = (): World => {
  const world = new World();
  world.fund('roastery', '15');
  world.observe();
  world.block(aTask().signed(genesis));
  return world;
};
const stale = (): World => {
  const world = World.ready();
  world.time += 300_001;
  return world;
};

describe('T6, N5, K2: each reason to refuse a task at admission', () => {
  test.each`
    code                      | task                                                           | on
    ${'ClassNotSupported'}    | ${aTask().with({ class: 'train' })}                            | ${undefined}
    ${'SpecInvalid'}          | ${aTask().with({ query: undefined })}                          | ${undefined}
    ${'SpecInvalid'}          | ${aTask().asking({ where: [{ attribute: 'product_group' }] })} | ${undefined}
    ${'SpecInvalid'}          | ${aTask().epsilon('0')}                                        | ${undefined}
    ${'SpecInvalid'}          | ${aTask().epsilon('0.0000001')}                                | ${undefined}
    ${'SpecInvalid'}          | ${aTask().maxFee('0')}                                         | ${undefined}
    ${'SpecInvalid'}          | ${aTask().maxFee('999999999999')}                              | ${undefined}
    ${'SpecInvalid'}          | ${aTask().deadline(1801)}                                      | ${undefined}
    ${'SpecInvalid'}          | ${aTask().expiring('tomorrow')}                                | ${undefined}
    ${'SpecInvalid'}          | ${aTask().expiring('2026-02-01T00:00:00Z')}                    | ${undefined}
    ${'ActorUnknown'}         | ${aTask().by('nobody')}                                        | ${undefined}
    ${'RoleNotAllowed'}       | ${aTask().by('stranger')}                                      | ${World.ready(producer)}
    ${'ActorNotActive'}       | ${aTask().by('stranger')}                                      | ${World.ready(suspended)}
    ${'PresenterNotAllowed'}  | ${aTask().presentedBy('stranger')}                             | ${undefined}
    ${'PresenterNotAllowed'}  | ${aTask().presentedBy('')}                                     | ${undefined}
    ${'AuthorizationMissing'} | ${aTask().unsigned()}                                          | ${undefined}
    ${'SignatureInvalid'}     | ${altered({ maxFee: '11' })}                                   | ${undefined}
    ${'SignatureInvalid'}     | ${{ ...aTask().signed(genesis), name: 'another' }}             | ${undefined}
    ${'SignatureInvalid'}     | ${{ ...aTask().signed(genesis), namespace: 'another' }}        | ${undefined}
    ${'SignatureInvalid'}     | ${aTask().signed(aGenesis({ name: 'another group' }))}         | ${undefined}
    ${'AuthorizationExpired'} | ${aTask().expiring('2026-01-01T00:00:00Z')}                    | ${undefined}
    ${'NonceReused'}          | ${aTask().nonce('ab'.repeat(16))}                              | ${reused()}
    ${'EpsilonAboveMaximum'}  | ${aTask().epsilon('1.000001')}                                 | ${undefined}
    ${'EscrowReadingStale'}   | ${aTask()}                                                     | ${new World()}
    ${'EscrowReadingStale'}   | ${aTask()}                                                     | ${stale()}
    ${'EscrowInsufficient'}   | ${aTask()}                                                     | ${poor()}
  `('$code', ({ code, task, on }: { code: string; task: TaskBuilder | AdmitCommand; on: World | undefined }) => {
    const record = admitted(task, on);
    expect(record.rejection?.code).toBe(code);
    expect(record.history.map(({ state }) => state)).toEqual(['accepted', 'rejected']);
    expect(record.history.at(-1)!.reason).toBe(code);
    expect(record).toMatchObject({ state: 'rejected', locked: 0n, charge: 0n });
    expect(explain(record.rejection!)).toMatch(/\.$/);
  });

  test("N5: another actor's key does not sign for the submitter", () => {
    const forged = aTask().by('stranger').presentedBy('roastery').signed(genesis);
    const command = { ...forged, spec: { ...forged.spec, submitter: actorKey('roastery').address } };
    expect(admitted(command).rejection).toEqual({ code: 'SignatureInvalid', submitter: actorKey('roastery').address });
  });
});

describe('K2: locks', () => {
  test('an accepted task locks maxFee, and free escrow shrinks by it', () => {
    const world = World.ready();
    const record = admitted(aTask().maxFee('60'), world);
    expect(record).toMatchObject({ state: 'accepted', locked: parseSym('60') });
    expect(world.state.must('escrow', world.address('roastery')).locked).toBe(parseSym('60'));
    expect(admitted(aTask().maxFee('60'), world).rejection).toEqual({
      code: 'EscrowInsufficient',
      free: parseSym('40'),
      locked: parseSym('60'),
      needed: parseSym('60'),
    });
  });

  test('a requested withdrawal is not lockable', () => {
    const world = World.ready();
    const account = world.address('roastery');
    world.time += 1;
    world.block({
      type: 'chain.observed',
      ledgerVersion: 500n,
      time: world.time,
      escrows: [{ account, balance: parseSym('100'), withdrawing: parseSym('95') }],
      settled: [],
    });
    expect(admitted(aTask().maxFee('10'), world).rejection?.code).toBe('EscrowInsufficient');
    expect(admitted(aTask().maxFee('5'), world).state).toBe('accepted');
  });
});

describe('N5: nonces', () => {
  test('a nonce is remembered until it expires, then forgotten', () => {
    const world = World.ready();
    const command = aTask().expiring('2026-01-01T00:01:00.050Z').signed(genesis);
    const name = `${world.address('roastery')}/${command.spec.authorization!.nonce}`;
    world.block(command);
    expect(world.state.get('nonce', name)).toEqual({ expiry: world.time + 60_100 });
    world.advance(60_099);
    expect(world.state.get('nonce', name)).toBeDefined();
    world.advance(1);
    expect(world.state.get('nonce', name)).toBeUndefined();
  });
  test('a refused task does not use its nonce up', () => {
    const world = new World();
    const command = aTask().signed(genesis);
    expect(admitted(command, world).rejection?.code).toBe('EscrowReadingStale');
    world.fund('roastery', '100');
    world.observe();
    expect(admitted({ ...command, uid: 'abc' }, world).state).toBe('accepted');
  });
});

test('a uid is decided once: again is AlreadyDecided, otherwise is Conflicts', () => {
  const world = World.ready();
  const command = aTask().signed(genesis);
  world.block(command);
  expect(world.faultOf(command)).toBe('AlreadyDecided');
  expect(world.faultOf({ ...command, name: 'other' })).toBe('Conflicts');
  expect(world.faultOf({ ...command, spec: { ...command.spec, maxFee: '1' } })).toBe('Conflicts');
});

test('G1: a task keeps the policy and semantic version of its admission', () => {
  const world = World.ready(aGenesis({ policy: { ...aPolicy(), version: 7 } }));
  const { policyVersion, semanticVersion } = world.task(world.submit(aTask()));
  expect([policyVersion, semanticVersion]).toEqual([7, world.state.must('meta').semanticVersion]);
});
