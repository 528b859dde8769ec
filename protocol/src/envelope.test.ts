import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, hex } from './encoding/bytes.ts';
import { decodeEnvelope, encodeEnvelope, envelopeDigest, type TaskEnvelope } from './envelope.ts';

const integers = new Set(['protocolVersion', 'policyVersion', 'epoch', 'quote', 'deadline', 'quorum', 'reservedMicroRho']);
const { envelope, bytes, digest } = JSON.parse(
  readFileSync(new URL('../../test/vectors/envelope.json', import.meta.url), 'utf8'),
  (key, value: unknown) => (integers.has(key) && typeof value === 'string' ? BigInt(value) : value),
) as { envelope: TaskEnvelope; bytes: string; digest: string };

describe('E2, E3: the golden envelope', () => {
  test('has these bytes and this digest', () => {
    expect(hex(encodeEnvelope(envelope))).toBe(bytes);
    expect(envelopeDigest(envelope)).toBe(digest);
  });
  test('comes back from its bytes', () => expect(decodeEnvelope(fromHex(bytes))).toEqual(envelope));

  test('E1: every field is in the digest', () => {
    const altered: Partial<TaskEnvelope>[] = [
      { protocolVersion: 2n },
      { genesis: digest },
      { uid: 'a' },
      { namespace: 'a' },
      { name: 'a' },
      { class: 'train' },
      { usage: 'analytics' },
      { submitter: `0x${digest}` },
      { terms: digest },
      { nonce: digest },
      { policyVersion: 9n },
      { semanticVersion: digest },
      { epoch: 9n },
      { plan: '00' },
      { resultKey: digest },
      { quote: 1n },
      { deadline: 1n },
      { quorum: 1n },
      { vaults: envelope.vaults.slice(1) },
      { vaults: envelope.vaults.toReversed() },
      { aggregators: envelope.aggregators.toReversed() },
    ];
    const digests = altered.map((change) => envelopeDigest({ ...envelope, ...change }));
    expect(new Set([digest, ...digests]).size).toBe(altered.length + 1);
    expect(new Set(altered.flatMap((change) => Object.keys(change)))).toEqual(new Set(Object.keys(envelope)));
  });
});
