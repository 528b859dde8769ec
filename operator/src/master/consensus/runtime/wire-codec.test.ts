/** What a peer sends is bytes from outside (rules N1, E2): any bytes give a message in its one spelling, or nothing; never an exception. */
import { counterAttestationFault, encodeCanonical } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attestations, messages, someBytes } from './testing/arbitrary-messages.ts';
import { decodeMessage, encodeMessage } from './wire-codec.ts';

const SEED = 4;
const RUNS = { numRuns: 400, seed: SEED };

test('E2: what is sent is read back as it was', () =>
  fc.assert(
    fc.property(messages, (message) => {
      const packet = encodeMessage(message);
      const read = decodeMessage(packet);
      expect(read).toEqual(message);
      expect(read && encodeMessage(read)).toEqual(packet);
    }),
    RUNS,
  ));

test('N1: any bytes are a message or nothing', () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), (header, payload) => {
      expect(decodeMessage({ header, payload })).toBeUndefined();
    }),
    RUNS,
  ));

test('N1: any canonical value is a message or nothing', () =>
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 2 }), someBytes, (value, payload) => {
      try {
        decodeMessage({ header: encodeCanonical(value), payload });
      } catch (error) {
        // floats have no canonical form: that is the sender's side
        expect(error).toBeInstanceOf(RangeError);
        expect(String(error)).toMatch(/integer/);
      }
    }),
    RUNS,
  ));

test('N1, E2: a message with bytes changed, cut or added is refused, or is another message in its own one spelling', () =>
  fc.assert(
    fc.property(messages, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 2 }), (message, at, byte, how) => {
      const { header, payload } = encodeMessage(message);
      const place = at % header.length;
      const changed =
        how === 0 ? header.map((b, i) => (i === place ? byte : b)) : how === 1 ? header.slice(0, place) : new Uint8Array([...header, byte]);
      const read = decodeMessage({ header: changed, payload });
      if (read) expect(encodeMessage(read)).toEqual({ header: changed, payload });
    }),
    RUNS,
  ));

test('N1: what is too large is not parsed', () => {
  const { header } = encodeMessage({ kind: 'command', bytes: new Uint8Array([1]) });
  expect(decodeMessage({ header: new Uint8Array(300 * 1024).fill(32), payload: new Uint8Array() })).toBeUndefined();
  expect(decodeMessage({ header, payload: new Uint8Array(64 * 1024 * 1024) })).toBeUndefined();
});

test.each(['simulated', 'hardware'] as const)(
  'A1, N9: whatever a peer states as attestation is refused without an exception: %s',
  (kind) => {
    const genesis = aGenesis();
    const group = kind === 'simulated' ? genesis : { ...genesis, enclave: { kind, roots: [] } };
    const identity = { genesis: 'ab'.repeat(32), master: 1, key: 'cd'.repeat(32), height: 0n, block: 'ab'.repeat(32) };
    fc.assert(
      fc.property(attestations, (attestation) => {
        expect(counterAttestationFault(attestation, identity, group, genesis.policy)).toBeDefined();
      }),
      RUNS,
    );
  },
);
