/**
 * The scenario behind the golden vectors (rule E3): fixed keys, tasks, batches and states, sound ones and one of each kind
 * that the contract must refuse. Pure; nothing in it is secret.
 */
import { concat, hex, utf8 } from '@scs/protocol/encoding/bytes.ts';
import { sha3 } from '@scs/protocol/encoding/hash.ts';
import type { Certificate, CertifiedLeaf, Committee, Head, Vote } from '@scs/protocol/certificate.ts';
import { decideMessage, encodeHead } from '@scs/protocol/certificate.ts';
import type { Equivocation } from '@scs/protocol/accountability.ts';
import { addressOf, publicKeyOf, sign } from '@scs/protocol/keys.ts';
import { MerkleMap } from '@scs/protocol/merkle.ts';
import { buildBatch, splitFee } from '@scs/protocol/settlement.ts';
import { dividendKey, dividendTree, encodeDividendRoot } from '@scs/protocol/dividends.ts';
import { encodeNodeRewards, mintedBy, nodeRewardsKey, YEAR_SECONDS } from '@scs/protocol/inflation.ts';
import { encodeSlash, offences, penaltyOf, slashKey, stakeMessage, type Offence, type Slash } from '@scs/protocol/staking.ts';
import type { SettledTask } from '@scs/protocol/settlement.ts';
import { batchKey, committeeKey, encodeBatch, encodeCommittee, encodeSettlementLeaf } from '@scs/protocol/settlement-layout.ts';
import type { Batch, SettlementLeaf } from '@scs/protocol/settlement-layout.ts';

export const digestOf = (text: string): string => hex(sha3(utf8(text)));
export const seed = (n: number): string => digestOf(`SCS vector seed ${n}`);

export const genesis = digestOf('SCS vector genesis');
const seeds = [
  [seed(0), seed(1), seed(2)],
  [seed(3), seed(4), seed(2)],
] as const;
const committee = (generation: 0 | 1): Committee => ({ generation: BigInt(generation), keys: seeds[generation].map(publicKeyOf) });
export const committees = [committee(0), committee(1)] as const;

/** Submitters and workers; the same addresses in Move's tests. */
export const accounts = Array.from({ length: 6 }, (_, i) => addressOf(publicKeyOf(seed(100 + i)))).toSorted();
const [alice, bob, ...workers] = accounts as [string, string, ...string[]];

const shares = { operators: 4000, executors: 2500, verifiers: 1000, dividends: 1500, treasury: 1000 };
const task = (name: string, submitter: string, quote: bigint, charge: bigint): SettledTask => ({
  leaf: {
    envelope: digestOf(`envelope ${name}`),
    submitter,
    quote,
    charge,
    refund: quote - charge,
    evidence: digestOf(`evidence ${name}`),
  },
  split: splitFee(charge, shares, { operators: workers.slice(0, 3), executors: workers.slice(1, 3), verifiers: workers.slice(3) }),
});
export const tasks = [
  [task('a', alice, 1_000_000n, 900_001n), task('b', bob, 500_000n, 500_000n), task('c', alice, 70n, 0n)],
  [task('d', bob, 2_000_003n, 2_000_003n)],
  Array.from({ length: 5 }, (_, i) => task(`e${i}`, i % 2 === 0 ? alice : bob, 12_345n + BigInt(i), 12_345n)),
] as const;
export const batches: readonly Batch[] = tasks.map((list, i) =>
  buildBatch({ number: BigInt(i + 1), epoch: BigInt(1 + (i >> 1)), tasks: list }),
);
const [first] = batches as [Batch];

/** Leaves of lists with 1..8 items: each index is proved in both languages. */
export const lists: readonly (readonly SettlementLeaf[])[] = [1, 2, 3, 5, 8].map((count) =>
  Array.from({ length: count }, (_, i) => task(`list ${count} ${i}`, alice, BigInt(count * 100), BigInt(i)).leaf),
);
export const leafBytes = (list: readonly SettlementLeaf[]): Uint8Array[] => list.map(encodeSettlementLeaf);

export const stateOf = (entries: readonly (readonly [string, Uint8Array])[]): MerkleMap =>
  entries.reduce((map, [key, value]) => map.set(key, value), MerkleMap.empty);
const filler = Array.from({ length: 40 }, (_, i) => [`task/${i}`, utf8(`value ${i}`)] as const);
export const stateEntries: readonly (readonly [string, Uint8Array])[] = [
  ...filler,
  ...batches.map((b) => [batchKey(b.number), encodeBatch(b)] as const),
  [committeeKey(1n), encodeCommittee(committees[1])],
  [committeeKey(2n), encodeCommittee({ ...committees[1], generation: 2n })],
];
export const state = stateOf(stateEntries);

export const headOf = (map: MerkleMap, generation: 0 | 1, height: bigint, ofGenesis = genesis): Head => ({
  genesis: ofGenesis,
  generation: BigInt(generation),
  height,
  stateRoot: hex(map.root()),
  block: digestOf(`block ${height}`),
});
const vote = (head: Head, generation: 0 | 1, master: number): Vote => ({
  master,
  signature: sign(seeds[generation][master] ?? seed(9), decideMessage(head)),
});
export const certify = (head: Head, generation: 0 | 1, masters: readonly number[]): Certificate => ({
  head,
  votes: masters.map((master) => vote(head, generation, master)),
});
export const prove = (map: MerkleMap, key: string, certificate: Certificate, value = map.get(key)): CertifiedLeaf => ({
  key,
  value: hex(value ?? new Uint8Array()),
  siblings: (map.prove(key)?.siblings ?? []).map(hex),
  certificate,
});

const head0 = headOf(state, 0, 7n);
const good = certify(head0, 0, [0, 2]);
const flip = (text: string): string => `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`;
const ofBatch = (certificate: Certificate): CertifiedLeaf => prove(state, batchKey(1n), certificate);

/** Leaves that hold. `next` are certified by the second committee. */
export const sound = {
  batch_1: prove(state, batchKey(1n), good),
  batch_2: prove(state, batchKey(2n), certify(head0, 0, [0, 1, 2])),
  batch_3: prove(state, batchKey(3n), certify(head0, 0, [1, 2])),
  committee_1: prove(state, committeeKey(1n), good),
  next_batch_1: prove(state, batchKey(1n), certify(headOf(state, 1, 8n), 1, [0, 1])),
  next_committee_2: prove(state, committeeKey(2n), certify(headOf(state, 1, 9n), 1, [0, 1])),
} as const;

/** Certificates that don't hold, by the code of `certificateFault`, which is the abort's name in Move too. */
export const forged = {
  one_vote: { code: 'TooFewVotes', leaf: ofBatch(certify(head0, 0, [1])) },
  no_vote: { code: 'TooFewVotes', leaf: ofBatch(certify(head0, 0, [])) },
  two_equal_votes: { code: 'VotesNotOrdered', leaf: ofBatch(certify(head0, 0, [1, 1])) },
  descending_votes: { code: 'VotesNotOrdered', leaf: ofBatch(certify(head0, 0, [2, 0])) },
  unknown_master: { code: 'BadSignature', leaf: ofBatch(certify(head0, 0, [1, 3])) },
  swapped_signatures: {
    code: 'BadSignature',
    leaf: ofBatch({
      head: head0,
      votes: [
        { ...vote(head0, 0, 2), master: 0 },
        { ...vote(head0, 0, 0), master: 2 },
      ],
    }),
  },
  altered_height: { code: 'BadSignature', leaf: ofBatch({ head: { ...head0, height: 8n }, votes: good.votes }) },
  untagged_signature: {
    code: 'BadSignature',
    leaf: ofBatch({
      head: head0,
      votes: good.votes.map((v, i) => ({ ...v, signature: sign(seeds[0][v.master] ?? '', utf8(`untagged ${i}`)) })),
    }),
  },
  old_generation: { code: 'WrongGeneration', leaf: ofBatch(certify(headOf(state, 1, 8n), 1, [0, 1])) },
  other_genesis: { code: 'WrongGenesis', leaf: ofBatch(certify(headOf(state, 0, 7n, digestOf('another genesis')), 0, [0, 1])) },
  altered_batch: { code: 'PathMismatch', leaf: { ...ofBatch(good), value: flip(ofBatch(good).value) } },
  wrong_path: { code: 'PathMismatch', leaf: { ...ofBatch(good), siblings: ofBatch(good).siblings.slice(1) } },
  renumbered_batch: {
    code: 'PathMismatch',
    leaf: { ...ofBatch(good), value: hex(encodeBatch({ ...first, number: 2n })), key: batchKey(2n) },
  },
} as const;

const crowd = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ account: `0x${(i + 1).toString(16).padStart(64, '0')}`, amount: 1n }));
const max = 2n ** 64n - 1n;
/** Batches that two masters certified and the contract refuses all the same, by the code of `batchFault`. */
export const unsound: Readonly<Record<string, { code: string; batch: Batch }>> = {
  sums_differ: { code: 'SumsDiffer', batch: { ...first, treasury: first.treasury + 1n } },
  debits_descend: { code: 'TransfersNotOrdered', batch: { ...first, debits: first.debits.toReversed() } },
  credit_twice: { code: 'TransfersNotOrdered', batch: { ...first, credits: [first.credits[0]!, ...first.credits] } },
  zero_debit: { code: 'ZeroAmount', batch: { ...first, debits: [{ ...first.debits[0]!, amount: 0n }, ...first.debits.slice(1)] } },
  no_task: { code: 'TooMany', batch: { ...first, taskCount: 0n } },
  too_many_tasks: { code: 'TooMany', batch: { ...first, taskCount: 10_001n } },
  too_many_debits: { code: 'TooMany', batch: { ...first, debits: crowd(257), credits: [], dividends: 0n, treasury: 257n } },
  too_many_credits: {
    code: 'TooMany',
    batch: { ...first, debits: [{ account: alice, amount: 257n }], credits: crowd(257), dividends: 0n, treasury: 0n },
  },
  overflow: {
    code: 'AmountOverflow',
    batch: {
      ...first,
      debits: [
        { account: alice, amount: max },
        { account: bob, amount: 1n },
      ],
      credits: [],
      dividends: max,
      treasury: 1n,
    },
  },
};
const certifiedFault = (value: Uint8Array): CertifiedLeaf => {
  const map = stateOf([...filler, [batchKey(1n), value]]);
  return prove(map, batchKey(1n), certify(headOf(map, 0, 7n), 0, [0, 1]));
};
export const unsoundLeaves: Readonly<Record<string, CertifiedLeaf>> = Object.fromEntries(
  Object.entries(unsound).map(([name, { batch }]) => [name, certifiedFault(encodeBatch(batch))]),
);
/** Certified bytes that are no batch at all. */
export const malformed: Readonly<Record<string, CertifiedLeaf>> = {
  trailing_byte: certifiedFault(concat(encodeBatch(first), Uint8Array.of(0))),
  cut_short: certifiedFault(encodeBatch(first).slice(0, -1)),
};
const badCommittee = (keys: readonly string[]): CertifiedLeaf => {
  const map = stateOf([...filler, [committeeKey(1n), encodeCommittee({ generation: 1n, keys })]]);
  return prove(map, committeeKey(1n), certify(headOf(map, 0, 7n), 0, [0, 1]));
};
const [k0, k1] = committees[1].keys as [string, string];
export const badCommittees = { same_key_twice: badCommittee([k0, k1, k0]), two_keys: badCommittee([k0, k1]) } as const;

const twin = { ...head0, block: digestOf('another block at the same height') };
const signed = (head: Head, generation: 0 | 1 = 0, master = 1) => ({ head, signature: vote(head, generation, master).signature });
/** A vote inside a view: the same key, the same head, another tag (G4). */
const inView = (head: Head) => ({ head, signature: sign(seeds[0][1], concat(utf8('SCS::prepare::v1'), encodeHead(head))) });
const later = { ...twin, height: head0.height + 1n };
const newer: Head = { ...twin, generation: 1n };
/** Two votes of one master: which prove equivocation (G4), and what the others lack, by the code of `equivocationFault`. */
export const equivocations: Readonly<Record<string, { code?: string; proof: Equivocation }>> = {
  two_decide_votes: { proof: { master: 1, votes: [signed(head0), signed(twin)] } },
  two_votes_of_the_next_committee: { proof: { master: 0, votes: [signed(newer, 1, 0), signed({ ...newer, block: head0.block }, 1, 0)] } },
  same_head_twice: { code: 'SameHead', proof: { master: 1, votes: [signed(head0), signed(head0)] } },
  two_in_view_messages: { code: 'BadSignature', proof: { master: 1, votes: [inView(head0), inView(twin)] } },
  one_in_view_message: { code: 'BadSignature', proof: { master: 1, votes: [signed(head0), inView(twin)] } },
  votes_of_two_masters: { code: 'BadSignature', proof: { master: 1, votes: [signed(head0), signed(twin, 0, 2)] } },
  two_heights: { code: 'DifferentSlots', proof: { master: 1, votes: [signed(head0), signed(later)] } },
  two_generations: { code: 'DifferentSlots', proof: { master: 2, votes: [signed(head0, 0, 2), signed(newer, 1, 2)] } },
  fourth_master: { code: 'UnknownMaster', proof: { master: 3, votes: [signed(head0), signed(twin)] } },
  foreign_genesis: {
    code: 'WrongGenesis',
    proof: { master: 1, votes: [signed({ ...head0, genesis: digestOf('another genesis') }), signed(twin)] },
  },
};

const slash = (number: bigint, offence: Offence, more: Partial<Slash> = {}): Slash => ({
  number,
  role: 'enterprise',
  offender: workers[0]!,
  offence,
  case: digestOf(`case ${number}`),
  challenger: bob,
  share: 0n,
  ...more,
});
/** Penalties (G3): three of one enterprise, which climb, and one of a producer whose challenger shares. */
export const slashes = {
  slash_liveness: slash(1n, 'liveness'),
  slash_liveness_again: slash(2n, 'liveness', { share: 2500n }),
  slash_third: slash(3n, 'invalid_evidence'),
  slash_producer: slash(4n, 'confirmed_challenge', { role: 'producer', offender: workers[1]!, share: 5000n }),
  slash_share_above_all: slash(5n, 'liveness', { share: 10_001n }),
} as const;
const altered = (leaf: Uint8Array, at: number, byte: number): Uint8Array => leaf.with(at, byte);
const payouts = {
  node_rewards: { number: 1n, transfers: workers.map((account, i) => ({ account, amount: 1000n + BigInt(i) })) },
  node_rewards_above_pot: { number: 2n, transfers: [{ account: alice, amount: 2n ** 63n }] },
  node_rewards_overflow: { number: 3n, transfers: [alice, bob].map((account) => ({ account, amount: 2n ** 64n - 1n })) },
  node_rewards_twice: { number: 4n, transfers: [alice, alice].map((account) => ({ account, amount: 1n })) },
} as const;
const paid = (number: bigint, leaf: Uint8Array): readonly [string, Uint8Array] => [slashKey(number), leaf];
/** Claims (K6): batch 1 leaves 210,000 in the pot. The last root promises less than its leaves say. */
const dividendShares = accounts.slice(1).map((account, i) => ({ account, amount: 10_000n + BigInt(i) }));
/** Seconds as in the Move tests, which begin at 1,700,000,000. */
const terms = { least: 1_000n, since: 1_700_000_100n, expiresAt: 1_700_100_000n };
export const dividends = [dividendTree(1n, dividendShares), dividendTree(2n, dividendShares.slice(0, 3), terms)] as const;
const overdrawn = dividendTree(3n, dividendShares);
const roots = {
  dividends_1: dividends[0].root,
  dividends_2: dividends[1].root,
  dividends_overdrawn: { ...overdrawn.root, total: 15_000n },
  dividends_above_pot: { ...dividendTree(4n, dividendShares).root, total: 210_001n },
  dividends_of_nothing: { ...dividendTree(6n, dividendShares).root, total: 0n },
} as const;
const economyEntries: readonly (readonly [string, readonly [string, Uint8Array]])[] = [
  ...Object.entries(slashes).map(([name, s]) => [name, paid(s.number, encodeSlash(s))] as const),
  ['slash_unknown_role', paid(6n, altered(encodeSlash(slash(6n, 'liveness')), 8, 3))],
  ['slash_unknown_grade', paid(7n, altered(encodeSlash(slash(7n, 'liveness')), 41, 4))],
  ...Object.entries(roots).map(([name, root]) => [name, [dividendKey(root.number), encodeDividendRoot(root)] as const] as const),
  ...Object.entries(payouts).map(([name, p]) => [name, [nodeRewardsKey(p.number), encodeNodeRewards(p)] as const] as const),
];
const economy = stateOf([...filler, ...economyEntries.map(([, entry]) => entry)]);
const economyCertificate = certify(headOf(economy, 0, 20n), 0, [0, 2]);
export const economyLeaves: Readonly<Record<string, CertifiedLeaf>> = {
  ...Object.fromEntries(economyEntries.map(([name, [key]]) => [name, prove(economy, key, economyCertificate)])),
  slash_altered: {
    ...prove(economy, slashKey(1n), economyCertificate),
    value: hex(encodeSlash(slash(1n, 'confirmed_challenge'))),
  },
  slash_of_one_vote: prove(economy, slashKey(1n), certify(headOf(economy, 0, 20n), 0, [0])),
};

/** Master `i` of the first committee agrees that the account `i` bonds for it. */
export const stakeSignatures = [0, 1, 2].map((i) => sign(seeds[0][i]!, stakeMessage(genesis, accounts[i]!)));

/** Master 0 agrees to a second account too. */
export const rivalSignature = sign(seeds[0][0], stakeMessage(genesis, accounts[1]!));

export const penalties = Object.keys(offences).flatMap((name) =>
  [0n, 1n, 99n, 10_001n, max].flatMap((held) =>
    [0, 1, 2, 9].map((earlier) => {
      const offence = name as Offence;
      return { held, grade: offences[offence], earlier, amount: penaltyOf(held, offence, earlier).amount };
    }),
  ),
);
const supplies = [0n, 1n, 110_000_000n, 100_000_000_00000000n, max];
const times = [0n, 1n, YEAR_SECONDS / 2n, ...[1n, 2n, 3n, 4n, 5n, 50n].flatMap((y) => [y * YEAR_SECONDS - 1n, y * YEAR_SECONDS])];
export const mintings = supplies.flatMap((supply) => times.map((elapsed) => ({ supply, elapsed, minted: mintedBy(supply, elapsed) })));
