import { describe, expect, test } from 'vitest';
import { encodeGovernanceLeaf } from '../governance-leaf.ts';
import { hex } from '../encoding/bytes.ts';
import { World } from '../testing/world.ts';
import { epochDigest, policyDigest } from './governance-record.ts';

describe('G1, G2, X4: what the chain keeps of an epoch', () => {
  test('each closed epoch is a leaf: its digest, and what is in force from its end on', () => {
    const world = World.ready();
    const { lengthMs } = world.genesis.policy.epoch;
    for (const number of [1n, 2n]) {
      world.advance(lengthMs);
      const epoch = world.state.must('epoch', String(number - 1n));
      const { policyVersion, protocolVersion } = world.state.must('meta');
      const leaf = {
        number,
        digest: epochDigest(epoch),
        policyVersion: BigInt(policyVersion),
        policy: policyDigest(world.genesis.policy),
        protocolVersion: BigInt(protocolVersion),
      };
      expect(epoch.end).not.toBeNull();
      expect(hex(world.state.map.get(`governance/${number}`)!)).toBe(hex(encodeGovernanceLeaf(leaf)));
    }
    expect(world.state.must('settlement', 'governance-1')).toMatchObject({ leaf: 'governance', epoch: 0, state: 'finalizing' });
    world.observe();
    expect(world.state.must('settlement', 'governance-2')).toMatchObject({ state: 'finalized' });
  });

  test('another epoch, another policy: another digest', () => {
    const { policy } = World.ready().genesis;
    expect(policyDigest({ ...policy, version: policy.version + 1 })).not.toBe(policyDigest(policy));
    const closed = { number: 0, start: 0, end: 1, policyVersion: 1, tasks: 0 };
    expect(epochDigest({ ...closed, tasks: 1 })).not.toBe(epochDigest(closed));
  });
});
