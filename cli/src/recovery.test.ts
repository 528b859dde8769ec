/** N9: what of a recovery a person may be misled about, by files and by what the chain says. */
import { genesisDigest, sign, type RecoveryLink } from '@scs/protocol';
import { recoveryMessage } from '@scs/protocol/recovery.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { testKey } from '@scs/protocol/testing/keys.ts';
import { expect, test } from 'vitest';
import { cancelCall, claimLines, completed, sameStatus } from './recovery.ts';

const recovery = [0, 1, 2].map((i) => testKey(`recovery of the test ${i}`));
const genesis = { ...aGenesis(), recoveryKeys: recovery.map((k) => k.publicKey) };
const keys = genesis.masters.map(({ publicKey }) => publicKey);
const linkOf = (round: bigint, height: bigint): RecoveryLink => {
  const claim = { genesis: genesisDigest(genesis), round, generation: 1n, height, stateRoot: 'ab'.repeat(32), keys };
  return { claim, signatures: [0, 1].map((key) => ({ key, signature: sign(recovery[key]!.seed, recoveryMessage(claim)) })), seats: [] };
};

test('N9: a claim that another one took the place of, or that was ended, is not the one that the chain completed', () => {
  const status = { round: 2n, generation: 1n, keys, highest: 60n };
  expect(completed(genesis, [], linkOf(2n, 60n), status)).toHaveLength(1);
  expect(() => completed(genesis, [], linkOf(1n, 40n), status)).toThrow(expect.objectContaining({ code: 'RecoveryInvalid' }));
});

test('N9: who signs reads which masters are new, and whether it is their group', () => {
  const link = linkOf(1n, 40n);
  expect(claimLines(genesis, { ...link, signatures: [] })).toEqual([
    `genesis      ${genesisDigest(genesis)}, the one given`,
    'claim        number 1, to generation 1',
    'goes on      above height 40, state abababababababab...; what was decided above is lost',
    ...keys.map((key, i) => `master ${i}     ${key}, as before`),
    'signed by    nobody yet',
  ]);
  const other = claimLines({ ...genesis, name: 'other' }, { ...link, claim: { ...link.claim, keys: keys.with(2, 'cd'.repeat(32)) } });
  expect(other.join('\n')).toMatch(/NOT the one given[^]*cd, NEW; without a seat of its own[^]*recovery keys 0 and 1/);
});

test('N9: two nodes must tell the same of a recovery', () => {
  const status = { round: 2n, generation: 1n, keys, highest: 60n };
  expect(sameStatus(status, { ...status, highest: 0n })).toBe(status);
  for (const change of [{ round: 1n }, { generation: 0n }, { keys: keys.toReversed() }])
    expect(() => sameStatus(status, { ...status, ...change })).toThrow(expect.objectContaining({ code: 'NodesDisagree' }));
});

test('N9: only a higher block of the present generation ends a recovery', () => {
  const head = { genesis: genesisDigest(genesis), generation: 0n, height: 50n, stateRoot: 'ab'.repeat(32), block: 'cd'.repeat(32) };
  const certificate = { head, votes: [] };
  const status = { round: 1n, generation: 0n, keys, highest: 40n, pending: { generation: 1n, height: 40n, ripensAt: 9n } };
  expect(cancelCall(certificate, status).name).toBe('recovery::cancel');
  const { pending: _, ...idle } = status;
  expect(() => cancelCall(certificate, idle)).toThrow('nothing to end');
  expect(() => cancelCall(certificate, { ...status, pending: { ...status.pending, height: 50n } })).toThrow('does not speak against it');
  expect(() => cancelCall(certificate, { ...status, generation: 1n })).toThrow('proves nothing there');
});
