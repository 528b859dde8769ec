/**
 * Random operations that lead somewhere: most are sound in the model's present state, the rest have one fault each. A seed gives
 * the same sequence always.
 */
import { dividendTree, type DividendClaim } from '@scs/protocol/dividends.ts';
import { buildBatch, mergeTransfers, type SettledTask } from '@scs/protocol/settlement.ts';
import type { Transfer } from '@scs/protocol/settlement-layout.ts';
import { offences, type Offence } from '@scs/protocol/staking.ts';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { promised } from './model.ts';
import type { ModelState } from './model-state.ts';
import type { OfferedVote, Operation, Votes } from './operation.ts';

/** xorshift64*: integers only, so the same everywhere. */
export const dice = (seed: bigint) => {
  let state = (seed * 0x9e3779b97f4a7c15n + 1n) & 0xffffffffffffffffn;
  const next = (): bigint => {
    state ^= state >> 12n;
    state = (state ^ (state << 25n)) & 0xffffffffffffffffn;
    state ^= state >> 27n;
    return ((state * 0x2545f4914f6cdd1dn) & 0xffffffffffffffffn) >> 11n;
  };
  return {
    below: (n: number): number => Number(next() % BigInt(n)),
    amount: (most: bigint): bigint => (most <= 0n ? 0n : 1n + (next() % most)),
    chance: (oneIn: number): boolean => next() % BigInt(oneIn) === 0n,
  };
};
export type Dice = ReturnType<typeof dice>;
const pick = <T>(d: Dice, list: readonly T[]): T => list[d.below(list.length)]!;

const quorums = [
  [0, 1],
  [0, 2],
  [1, 2],
  [0, 1, 2],
];
const faultySigners = [[1], [2, 2], [2, 0], [1, 3], [0, 1, 2, 2]];
/** Sound three times of four; else with one of the faults that a certificate can have. */
const votes = (d: Dice, s: ModelState): Votes => {
  const generation = s.generation;
  const masters = pick(d, quorums);
  const height = d.chance(40) ? s.highest + 1 : d.below(s.highest + 1);
  const sound: Votes = { generation, height, masters };
  if (!d.chance(4)) return sound;
  return pick<Votes>(d, [
    ...faultySigners.map((signers) => ({ ...sound, masters: signers })),
    { ...sound, generation: generation + 1 },
    { ...sound, generation: Math.max(0, generation - 1) },
    { ...sound, fault: 'genesis' },
    { ...sound, fault: 'signature' },
    { ...sound, fault: 'path' },
  ]);
};

const transfers = (d: Dice, s: ModelState, count: number, most: bigint): Transfer[] =>
  mergeTransfers(Array.from({ length: count }, () => ({ account: pick(d, s.terms.accounts), amount: d.amount(most) })));

const soundBatch = (d: Dice, s: ModelState) => {
  const tasks = Array.from({ length: 1 + d.below(4) }, (_, i): SettledTask => {
    const credits = transfers(d, s, d.below(4), 4_000n);
    const [dividends, treasury] = [BigInt(d.below(2_000)), BigInt(d.below(2_000))];
    const charge = credits.reduce((sum, t) => sum + t.amount, dividends + treasury);
    const digest = digestOf(`task ${s.nextBatch} ${i}`);
    const refund = BigInt(d.below(100));
    const leaf = { envelope: digest, submitter: pick(d, s.terms.accounts), quote: charge + refund, charge, refund, evidence: digest };
    return { leaf, split: { credits, dividends, treasury } };
  });
  return buildBatch({ number: s.nextBatch, epoch: 1n, tasks });
};
const settle = (d: Dice, s: ModelState): Operation => {
  const batch = soundBatch(d, s);
  const faulty = pick(d, [
    { ...batch, number: batch.number + 1n },
    { ...batch, number: batch.number > 1n ? batch.number - 1n : 1n },
    { ...batch, treasury: batch.treasury + 1n },
    { ...batch, taskCount: 0n },
    { ...batch, taskCount: 10_001n },
    { ...batch, debits: batch.debits.toReversed() },
    { ...batch, credits: [...batch.credits, { account: s.terms.accounts[0]!, amount: 0n }] },
    { ...batch, debits: s.terms.accounts.slice(0, 2).map((account) => ({ account, amount: 2n ** 63n })) },
  ]);
  return { kind: 'settle', votes: votes(d, s), batch: d.chance(6) ? faulty : batch };
};

const publishDividends = (d: Dice, s: ModelState): Operation => {
  const room = s.dividends - promised(s);
  const shares = mergeTransfers([{ account: pick(d, s.terms.accounts), amount: 1n }, ...transfers(d, s, 3, room / 4n)]);
  const sum = shares.reduce((n, { amount }) => n + amount, 0n);
  const total = pick(d, [sum, sum, sum, sum, sum / 2n, sum + room, 0n]);
  const terms = { least: BigInt(d.below(3_000)), since: s.now - BigInt(d.below(2_000)), expiresAt: s.now + BigInt(d.below(90_000)) };
  return { kind: 'publish_dividends', votes: votes(d, s), number: BigInt(d.below(400)), shares, total, terms };
};
const rollOver = (d: Dice, s: ModelState, who: number): Operation => {
  const known = [...s.roots.keys()];
  return { kind: 'roll_over', who, number: known.length === 0 || d.chance(12) ? BigInt(d.below(400)) : pick(d, known) };
};
const claimOf = (d: Dice, s: ModelState, who: number): DividendClaim => {
  const known = [...s.roots.keys()];
  const number = known.length === 0 || d.chance(12) ? BigInt(d.below(400)) : pick(d, known.slice(-6));
  const shares = s.roots.get(number)?.shares ?? [{ account: s.terms.accounts[0]!, amount: 1n }];
  const own = shares.findIndex(({ account }) => account === s.terms.accounts[who]);
  const index = own < 0 || d.chance(12) ? d.below(shares.length) : own;
  const claim = dividendTree(number, shares).claim(index);
  return d.chance(15) ? { ...claim, amount: claim.amount + 1n } : claim;
};
const claimDividends = (d: Dice, s: ModelState, who: number): Operation => ({
  kind: 'claim_dividends',
  who,
  claims: Array.from({ length: d.chance(3) ? d.below(4) : 1 }, () => claimOf(d, s, who)),
});

const offered = (d: Dice, s: ModelState, signer: number): OfferedVote => ({
  generation: d.below(s.generation + 2),
  height: d.below(2),
  block: d.below(3),
  signer: d.chance(6) ? d.below(3) : signer,
  ...(d.chance(6) ? { inView: true } : {}),
});
/** Rarely a proof that holds: each takes a whole bond and can't be repeated. */
const report = (d: Dice, s: ModelState): Operation => {
  const master = d.below(3);
  const first = offered(d, s, master);
  const second = d.chance(2) ? { ...first, block: first.block + d.below(2) } : offered(d, s, master);
  return { kind: 'report', master: d.chance(12) ? 3 : master, votes: [first, second] };
};
const slash = (d: Dice, s: ModelState): Operation => ({
  kind: 'slash',
  votes: votes(d, s),
  slash: {
    number: BigInt(d.below(400)),
    role: pick(d, ['master', 'enterprise', 'producer'] as const),
    offender: pick(d, s.terms.accounts),
    offence: d.chance(20) ? 'equivocation' : pick(d, Object.keys(offences).slice(0, 3) as Offence[]),
    case: digestOf('case'),
    challenger: pick(d, s.terms.accounts),
    share: d.chance(10) ? 10_001n : BigInt(d.below(10_001)),
  },
});
const stakeMaster = (d: Dice, s: ModelState, who: number): Operation => {
  const generation = d.chance(6) ? s.generation + 1 : s.generation;
  const signedFor = d.chance(6) ? d.below(s.terms.accounts.length) : who;
  return { kind: 'stake_master', who, amount: d.amount(s.hands[who]! / 50n), generation, master: d.below(3), signedFor };
};
/** To the second at which something ripens or expires, or the one before. */
const waitForIt = (d: Dice, s: ModelState, who: number, role: number): Operation => {
  const { withdrawing, ripensAt, expiresAt } = s.escrows[who]!;
  const bond = s.bonds.get(`${role}/${who}`);
  const at =
    withdrawing > 0n ? pick(d, [ripensAt, ripensAt, expiresAt]) : bond !== undefined && bond.unbonding > 0n ? bond.ripensAt : s.now;
  const until = at - s.now - BigInt(d.below(2));
  return { kind: 'wait', seconds: until > 0n ? Number(until) : d.below(60) };
};
const govern = (d: Dice, s: ModelState): Operation => {
  const policyVersion = pick(d, [0n, 0n, 0n, 1n, 2n, -1n]) + s.policyVersion;
  const known = s.policies.get(policyVersion) ?? digestOf(`policy ${policyVersion} ${d.below(3)}`);
  return {
    kind: 'govern',
    votes: votes(d, s),
    leaf: {
      number: d.chance(6) ? s.nextEpoch + 1n : d.chance(6) && s.nextEpoch > 1n ? s.nextEpoch - 1n : s.nextEpoch,
      digest: digestOf('epoch'),
      policyVersion: policyVersion < 0n ? 0n : policyVersion,
      policy: d.chance(8) ? digestOf('another policy') : known,
      protocolVersion: d.chance(8) && s.protocolVersion > 0n ? s.protocolVersion - 1n : s.protocolVersion + BigInt(d.below(2)),
    },
  };
};
const openRecovery = (d: Dice, s: ModelState): Operation => {
  const claim = { round: s.recoveryRound + 1, generation: s.generation + 1, height: s.highest + d.below(3) };
  const signers = pick(d, quorums);
  const sound = { kind: 'open_recovery', claim, signers } as const;
  if (!d.chance(3)) return sound;
  return pick<Operation>(d, [
    ...faultySigners.map((faulty) => ({ ...sound, signers: faulty })),
    { ...sound, claim: { ...claim, round: claim.round + 1 } },
    { ...sound, claim: { ...claim, round: claim.round - 1 } },
    { ...sound, claim: { ...claim, generation: claim.generation + 1 } },
    { ...sound, claim: { ...claim, height: Math.max(0, s.highest - 1) } },
    { ...sound, fault: 'genesis' },
    { ...sound, fault: 'signature' },
    { ...sound, fault: 'equal keys' },
  ]);
};
/** Seldom opened, more often waited for and ended: one way or the other. */
const recovery = (d: Dice, s: ModelState): Operation => {
  if (s.recovery === undefined)
    return d.chance(8) ? pick<Operation>(d, [{ kind: 'complete_recovery' }, cancelRecovery(d, s)]) : openRecovery(d, s);
  const left = s.recovery.ripensAt - s.now - BigInt(d.below(2));
  return pick<() => Operation>(d, [
    () => ({ kind: 'complete_recovery' }),
    () => ({ kind: 'wait', seconds: left > 0n ? Number(left) : 1 }),
    () => (d.chance(3) ? cancelRecovery(d, s) : { kind: 'complete_recovery' }),
    () => (d.chance(3) ? openRecovery(d, s) : { kind: 'complete_recovery' }),
  ])();
};
const cancelRecovery = (d: Dice, s: ModelState): Operation => ({
  kind: 'cancel_recovery',
  votes: { ...votes(d, s), height: (s.recovery?.height ?? s.highest) + d.below(2) },
});
/** Now and then nothing, or more than there is. */
const some = (d: Dice, available: bigint): bigint => (d.chance(15) ? 0n : d.chance(15) ? available + 1n : d.amount(available));

/** Mostly whoever has something to end: a withdrawal or an unbonding under way. */
const whoWaits = (d: Dice, s: ModelState): number => {
  const waiting = s.escrows.flatMap(({ withdrawing }, i) => (withdrawing > 0n ? [i] : []));
  return waiting.length === 0 || d.chance(6) ? d.below(s.terms.accounts.length) : pick(d, waiting);
};
const whoUnbonds = (d: Dice, s: ModelState): { who: number; role: number } => {
  const waiting = [...s.bonds].flatMap(([key, { unbonding }]) => (unbonding > 0n ? [key.split('/').map(Number)] : []));
  const [role, who] = waiting.length === 0 || d.chance(6) ? [d.below(4), d.below(s.terms.accounts.length)] : pick(d, waiting);
  return { role: role!, who: who! };
};
/** The next operation. Kinds that come more often stand more often in the list. */
export const randomOperation = (d: Dice, s: ModelState): Operation => {
  const who = d.below(s.terms.accounts.length);
  const role = d.below(4);
  const held = s.bonds.get(`${role}/${who}`)?.bonded ?? 0n;
  const makers: readonly (() => Operation)[] = [
    () => ({ kind: 'wait', seconds: d.below(d.chance(20) ? 40 * 86_400 : 600) }),
    () => waitForIt(d, s, whoWaits(d, s), role),
    () => {
      const waiting = whoUnbonds(d, s);
      return waitForIt(d, s, waiting.who, waiting.role);
    },
    () => ({ kind: 'deposit', who, amount: some(d, s.hands[who]! / 100n) }),
    () => ({ kind: 'deposit', who, amount: d.chance(20) ? s.hands[who]! + 1n : some(d, 5_000n) }),
    () => ({ kind: 'request_withdrawal', who, amount: some(d, s.escrows[who]!.balance) }),
    () => ({ kind: 'request_withdrawal', who, amount: s.escrows[who]!.balance }),
    () => ({ kind: 'withdraw', who: whoWaits(d, s) }),
    () => ({ kind: d.chance(4) ? 'cancel_withdrawal' : 'withdraw', who: whoWaits(d, s) }),
    () => ({ kind: 'claim', who }),
    () => ({ kind: 'claim', who }),
    () => ({ kind: 'fund', who, amount: some(d, 500n) }),
    () => ({ kind: 'mint_due', who }),
    () => settle(d, s),
    () => settle(d, s),
    () => settle(d, s),
    () => ({ kind: 'reward_nodes', votes: votes(d, s), number: BigInt(d.below(400)), transfers: transfers(d, s, 3, s.pot / 3n + 2n) }),
    () => publishDividends(d, s),
    () => rollOver(d, s, who),
    () => claimDividends(d, s, who),
    () => claimDividends(d, s, who),
    () =>
      d.chance(8) ? { kind: 'advance', votes: votes(d, s), to: s.generation + (d.chance(4) ? d.below(3) : 1) } : { kind: 'mint_due', who },
    () => ({ kind: 'stake', who, role, amount: some(d, s.hands[who]! / 50n) }),
    () => ({ kind: 'stake', who, role: 1 + d.below(2), amount: some(d, s.hands[who]! / 50n) }),
    () => stakeMaster(d, s, who),
    () => ({ kind: 'request_unbond', who, role, amount: some(d, held) }),
    () => ({ kind: d.chance(3) ? 'cancel_unbond' : 'withdraw_stake', ...whoUnbonds(d, s) }),
    () => ({ kind: 'withdraw_stake', ...whoUnbonds(d, s) }),
    () => slash(d, s),
    () => report(d, s),
    () => govern(d, s),
    () => recovery(d, s),
  ];
  return pick(d, makers)();
};
