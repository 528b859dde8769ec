/** N9: what of a recovery a person may be misled about, by files and by what the chain says. */
import { genesisDigest, sign, type RecoveryLink } from '@scs/protocol';
import { recoveryMessage } from '@scs/protocol/recovery.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { testKey } from '@scs/protocol/testing/keys.ts';
import { expect, test } from 'vitest';
import { completed } from './recovery.ts';

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
