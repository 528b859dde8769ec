/** Golden vectors (rule E3): the bytes in `test/vectors` are read here and, as `scs::vectors`, by the Move tests. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { equivocationFault, type Equivocation } from './accountability.ts';
import { certificateFault, decideMessage, encodeHead, leafFault } from './certificate.ts';
import type { Certificate, CertifiedLeaf, Committee, Head } from './certificate.ts';
import { dividendLeaf, encodeDividendRoot, type DividendRoot } from './dividends.ts';
import { fromHex, hex } from './encoding/bytes.ts';
import { encodeGovernanceLeaf, type GovernanceLeaf } from './governance-leaf.ts';
import { mintedBy } from './inflation.ts';
import { verifySignature } from './keys.ts';
import { MerkleMap, provesEntry } from './merkle.ts';
import { encodeRecoveryClaim, recoveryMessage, type RecoveryClaim } from './recovery.ts';
import {
  decodeBatch,
  encodeBatch,
  encodeCommittee,
  encodeSettlementLeaf,
  listPath,
  listRoot,
  rootFromPath,
  SettlementLeafBcs,
} from './settlement-layout.ts';
import type { Batch, SettlementLeaf } from './settlement-layout.ts';
import { batchFault } from './settlement.ts';
import { encodeSlash, offences, penaltyOf, stakeMessage, type Offence, type Slash } from './staking.ts';

/** JSON has no bigint: which fields are counters or amounts is known by name. */
const integers = new Set([
  'generation',
  'height',
  'number',
  'epoch',
  'taskCount',
  'amount',
  'dividends',
  'treasury',
  'quote',
  'charge',
  'refund',
  'share',
  'held',
  'total',
  'count',
  'least',
  'since',
  'expiresAt',
  'supply',
  'elapsed',
  'minted',
  'round',
  'policyVersion',
  'protocolVersion',
]);
const revive = (key: string, value: unknown): unknown => (integers.has(key) && typeof value === 'string' ? BigInt(value) : value);
const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/vectors/${name}.json`, import.meta.url), 'utf8'), revive);

const committees = read('committee') as { committee: Committee; bytes: string }[];
const certificates = read('certificate') as {
  genesis: string;
  sound: Record<string, CertifiedLeaf>;
  forged: Record<string, { code: string; leaf: CertifiedLeaf }>;
};
const committeeOf = (certificate: Certificate): Committee => committees[Number(certificate.head.generation)]!.committee;

describe('E3: golden vectors', () => {
  test('head and what a decide vote signs', () => {
    const vector = read('head') as { head: Head; bytes: string; decideMessage: string };
    expect(hex(encodeHead(vector.head))).toBe(vector.bytes);
    expect(hex(decideMessage(vector.head))).toBe(vector.decideMessage);
  });

  test('committees', () => {
    for (const { committee, bytes } of committees) expect(hex(encodeCommittee(committee))).toBe(bytes);
  });

  test.each(Object.entries(certificates.sound))('certificate %s holds', (_name, leaf) =>
    expect(leafFault(leaf, certificates.genesis, committeeOf(leaf.certificate))).toBeUndefined(),
  );

  test.each(Object.entries(certificates.forged))('certificate %s is refused', (_name, { code, leaf }) =>
    expect(leafFault(leaf, certificates.genesis, committees[0]!.committee)?.code).toBe(code),
  );

  test('a sound certificate of the second committee means nothing to the first', () => {
    const { certificate } = certificates.sound['next_batch_1']!;
    expect(certificateFault(certificate, certificates.genesis, committees[0]!.committee)?.code).toBe('WrongGeneration');
  });

  test.each(Object.entries(read('equivocation') as Record<string, { code?: string; proof: Equivocation }>))(
    'G4: %s',
    (_name, { code, proof }) => {
      const committee = committees[Number(proof.votes[0].head.generation)]!.committee;
      expect(equivocationFault(proof, certificates.genesis, committee)?.code).toBe(code);
    },
  );

  test('G3: penalties, their leaves, and who may bond for a master', () => {
    const vector = read('staking') as {
      genesis: string;
      slashes: { slash: Slash; bytes: string }[];
      penalties: { held: bigint; grade: number; earlier: number; amount: bigint }[];
      signatures: { key: string; owner: string; signature: string }[];
    };
    for (const { slash, bytes } of vector.slashes) expect(hex(encodeSlash(slash))).toBe(bytes);
    const names = Object.keys(offences) as Offence[];
    for (const { held, grade, earlier, amount } of vector.penalties) expect(penaltyOf(held, names[grade]!, earlier).amount).toBe(amount);
    for (const { key, owner, signature } of vector.signatures)
      expect(verifySignature(key, stakeMessage(vector.genesis, owner), signature)).toBe(true);
  });

  test('K7: the schedule of minting', () => {
    for (const { supply, elapsed, minted } of read('mintings') as { supply: bigint; elapsed: bigint; minted: bigint }[])
      expect(mintedBy(supply, elapsed)).toBe(minted);
  });

  test('K6: roots of dividends and the claims under them', () => {
    const vector = read('dividends') as {
      root: DividendRoot;
      bytes: string;
      claims: { index: number; amount: bigint; path: string[] }[];
    }[];
    const accounts = (read('staking') as { accounts: string[] }).accounts;
    for (const { root, bytes, claims } of vector) {
      expect(hex(encodeDividendRoot(root))).toBe(bytes);
      for (const { index, amount, path } of claims) {
        const leaf = dividendLeaf({ account: accounts[index + 1]!, amount });
        expect(hex(rootFromPath(index, Number(root.count), leaf, path.map(fromHex))!)).toBe(root.root);
      }
    }
  });

  test('N9: recovery claims; two of three recovery keys sign them', () => {
    interface Signed {
      claim: RecoveryClaim;
      bytes: string;
      signers: number[];
      signatures: string[];
    }
    const { recoveryKeys, claims } = read('recovery') as { recoveryKeys: string[]; claims: Record<string, Signed> };
    for (const { claim, bytes } of Object.values(claims)) expect(hex(encodeRecoveryClaim(claim))).toBe(bytes);
    const { claim, signers, signatures } = claims['claim_1']!;
    expect(signers.map((key, i) => verifySignature(recoveryKeys[key]!, recoveryMessage(claim), signatures[i]!))).toEqual([true, true]);
  });

  test('G1, X4: records of epochs', () => {
    for (const { leaf, bytes } of read('governance') as { leaf: GovernanceLeaf; bytes: string }[])
      expect(hex(encodeGovernanceLeaf(leaf))).toBe(bytes);
  });

  test('batches', () => {
    const vector = read('batch') as {
      sound: { batch: Batch; bytes: string }[];
      unsound: { name: string; code: string; batch: Batch; bytes: string }[];
    };
    for (const { batch, bytes } of vector.sound) {
      expect(hex(encodeBatch(batch))).toBe(bytes);
      expect(decodeBatch(fromHex(bytes))).toEqual(batch);
      expect(batchFault(batch)).toBeUndefined();
    }
    for (const { code, batch, bytes } of vector.unsound) {
      expect(batchFault(batch)?.code).toBe(code);
      expect(hex(encodeBatch(batch))).toBe(bytes);
    }
  });

  test('settlement leaves', () => {
    for (const { leaf, bytes } of read('settlement-leaf') as { leaf: SettlementLeaf; bytes: string }[]) {
      expect(hex(encodeSettlementLeaf(leaf))).toBe(bytes);
      expect(SettlementLeafBcs.parse(fromHex(bytes))).toEqual(leaf);
    }
  });

  test('list paths', () => {
    for (const { items, root, paths } of read('list-path') as { items: string[]; root: string; paths: string[][] }[]) {
      const leaves = items.map(fromHex);
      expect(hex(listRoot(leaves))).toBe(root);
      leaves.forEach((leaf, i) => {
        expect(listPath(i, leaves).map(hex)).toEqual(paths[i]);
        expect(hex(rootFromPath(i, leaves.length, leaf, paths[i]!.map(fromHex))!)).toBe(root);
      });
    }
  });

  test('state paths', () => {
    const vector = read('merkle-path') as { entries: { key: string; value: string; siblings: string[] }[]; root: string };
    const map = vector.entries.reduce((m, { key, value }) => m.set(key, fromHex(value)), MerkleMap.empty);
    expect(hex(map.root())).toBe(vector.root);
    for (const { key, value, siblings } of vector.entries)
      expect(provesEntry(fromHex(vector.root), key, fromHex(value), { siblings: siblings.map(fromHex) })).toBe(true);
  });
});
