import { expect, test } from 'vitest';
import { decideMessage, encodeCanonical, sign, type Head } from '@scs/protocol';
import { digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { equivocationIn } from './equivocations.ts';

const genesis = digestOf('genesis');
const committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };
const headOf = (block: string, height = 7n): Head => ({
  genesis,
  generation: 0n,
  height,
  stateRoot: digestOf('state'),
  block: digestOf(block),
});
const voteOf = (master: number, head: Head, signer = master) => ({ master, signature: sign(masterKey(signer).seed, decideMessage(head)) });
const held = (master: number, head: Head, signer = master) => ({ head, vote: voteOf(master, head, signer) });
const certificate = (head: Head, masters: readonly number[]) => ({ head, votes: masters.map((m) => voteOf(m, head)) });
const proofOf = (first: object, second: object) => ({ master: 1, proof: encodeCanonical({ first, second }) });

test.each([
  ['two votes', proofOf(held(1, headOf('a')), held(1, headOf('b'))), true],
  ['two certificates with a master in common', proofOf(certificate(headOf('a'), [0, 1]), certificate(headOf('b'), [1, 2])), true],
  ['two certificates without', proofOf(certificate(headOf('a'), [0, 2]), certificate(headOf('b'), [1, 2])), false],
  ['the same block twice', proofOf(held(1, headOf('a')), held(1, headOf('a'))), false],
  ['other heights', proofOf(held(1, headOf('a')), held(1, headOf('b', 8n))), false],
  ["another master's signature", proofOf(held(1, headOf('a')), held(1, headOf('b'), 2)), false],
  ['no proof', { master: 1, proof: Uint8Array.of(1, 2, 3) }, false],
  ['another kind of proof', proofOf({ view: 1n }, { view: 2n }), false],
] as const)('G4: %s', (_, stored, proves) => {
  const found = equivocationIn(stored, genesis, committee);
  expect(found !== undefined).toBe(proves);
  if (found) expect(found.votes.map(({ head }) => head.block)).toEqual([digestOf('a'), digestOf('b')]);
});
