/** counter.admit (rules N2, N8): what an admission must prove. */
import { describe, expect, test } from 'vitest';
import { counterReportData } from '../attestation.ts';
import type { CounterStatement } from '../commands.ts';
import { signStatement } from '../evidence.ts';
import { attestData } from '../simulated-enclave.ts';
import { chipOf, MEASUREMENT } from '../testing/genesis.ts';
import { digestOf, masterKey } from '../testing/keys.ts';
import { World } from '../testing/world.ts';
import { COUNTER_WINDOW, counterIdentityOf } from './admit-counter.ts';

const key = digestOf('counter');
const claim = (world: World, change: Partial<CounterStatement> = {}, bound: Partial<CounterStatement> = {}, signer = 1) => {
  const { height, block } = world.state.must('meta');
  const plain = { master: 1, key, sequence: 1, height, block, ...change };
  const data = counterReportData(counterIdentityOf({ ...plain, ...bound } as CounterStatement, world.genesisDigest));
  const statement = { ...plain, attestation: attestData(chipOf('alder'), data, MEASUREMENT), ...change };
  return {
    type: 'counter.admit' as const,
    statement,
    signature: signStatement(masterKey(signer).seed, 'counter.admit', world.genesisDigest, statement),
  };
};

describe('N8: a counter is admitted', () => {
  test('with its attestation and its master’s signature, once', () => {
    const world = World.ready();
    world.block(claim(world));
    expect(world.state.get('counter', '1')).toEqual({ key, sequence: 1, height: world.height });
    expect(world.faultOf(claim(world))).toBe('AlreadyDecided');
  });
  test('another only after the first has begun, with the next sequence', () => {
    const world = World.ready();
    world.block(claim(world));
    const next = { key: digestOf('next'), sequence: 2 };
    expect(world.faultOf(claim(world, next))).toBe('NotDue');
    for (let i = 0; i < COUNTER_WINDOW; i += 1) world.block();
    expect(world.faultOf(claim(world, { ...next, sequence: 3 }))).toBe('Conflicts');
    expect(world.faultOf(claim(world, next))).toBeUndefined();
  });
  test('not when signature, key, master, group head or measurement are others', () => {
    const world = World.ready();
    expect(world.faultOf(claim(world, {}, {}, 2))).toBe('SignatureInvalid');
    expect(world.faultOf(claim(world, {}, { key: digestOf('other') }))).toBe('AttestationInvalid');
    expect(world.faultOf(claim(world, {}, { master: 0 }))).toBe('AttestationInvalid');
    expect(world.faultOf(claim(world, {}, { block: digestOf('other') }))).toBe('AttestationInvalid');
    expect(world.faultOf(claim(world, { height: world.height + 1n }))).toBe('Conflicts');
    const attestation = attestData(
      chipOf('alder'),
      counterReportData(counterIdentityOf(claim(world).statement, world.genesisDigest)),
      '00'.repeat(48),
    );
    expect(world.faultOf(claim(world, { attestation }))).toBe('AttestationInvalid');
  });
});
