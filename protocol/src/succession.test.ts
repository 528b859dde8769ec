/** N9, P5, G7: who the masters are after recoveries, by a file that anyone can check against the genesis. */
import { describe, expect, test } from 'vitest';
import { certificateFault, decideMessage, generationAfter, type Certificate } from './certificate.ts';
import { encodeGenesis, genesisDigest } from './genesis.ts';
import { sign } from './keys.ts';
import { recoveryMessage } from './recovery.ts';
import {
  committeeOf,
  decodeGenesisFile,
  decodeSuccession,
  encodeGenesisFile,
  encodeSuccession,
  genesisAt,
  readGenesisFile,
  succeeded,
  type RecoveryLink,
} from './succession.ts';
import { signSeat, type SeatTerms } from './seat.ts';
import { aGenesis } from './testing/genesis.ts';
import { masterKey, testKey } from './testing/keys.ts';

const recovery = [0, 1, 2].map((i) => testKey(`recovery of the test ${i}`));
const genesis = { ...aGenesis(), recoveryKeys: recovery.map((k) => k.publicKey) };
const group = genesisDigest(genesis);
const own = genesis.masters.map((m) => m.publicKey);
const root = 'ab'.repeat(32);

const claimOf = (change: Partial<RecoveryLink['claim']> = {}): RecoveryLink['claim'] => ({
  genesis: group,
  round: 1n,
  generation: 1n,
  height: 40n,
  stateRoot: root,
  keys: own,
  ...change,
});
const linkOf = (claim: RecoveryLink['claim'], signers = [0, 2], seats: RecoveryLink['seats'] = []): RecoveryLink => ({
  claim,
  signatures: signers.map((key) => ({ key, signature: sign(recovery[key]!.seed, recoveryMessage(claim)) })),
  seats,
});
const seatOf = (master: number, key = masterKey(7), change: Partial<SeatTerms> = {}) =>
  signSeat(key.seed, group, {
    generation: 1n,
    master,
    publicKey: key.publicKey,
    tlsAuthority: 'the new authority',
    rewardAddress: `0x${'7'.repeat(64)}`,
    ...change,
  });
const certificateOf = (generation: bigint, height: bigint, seeds: readonly string[], stateRoot = root): Certificate => {
  const head = { genesis: group, generation, height, stateRoot, block: 'cd'.repeat(32) };
  return { head, votes: seeds.map((seed, master) => ({ master, signature: sign(seed, decideMessage(head)) })) };
};
const seeds = [0, 1].map((i) => masterKey(i).seed);

describe('N9: a succession', () => {
  test('with the same masters begins another generation, in which the one before certifies nothing above its end', () => {
    const now = succeeded(genesis, [linkOf(claimOf())]);
    const committee = committeeOf(now);
    const fault = (generation: bigint, height: bigint) =>
      certificateFault(certificateOf(generation, height, seeds), group, committee)?.code;
    expect([fault(0n, 40n), fault(1n, 41n)]).toEqual([undefined, undefined]);
    expect([fault(0n, 41n), fault(1n, 40n), fault(2n, 41n)]).toEqual(['WrongGeneration', 'WrongGeneration', 'WrongGeneration']);
    expect(generationAfter(committee, { height: 40n, stateRoot: root })).toBe(1n);
    expect(generationAfter(committee, { height: 40n, stateRoot: 'ee'.repeat(32) })).toBeUndefined();
    expect(generationAfter(committee, { height: 12n, stateRoot: root })).toBe(0n);
  });
  test('replaces a master: the group keeps its digest, blocks of before their masters', () => {
    const keys = [own[0]!, masterKey(7).publicKey, own[2]!];
    const now = succeeded(genesis, [linkOf(claimOf({ keys }), [1, 2], [seatOf(1)])]);
    expect(genesisDigest(now)).toBe(group);
    expect(now.masters.map((m) => m.publicKey)).toEqual(keys);
    expect(now.masters[1]).toMatchObject({ tlsAuthority: 'the new authority' });
    expect(encodeGenesis(genesisAt(now, 0n))).toEqual(encodeGenesis(genesis));
    const committee = committeeOf(now);
    expect(certificateFault(certificateOf(1n, 50n, seeds), group, committee)).toEqual({ code: 'BadSignature', master: 1 });
    const both = [masterKey(0).seed, masterKey(7).seed];
    expect(certificateFault(certificateOf(1n, 50n, both), group, committee)).toBeUndefined();
    expect(certificateFault(certificateOf(0n, 30n, both), group, committee)).toEqual({ code: 'BadSignature', master: 1 });
  });
  test('goes on and on: each link appoints the next', () => {
    const first = linkOf(claimOf());
    const second = linkOf(claimOf({ round: 2n, generation: 2n, height: 90n }));
    const committee = committeeOf(succeeded(genesis, [first, second]));
    const heights = [40n, 41n, 90n, 91n].map((height) => generationAfter(committee, { height: height - 1n, stateRoot: root }));
    expect(heights).toEqual([0n, 1n, 1n, 2n]);
    expect(certificateFault(certificateOf(1n, 90n, seeds), group, committee)).toBeUndefined();
  });

  const other = [own[0]!, masterKey(7).publicKey, own[2]!];
  test.each([
    ['one recovery key', linkOf(claimOf(), [1]), 'two of the three recovery keys'],
    ['one recovery key twice', linkOf(claimOf(), [1, 1]), 'two of the three recovery keys'],
    ['an altered claim', { ...linkOf(claimOf()), claim: claimOf({ height: 41n }) }, 'two of the three recovery keys'],
    ['another genesis', linkOf(claimOf({ genesis: root })), 'another genesis'],
    ['a generation that does not follow', linkOf(claimOf({ generation: 2n })), 'appoints generation 2 after 0'],
    ['one key in two seats', linkOf(claimOf({ keys: [own[0]!, own[0]!, own[2]!] })), 'two masters have one key'],
    ['a new key without a seat', linkOf(claimOf({ keys: other })), 'master 1 has a new key and no seat'],
    ['a seat of another generation', linkOf(claimOf({ keys: other }), [0, 1], [seatOf(1, masterKey(7), { generation: 2n })]), 'no seat'],
    [
      'a seat that somebody else signed',
      linkOf(claimOf({ keys: other }), [0, 1], [{ ...seatOf(1), signature: seatOf(0).signature }]),
      'not signed',
    ],
  ] as const)('%s is refused', (_name, link, why) => {
    expect(() => succeeded(genesis, [link])).toThrow(why);
  });
  test('a link may not begin below the one before', () => {
    const links = [linkOf(claimOf()), linkOf(claimOf({ round: 2n, generation: 2n, height: 39n }))];
    expect(() => succeeded(genesis, links)).toThrow('below the one before');
  });
  test('is a line after the genesis in the file that programs are given', () => {
    const keys = [own[0]!, masterKey(7).publicKey, own[2]!];
    const links = [linkOf(claimOf({ keys }), [0, 1], [seatOf(1)])];
    const now = decodeGenesisFile(encodeGenesisFile(genesis, links));
    expect([genesisDigest(now), committeeOf(now).generation]).toEqual([group, 1n]);
    expect(readGenesisFile(encodeGenesisFile(genesis, links))).toEqual({ first: genesis, links });
    expect(encodeGenesisFile(genesis, [])).toEqual(encodeGenesis(genesis));
    expect(() => decodeGenesisFile(Uint8Array.of(...encodeGenesis(genesis), 10))).toThrow('JSON');
    expect(() => decodeGenesisFile(encodeGenesisFile(genesis, [linkOf(claimOf(), [1, 1])]))).toThrow('two of the three');
  });
  test('has one spelling', () => {
    const links = [linkOf(claimOf({ keys: other }), [0, 1], [seatOf(1)])];
    expect(decodeSuccession(encodeSuccession(links))).toEqual(links);
    expect(() => decodeSuccession(new TextEncoder().encode('[{}]'))).toThrow('expected');
    expect(committeeOf(succeeded(genesis, []))).toEqual({ generation: 0n, keys: own });
  });
});
