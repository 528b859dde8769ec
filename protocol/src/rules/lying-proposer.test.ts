/** For each type of command: what a proposer could alter, and the fault that every other master finds by itself (N1, A5, X4). */
import { describe, expect, test } from 'vitest';
import type { Command } from '../commands.ts';
import { signStatement, sliceEvidenceDigest, type AggregateEvidence, type ReleaseReceipt, type SliceEvidence } from '../evidence.ts';
import { attest } from '../simulated-enclave.ts';
import { chipOf, MEASUREMENT, vaultNames } from '../testing/genesis.ts';
import { actorKey, digestOf, testKey, vaultKey } from '../testing/keys.ts';
import {
  aggregateCommand,
  anOffer,
  answerCommand,
  enclaveKey,
  readyCommand,
  registerCommand,
  releaseCommand,
  sliceEvidence,
  sliceReadyCommand,
} from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { identityOf } from './enclave-ready.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;
const [alder, birch] = vaultNames as [string, string];
const nobody = testKey('nobody');
const other = digestOf('other');

const submitted = () => {
  const world = World.ready();
  return { world, uid: world.submit(aTask()) };
};
const dispatched = () => {
  const it = submitted();
  it.world.answer(it.uid);
  return it;
};
const allReady = () => {
  const it = dispatched();
  it.world.ready(it.uid);
  return it;
};
const allReleased = () => {
  const it = allReady();
  it.world.release(it.uid);
  it.world.aggregatorReady(it.uid);
  return it;
};

describe('vault.register', () => {
  test.each`
    change                                       | code
    ${{ actors: [nobody.address] }}              | ${'SignatureInvalid'}
    ${{ publicKey: nobody.publicKey }}           | ${'SignatureInvalid'}
    ${{ enterprise: actorKey('birch').address }} | ${'NamespaceMismatch'}
  `('$change is $code', ({ change, code }: { change: object; code: string }) => {
    const world = new World();
    const command = registerCommand(world, anOffer(alder));
    expect(world.faultOf({ ...command, offer: { ...command.offer, ...change } })).toBe(code);
  });
});

describe('task.admit', () => {
  test('an altered task is no valid command of its actor: it locks nothing (masters also compare it with the API server)', () => {
    const world = World.ready();
    const command = aTask().signed(world.genesis);
    world.block({ ...command, spec: { ...command.spec, maxFee: '99' } });
    expect(world.task(command.uid).rejection?.code).toBe('SignatureInvalid');
    expect(world.state.must('escrow', world.address('roastery')).locked).toBe(0n);
  });
});

describe('task.resolve, task.dispatch, task.cancel, tick, aggregator.replace: out of turn', () => {
  test.each`
    command                                                              | code
    ${{ type: 'task.resolve', uid: 'ab' }}                               | ${'TaskUnknown'}
    ${{ type: 'task.dispatch', uid: 'ab' }}                              | ${'TaskUnknown'}
    ${{ type: 'task.cancel', uid: 'ab' }}                                | ${'TaskUnknown'}
    ${{ type: 'aggregator.replace', uid: 'ab', failed: nobody.address }} | ${'TaskUnknown'}
    ${{ type: 'tick' }}                                                  | ${'NotDue'}
    ${{ type: 'settlement.batch', number: 1n }}                          | ${'NotDue'}
    ${{ type: 'settlement.batch', number: 2n }}                          | ${'NotDue'}
    ${{ type: 'settlement.batch', number: 0n }}                          | ${'AlreadyDecided'}
  `('$command is $code', ({ command, code }: { command: Command; code: string }) => expect(submitted().world.faultOf(command)).toBe(code));

  test('a task is resolved once, dispatched when it is due, and its aggregator keeps its time', () => {
    const { world, uid } = submitted();
    expect(world.faultOf({ type: 'task.resolve', uid })).toBe('AlreadyDecided');
    expect(world.faultOf({ type: 'task.dispatch', uid })).toBe('NotDue');
    expect(world.faultOf({ type: 'aggregator.replace', uid, failed: nobody.address })).toBe('TaskNotInState');
    world.answer(uid);
    const failed = world.aggregator(uid).address;
    expect(world.faultOf({ type: 'task.dispatch', uid })).toBe('AlreadyDecided');
    expect(world.faultOf({ type: 'aggregator.replace', uid, failed })).toBe('NotDue');
    const fresh = aTask().signed(world.genesis);
    world.block(fresh);
    expect(world.faultOf({ type: 'task.dispatch', uid: fresh.uid })).toBe('TaskNotInState');
  });
});

describe('vault.answer', () => {
  const answer = (world: World, uid: string): CommandOf<'vault.answer'> => answerCommand(world, world.task(uid), alder, 1n);
  const signedBy = (world: World, seed: string, statement: CommandOf<'vault.answer'>['statement']): Command => ({
    type: 'vault.answer',
    statement,
    signature: signStatement(seed, 'vault.answer', world.genesisDigest, statement),
  });

  test('altered, or signed by another: SignatureInvalid', () => {
    const { world, uid } = submitted();
    const { statement, signature } = answer(world, uid);
    const refusal = { ...statement, answer: { kind: 'refused', code: 'Busy', message: '' } } as const;
    expect(world.faultOf({ type: 'vault.answer', statement: refusal, signature })).toBe('SignatureInvalid');
    expect(world.faultOf(signedBy(world, vaultKey(birch).seed, statement))).toBe('SignatureInvalid');
    expect(world.faultOf(signedBy(world, vaultKey(alder).seed, { ...statement, task: 'ab' }))).toBe('TaskUnknown');
    expect(world.faultOf(signedBy(world, vaultKey(alder).seed, { ...statement, vault: 'alder/other' }))).toBe('NotAsked');
  });
  test('a Vault that reserves another amount, or speaks for a journal behind its last: refused (B2, B8)', () => {
    const { world, uid } = submitted();
    const { statement } = answer(world, uid);
    const cheap = { ...statement, answer: { ...statement.answer, microRho: 1n } } as typeof statement;
    expect(world.faultOf(signedBy(world, vaultKey(alder).seed, cheap))).toBe('ReservationMismatch');
    const forked = { ...statement, answer: { ...statement.answer, journal: { sequence: 0n, head: other } } } as typeof statement;
    expect(world.faultOf(signedBy(world, vaultKey(alder).seed, forked))).toBe('JournalBehind');
  });
  test('again is AlreadyDecided, even with a later journal; otherwise is Conflicts', () => {
    const { world, uid } = submitted();
    const before = world.task(uid);
    world.block(answer(world, uid));
    expect(world.faultOf(answerCommand(world, before, alder, 1n))).toBe('AlreadyDecided');
    expect(world.faultOf(answerCommand(world, before, alder, 7n))).toBe('AlreadyDecided');
    expect(world.faultOf(answerCommand(world, before, alder, 1n, { code: 'Busy', message: '' }))).toBe('Conflicts');
    world.refuse(uid, birch);
    expect(world.faultOf(answerCommand(world, before, birch, 0n, { code: 'VaultBusy', message: 'not now' }))).toBe('AlreadyDecided');
    expect(world.faultOf(answerCommand(world, before, birch, 0n))).toBe('Conflicts');
  });
});

describe('enclave.ready', () => {
  const command = (world: World, uid: string, start = 0) => sliceReadyCommand(world, world.task(uid), alder, start);
  /** Signed by the enclave's key again after the change, as an enclave that lies would. */
  const changed = (world: World, uid: string, change: object): Command => {
    const statement = { ...command(world, uid).statement, ...change };
    const { seed } = enclaveKey(uid, alder, 0);
    return { type: 'enclave.ready', statement, signature: signStatement(seed, 'enclave.ready', world.genesisDigest, statement) };
  };
  test('altered without its key: SignatureInvalid', () => {
    const { world, uid } = dispatched();
    const { statement, signature } = command(world, uid);
    expect(world.faultOf({ type: 'enclave.ready', statement: { ...statement, sealKey: other }, signature })).toBe('SignatureInvalid');
  });
  test('A1: keys, role or Vault that the attestation does not bind; a measurement that the policy does not list', () => {
    const { world, uid } = dispatched();
    expect(world.faultOf(changed(world, uid, { sealKey: other }))).toBe('AttestationInvalid');
    expect(world.faultOf(changed(world, uid, { subject: birch }))).toBe('AttestationInvalid');
    const { statement } = command(world, uid);
    const attestation = attest(chipOf('alder'), identityOf(statement, world.genesisDigest), '00'.repeat(48));
    expect(MEASUREMENT).not.toBe('00'.repeat(48));
    expect(world.faultOf(changed(world, uid, { attestation }))).toBe('AttestationInvalid');
  });
  test.each`
    change                    | code
    ${{ task: 'ab' }}         | ${'TaskUnknown'}
    ${{ subject: 'a/b' }}     | ${'NotAsked'}
    ${{ role: 'review' }}     | ${'TaskNotInState'}
    ${{ role: 'aggregator' }} | ${'NotTheAggregator'}
  `('$change is $code', ({ change, code }: { change: object; code: string }) => {
    const { world, uid } = dispatched();
    expect(world.faultOf(changed(world, uid, change))).toBe(code);
  });
  test('M4: only the current aggregator may become ready', () => {
    const { world, uid } = dispatched();
    const task = world.task(uid);
    const later = task.aggregators![1]!;
    expect(world.faultOf(readyCommand(world, task, 'aggregator', later, 'alder'))).toBe('NotTheAggregator');
  });
  test('a restarted pod replaces the one before; the one before never comes back; the same again is AlreadyDecided', () => {
    const { world, uid } = dispatched();
    const [first, second] = [command(world, uid, 0), command(world, uid, 1)];
    world.block(first, second);
    expect(world.faultOf(second)).toBe('AlreadyDecided');
    expect(world.faultOf(first)).toBe('EnclaveReplaced');
    expect(world.task(uid).parts[0]!.enclave).toEqual(second.statement);
  });
  test('restarts are bounded, and end with the task', () => {
    const { world, uid } = dispatched();
    for (let start = 0; start <= 32; start++) world.block(command(world, uid, start));
    expect(world.faultOf(command(world, uid, 33))).toBe('TooManyEnclaves');
    world.block({ type: 'task.cancel', uid });
    expect(world.faultOf(command(world, uid, 40))).toBe('TooLate');
  });
  test('before the dispatch there is nothing to be ready for', () => {
    const { world, uid } = submitted();
    expect(world.faultOf(command(world, uid))).toBe('TaskNotInState');
  });
  test('B6: after its release a new slice enclave may still come, to reseal', () => {
    const { world, uid } = allReady();
    world.release(uid, [alder]);
    world.block(command(world, uid, 1));
    expect(world.task(uid).parts[0]).toMatchObject({ state: 'released', enclave: { sealKey: command(world, uid, 1).statement.sealKey } });
  });
});

describe('slice.release', () => {
  const changed = (world: World, uid: string, change: Partial<ReleaseReceipt>, by = vaultKey(alder).seed): Command => {
    const receipt = { ...releaseCommand(world, world.task(uid), alder, 5n).receipt, ...change };
    return { type: 'slice.release', receipt, signature: signStatement(by, 'slice.release', world.genesisDigest, receipt) };
  };
  test.each`
    change                                        | code
    ${{ task: 'ab' }}                             | ${'TaskUnknown'}
    ${{ vault: 'alder/other' }}                   | ${'NotAsked'}
    ${{ vault: birch }}                           | ${'SignatureInvalid'}
    ${{ envelope: other }}                        | ${'EnvelopeMismatch'}
    ${{ committedMicroRho: 125_001n }}            | ${'ReservationMismatch'}
    ${{ journal: { sequence: 0n, head: other } }} | ${'JournalBehind'}
  `('a receipt with $change is $code', ({ change, code }: { change: object; code: string }) => {
    const { world, uid } = allReady();
    expect(world.faultOf(changed(world, uid, change))).toBe(code);
  });
  test('altered, or signed by another key: SignatureInvalid', () => {
    const { world, uid } = allReady();
    const { receipt, signature } = releaseCommand(world, world.task(uid), alder, 5n);
    expect(world.faultOf({ type: 'slice.release', receipt: { ...receipt, evidence: other }, signature })).toBe('SignatureInvalid');
    expect(world.faultOf(changed(world, uid, {}, vaultKey(birch).seed))).toBe('SignatureInvalid');
  });
  test('B3: not before an enclave is decided; again is AlreadyDecided; otherwise is Conflicts', () => {
    const { world, uid } = allReady();
    const early = dispatched();
    const command = releaseCommand(world, world.task(uid), alder, 5n);
    const receipt = { ...command.receipt, envelope: early.world.task(early.uid).envelope!, task: early.uid };
    const signature = signStatement(vaultKey(alder).seed, 'slice.release', early.world.genesisDigest, receipt);
    expect(early.world.faultOf({ type: 'slice.release', receipt, signature })).toBe('EnclaveMissing');
    world.block(command);
    expect(world.faultOf(command)).toBe('AlreadyDecided');
    expect(world.faultOf(changed(world, uid, { outputCommitment: other }))).toBe('Conflicts');
  });
});

describe('aggregate.evidence', () => {
  type Aggregate = CommandOf<'aggregate.evidence'>;
  const good = (world: World, uid: string): Aggregate => aggregateCommand(world, world.task(uid), world.aggregator(uid).address);
  const seedOf = (world: World, uid: string) => enclaveKey(uid, world.aggregator(uid).address, 0).seed;
  /** Signed again by the aggregator's enclave. */
  const changed = (world: World, uid: string, change: Partial<AggregateEvidence>): Aggregate => {
    const command = good(world, uid);
    const evidence = { ...command.aggregate.evidence, ...change };
    const signature = signStatement(seedOf(world, uid), 'aggregate.evidence', world.genesisDigest, evidence);
    return { ...command, aggregate: { evidence, signature } };
  };
  const withSlice = (world: World, uid: string, change: Partial<SliceEvidence>): Aggregate => {
    const command = good(world, uid);
    const evidence = { ...command.slices[0]!.evidence, ...change };
    const signature = signStatement(enclaveKey(uid, alder, 0).seed, 'slice.evidence', world.genesisDigest, evidence);
    return { ...command, slices: [{ evidence, signature }, ...command.slices.slice(1)] };
  };

  test.each`
    change                                                     | code
    ${{ envelope: other }}                                     | ${'EvidenceInvalid'}
    ${{ inputs: [{ vault: alder, outputCommitment: other }] }} | ${'EvidenceInvalid'}
    ${{ enterprise: nobody.address }}                          | ${'NotTheAggregator'}
    ${{ signKey: nobody.publicKey }}                           | ${'EnclaveReplaced'}
    ${{ sealKey: nobody.publicKey }}                           | ${'EnclaveReplaced'}
  `('M2: an aggregate with $change is $code', ({ change, code }: { change: object; code: string }) => {
    const { world, uid } = allReleased();
    expect(world.faultOf(changed(world, uid, change))).toBe(code);
  });
  test('inputs in another order, an input left out or taken twice', () => {
    const { world, uid } = allReleased();
    const { inputs } = good(world, uid).aggregate.evidence;
    for (const list of [inputs.toReversed(), inputs.slice(1), [...inputs, inputs[0]!]])
      expect(world.faultOf(changed(world, uid, { inputs: list }))).toBe('EvidenceInvalid');
  });
  test('A3: a signature by another key, a slice missing, twice or out of order, evidence that no receipt names', () => {
    const { world, uid } = allReleased();
    const command = good(world, uid);
    const { evidence } = command.aggregate;
    const forged = signStatement(nobody.seed, 'aggregate.evidence', world.genesisDigest, evidence);
    expect(world.faultOf({ ...command, aggregate: { evidence, signature: forged } })).toBe('EvidenceInvalid');
    const { slices } = command;
    for (const list of [slices.slice(1), slices.toReversed(), [slices[0]!, slices[0]!, slices[2]!], [...slices, slices[0]!]])
      expect(world.faultOf({ ...command, slices: list })).toBe('EvidenceInvalid');
    expect(world.faultOf(withSlice(world, uid, { program: other }))).toBe('EvidenceInvalid');
  });

  /** A Vault whose receipt names evidence that does not hold: the masters look at the evidence themselves. */
  const withReceiptFor = (change: Partial<SliceEvidence>, sign = true): string | undefined => {
    const { world, uid } = allReady();
    world.release(uid, [birch, vaultNames[2]!]);
    const task = world.task(uid);
    const part = task.parts[0]!;
    const { receipt } = releaseCommand(world, task, alder, 5n);
    const honest = sliceEvidence(world, task, alder);
    const evidence = { ...honest.evidence, ...change };
    const signature = sign
      ? signStatement(enclaveKey(uid, alder, 0).seed, 'slice.evidence', world.genesisDigest, evidence)
      : honest.signature;
    const lying = { ...receipt, evidence: sliceEvidenceDigest({ evidence, signature }) };
    expect(part.state).toBe('ready');
    world.block({
      type: 'slice.release',
      receipt: lying,
      signature: signStatement(vaultKey(alder).seed, 'slice.release', world.genesisDigest, lying),
    });
    world.aggregatorReady(uid);
    const command = good(world, uid);
    return world.faultOf({ ...command, slices: [{ evidence, signature }, ...command.slices.slice(1)] });
  };
  test.each`
    change                           | signed   | code
    ${{}}                            | ${true}  | ${undefined}
    ${{ vault: birch }}              | ${true}  | ${'EvidenceInvalid'}
    ${{ envelope: other }}           | ${true}  | ${'EvidenceInvalid'}
    ${{ round: 1 }}                  | ${true}  | ${'EvidenceInvalid'}
    ${{ outputCommitment: other }}   | ${true}  | ${'EvidenceInvalid'}
    ${{ program: other }}            | ${false} | ${'EvidenceInvalid'}
    ${{ sealKey: nobody.publicKey }} | ${true}  | ${'AttestationInvalid'}
  `(
    'A5: slice evidence with $change, signed $signed, is $code',
    ({ change, signed, code }: { change: object; signed: boolean; code: string | undefined }) =>
      expect(withReceiptFor(change, signed)).toBe(code),
  );

  test('not before the survivors are fixed and the enclave is decided; once', () => {
    const early = allReady();
    const { world, uid } = allReleased();
    expect(early.world.faultOf({ ...good(world, uid), task: early.uid })).toBe('TaskNotInState');
    const command = good(world, uid);
    const bare = allReady();
    bare.world.release(bare.uid);
    const enterprise = bare.world.aggregator(bare.uid).address;
    const evidence = { ...command.aggregate.evidence, enterprise };
    expect(bare.world.faultOf({ ...command, task: bare.uid, aggregate: { ...command.aggregate, evidence } })).toBe('EnclaveMissing');
    expect(world.faultOf({ ...command, task: 'ab' })).toBe('TaskUnknown');
    world.block(command);
    expect(world.faultOf(command)).toBe('AlreadyDecided');
    expect(world.faultOf({ ...command, slices: command.slices.slice(1) })).toBe('Conflicts');
  });
});

describe('settlement.batch', () => {
  test('P1: not before its delay, not another number, not twice', () => {
    const { world, uid } = submitted();
    world.runTo(uid, 'awaiting_settlement');
    world.time += 6100;
    world.block({ type: 'tick' });
    expect(world.faultOf({ type: 'settlement.batch', number: 1n })).toBe('NotDue');
    world.time += 6000;
    expect(world.faultOf({ type: 'settlement.batch', number: 2n })).toBe('NotDue');
    world.block({ type: 'settlement.batch', number: 1n });
    expect(world.faultOf({ type: 'settlement.batch', number: 1n })).toBe('AlreadyDecided');
    expect(world.faultOf({ type: 'settlement.batch', number: 2n })).toBe('NotDue');
  });
});

describe('chain.observed', () => {
  const base = (world: World): CommandOf<'chain.observed'> => ({
    type: 'chain.observed',
    ledgerVersion: world.state.must('meta').chain!.ledgerVersion + 1n,
    time: world.time + 1,
    escrows: [],
    settled: [],
  });
  const reading = { account: actorKey('roastery').address, balance: 5n, withdrawing: 0n };
  test.each`
    change                                                                                    | code
    ${{ ledgerVersion: 1n }}                                                                  | ${'ReadingBehind'}
    ${{ time: 5 }}                                                                            | ${'ReadingBehind'}
    ${{ escrows: [{ ...reading, account: nobody.address }] }}                                 | ${'ActorUnknown'}
    ${{ escrows: [reading, reading] }}                                                        | ${'Conflicts'}
    ${{ settled: [{ batch: 1n, tasksRoot: other, transaction: `0x${other}`, version: 5n }] }} | ${'BatchMismatch'}
  `('K2, P4: $change is $code', ({ change, code }: { change: object; code: string }) => {
    const { world } = submitted();
    expect(world.faultOf({ ...base(world), ...change })).toBe(code);
  });
  test('one ledger version has one balance; the same reading again is AlreadyDecided', () => {
    const { world } = submitted();
    const command = { ...base(world), escrows: [reading] };
    world.block(command);
    expect(world.faultOf(command)).toBe('AlreadyDecided');
    expect(world.faultOf({ ...command, time: command.time + 1, escrows: [{ ...reading, balance: 6n }] })).toBe('Conflicts');
    expect(world.faultOf({ ...command, time: command.time + 1, escrows: [{ ...reading, withdrawing: 2n }] })).toBeUndefined();
  });
});
