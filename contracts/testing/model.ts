/**
 * All contracts as one pure model (rules K2, K6, K7, K9, N9, P3, P4, P5, G1, G3, G4): what each call does to whose money, and which abort
 * it ends in. Written from the rules, not from the Move code. Signatures and paths are facts of the operation here.
 */
import { mintedBy } from '@scs/protocol/inflation.ts';
import { offences, penaltyOf, stakeRoles } from '@scs/protocol/staking.ts';
import type { Transfer } from '@scs/protocol/settlement-layout.ts';
import { cancelRecovery, checkVotes, completeRecovery, govern, openRecovery } from './model-continuity.ts';
import { Abort, INSUFFICIENT, U64_MAX, credit, demand, genesisSupply, least, pay, receive, sum, total } from './model-state.ts';
import type { Bond, ModelState, Root } from './model-state.ts';
import type { OfferedVote, Operation } from './operation.ts';

// Escrow

const noRequest = { withdrawing: 0n, ripensAt: 0n, expiresAt: 0n };
const deposit = (s: ModelState, who: number, amount: bigint): void => {
  demand(amount > 0n, 'escrow:1');
  pay(s, who, amount);
  const e = s.escrows[who]!;
  const repaid = least(e.debt, amount);
  e.debt -= repaid;
  e.balance += amount - repaid;
  receive(s, repaid);
};
const requestWithdrawal = (s: ModelState, who: number, amount: bigint): void => {
  const e = s.escrows[who]!;
  const pending = e.withdrawing > 0n && s.now < e.expiresAt;
  demand(amount > 0n, 'escrow:1');
  demand(!pending, 'escrow:3');
  demand(amount <= e.balance, 'escrow:2');
  const ripensAt = s.now + s.terms.delay;
  Object.assign(e, { withdrawing: amount, ripensAt, expiresAt: ripensAt + s.terms.window });
};
const withdraw = (s: ModelState, who: number): void => {
  const e = s.escrows[who]!;
  demand(e.withdrawing > 0n && s.now < e.expiresAt, 'escrow:4');
  demand(s.now >= e.ripensAt, 'escrow:5');
  e.balance -= e.withdrawing;
  s.hands[who]! += e.withdrawing;
  Object.assign(e, noRequest);
};
const cancelWithdrawal = (s: ModelState, who: number): void => {
  const e = s.escrows[who]!;
  demand(e.withdrawing > 0n && s.now < e.expiresAt, 'escrow:4');
  Object.assign(e, noRequest);
};
/** Returns what was there. An expired request that a charge meets is cut like any other; that changes nothing. */
const charge = (s: ModelState, { account, amount }: Transfer): bigint => {
  const e = s.escrows[s.terms.accounts.indexOf(account)]!;
  const taken = least(e.balance, amount);
  e.balance -= taken;
  e.debt += amount - taken;
  e.withdrawing = least(e.withdrawing, e.balance);
  if (e.withdrawing === 0n) Object.assign(e, noRequest);
  return taken;
};
const claim = (s: ModelState, who: number): void => {
  const owed = s.claimable[who]!;
  demand(owed > 0n, 'rewards:1');
  demand(s.rewards > 0n, 'rewards:2');
  const amount = least(owed, s.rewards);
  s.claimable[who]! -= amount;
  s.rewards -= amount;
  s.hands[who]! += amount;
};

// What needs a certificate

const checkTransfers = (transfers: readonly Transfer[]): void =>
  transfers.forEach(({ account, amount }, i) => {
    demand(i === 0 || account > transfers[i - 1]!.account, 'settlement:4');
    demand(amount > 0n, 'settlement:5');
  });
const settle = (s: ModelState, { votes, batch }: Extract<Operation, { kind: 'settle' }>): void => {
  const { number, taskCount, debits, credits, dividends, treasury } = batch;
  checkVotes(s, votes);
  checkTransfers(debits);
  checkTransfers(credits);
  demand(votes.fault !== 'path', 'committee:7');
  demand(number >= s.nextBatch, 'settlement:1');
  demand(number === s.nextBatch, 'settlement:2');
  demand(taskCount >= 1n && taskCount <= 10_000n, 'settlement:6');
  demand(total(debits) <= U64_MAX, 'settlement:8');
  demand(total(debits) === total(credits) + dividends + treasury, 'settlement:3');
  s.nextBatch += 1n;
  const taken = sum(debits.map((debit) => charge(s, debit)));
  s.rewardsOwed += total(credits);
  s.dividendsOwed += dividends;
  receive(s, taken);
  for (const { account, amount } of credits) credit(s, account, amount);
};
const rewardNodes = (s: ModelState, { votes, number, transfers }: Extract<Operation, { kind: 'reward_nodes' }>): void => {
  checkVotes(s, votes);
  checkTransfers(transfers);
  demand(votes.fault !== 'path', 'committee:7');
  demand(!s.rewarded.has(number), 'settlement:9');
  const amount = total(transfers);
  demand(amount <= U64_MAX, 'settlement:8');
  demand(amount <= s.pot, 'inflation:2');
  s.rewarded.add(number);
  s.pot -= amount;
  s.rewards += amount;
  for (const t of transfers) credit(s, t.account, t.amount);
};
/** What published roots may still pay. */
export const promised = (s: ModelState): bigint => sum([...s.roots.values()].map((root) => root.total - root.paid));
const publishDividends = (s: ModelState, op: Extract<Operation, { kind: 'publish_dividends' }>): void => {
  checkVotes(s, op.votes);
  demand(op.votes.fault !== 'path', 'committee:7');
  demand(!s.roots.has(op.number), 'dividends:1');
  demand(op.total > 0n, 'dividends:2');
  demand(promised(s) + op.total <= s.dividends, 'dividends:3');
  s.roots.set(op.number, { shares: op.shares, terms: op.terms, total: op.total, paid: 0n, claimed: new Set() });
};
const rollOver = (s: ModelState, number: bigint): void => {
  const root = s.roots.get(number);
  demand(root !== undefined, 'dividends:4');
  demand(s.now >= root!.terms.expiresAt, 'dividends:9');
  demand(root!.total > root!.paid, 'dividends:2');
  root!.total = root!.paid;
};
/** K5: half for who was not staked through the epoch. */
const ownShare = (s: ModelState, who: number, { least: needed, since }: Root['terms'], amount: bigint): bigint => {
  const b = bondOf(s, stakeRoles.producer, who);
  const staked = !b.expelled && b.bonded >= needed && (needed === 0n || b.since <= since);
  return staked ? amount : amount / 2n;
};
const claimDividends = (s: ModelState, { who, claims }: Extract<Operation, { kind: 'claim_dividends' }>): void => {
  const paid = new Map<bigint, bigint>();
  const taken = new Set<string>();
  for (const { number, index, amount } of claims) {
    const root = s.roots.get(number);
    demand(root !== undefined, 'dividends:4');
    demand(!root!.claimed.has(index) && !taken.has(`${number}/${index}`), 'dividends:5');
    const share = root!.shares[index];
    demand(share !== undefined && share.account === s.terms.accounts[who] && share.amount === amount, 'dividends:6');
    const before = paid.get(number) ?? 0n;
    demand(amount <= root!.total - root!.paid - before, 'dividends:7');
    paid.set(number, before + amount);
    taken.add(`${number}/${index}`);
  }
  demand(claims.length > 0, 'dividends:2');
  let withheld = 0n;
  for (const { number, index, amount } of claims) {
    const root = s.roots.get(number)!;
    root.claimed.add(index);
    root.paid += amount;
    const own = ownShare(s, who, root.terms, amount);
    s.dividends -= amount;
    s.hands[who]! += own;
    withheld += amount - own;
  }
  receive(s, withheld);
};
const advance = (s: ModelState, { votes, to }: Extract<Operation, { kind: 'advance' }>): void => {
  checkVotes(s, votes);
  demand(votes.fault !== 'path', 'committee:7');
  demand(to === s.generation + 1, 'committee:2');
  s.generation = to;
};
const mintDue = (s: ModelState): void => {
  const due = mintedBy(genesisSupply(s.terms), s.now - s.terms.startedAt) - s.minted;
  demand(due > 0n, 'inflation:1');
  s.minted += due;
  s.pot += due;
};

// Bonds

const bondOf = (s: ModelState, role: number, who: number): Bond => {
  const key = `${role}/${who}`;
  const bond = s.bonds.get(key) ?? { bonded: 0n, since: 0n, unbonding: 0n, ripensAt: 0n, offences: 0, expelled: false };
  s.bonds.set(key, bond);
  return bond;
};
const bond = (s: ModelState, who: number, role: number, amount: bigint): void => {
  demand(amount > 0n, 'staking:1');
  demand(s.hands[who]! >= amount, INSUFFICIENT);
  const b = bondOf(s, role, who);
  demand(!b.expelled, 'staking:3');
  b.since = s.now;
  b.bonded += amount;
  pay(s, who, amount);
};
const stakeMaster = (s: ModelState, op: Extract<Operation, { kind: 'stake_master' }>): void => {
  const seat = `${op.generation}/${op.master}`;
  demand(op.generation === s.generation && op.master < 3, 'staking:9');
  demand(op.signedFor === op.who, 'staking:8');
  demand((s.masters.get(seat) ?? op.who) === op.who, 'staking:10');
  bond(s, op.who, stakeRoles.master, op.amount);
  s.masters.set(seat, op.who);
};
const requestUnbond = (s: ModelState, who: number, role: number, amount: bigint): void => {
  const b = bondOf(s, role, who);
  demand(amount > 0n, 'staking:1');
  demand(b.unbonding === 0n, 'staking:5');
  demand(amount <= b.bonded, 'staking:4');
  b.bonded -= amount;
  b.unbonding = amount;
  b.ripensAt = s.now + 2n * s.terms.delay;
  if (b.bonded === 0n) b.since = 0n;
};
const cancelUnbond = (s: ModelState, who: number, role: number): void => {
  const b = bondOf(s, role, who);
  demand(b.unbonding > 0n, 'staking:6');
  Object.assign(b, { bonded: b.bonded + b.unbonding, since: s.now, unbonding: 0n, ripensAt: 0n });
};
const withdrawStake = (s: ModelState, who: number, role: number): void => {
  const b = bondOf(s, role, who);
  demand(b.unbonding > 0n, 'staking:6');
  demand(s.now >= b.ripensAt, 'staking:7');
  s.hands[who]! += b.unbonding;
  Object.assign(b, { unbonding: 0n, ripensAt: 0n });
};
const punish = (s: ModelState, b: Bond, offence: keyof typeof offences, challenger: string, share: bigint): void => {
  const { amount, expelled } = penaltyOf(b.bonded + b.unbonding, offence, b.offences);
  const fromBonded = least(amount, b.bonded);
  b.bonded -= fromBonded;
  b.unbonding -= amount - fromBonded;
  if (b.unbonding === 0n) b.ripensAt = 0n;
  if (b.bonded === 0n) b.since = 0n;
  b.offences += 1;
  b.expelled ||= expelled;
  const reward = (amount * share) / 10_000n;
  if (reward > 0n) {
    credit(s, challenger, reward);
    s.rewards += reward;
  }
  receive(s, amount - reward);
};
const slash = (s: ModelState, { votes, slash: leaf }: Extract<Operation, { kind: 'slash' }>): void => {
  checkVotes(s, votes);
  demand(leaf.share <= 10_000n, 'staking:13');
  demand(votes.fault !== 'path', 'committee:7');
  demand(!s.slashed.has(leaf.number), 'staking:11');
  s.slashed.add(leaf.number);
  punish(s, bondOf(s, stakeRoles[leaf.role], s.terms.accounts.indexOf(leaf.offender)), leaf.offence, leaf.challenger, leaf.share);
};
const report = (s: ModelState, { master, votes: [a, b] }: Extract<Operation, { kind: 'report' }>): void => {
  const holds = (v: OfferedVote): void => {
    demand(v.generation <= s.generation, 'committee:2');
    demand(master < 3, 'committee:6');
    demand(v.signer === master && v.inView !== true, 'committee:5');
  };
  demand(a.generation !== b.generation || a.height !== b.height || a.block !== b.block, 'accountability:1');
  holds(a);
  holds(b);
  demand(a.generation === b.generation && a.height === b.height, 'accountability:2');
  const seat = `${a.generation}/${master}`;
  demand(!s.convicted.has(seat), 'accountability:3');
  s.convicted.add(seat);
  const owner = s.masters.get(seat);
  if (owner !== undefined) punish(s, bondOf(s, stakeRoles.master, owner), 'equivocation', '', 0n);
};

const run = (s: ModelState, op: Operation): void => {
  switch (op.kind) {
    case 'wait':
      s.now += BigInt(op.seconds);
      return;
    case 'deposit':
      return deposit(s, op.who, op.amount);
    case 'request_withdrawal':
      return requestWithdrawal(s, op.who, op.amount);
    case 'withdraw':
      return withdraw(s, op.who);
    case 'cancel_withdrawal':
      return cancelWithdrawal(s, op.who);
    case 'claim':
      return claim(s, op.who);
    case 'fund':
      demand(op.amount > 0n, 'treasury:1');
      pay(s, op.who, op.amount);
      return receive(s, op.amount);
    case 'mint_due':
      return mintDue(s);
    case 'settle':
      return settle(s, op);
    case 'reward_nodes':
      return rewardNodes(s, op);
    case 'publish_dividends':
      return publishDividends(s, op);
    case 'roll_over':
      return rollOver(s, op.number);
    case 'claim_dividends':
      return claimDividends(s, op);
    case 'advance':
      return advance(s, op);
    case 'stake':
      demand(op.role === stakeRoles.enterprise || op.role === stakeRoles.producer, 'staking:2');
      return bond(s, op.who, op.role, op.amount);
    case 'stake_master':
      return stakeMaster(s, op);
    case 'request_unbond':
      return requestUnbond(s, op.who, op.role, op.amount);
    case 'cancel_unbond':
      return cancelUnbond(s, op.who, op.role);
    case 'withdraw_stake':
      return withdrawStake(s, op.who, op.role);
    case 'slash':
      return slash(s, op);
    case 'govern':
      return govern(s, op);
    case 'open_recovery':
      return openRecovery(s, op);
    case 'cancel_recovery':
      return cancelRecovery(s, op);
    case 'complete_recovery':
      return completeRecovery(s);
    case 'report':
      return report(s, op);
  }
};

/** Applies the operation in place. The abort that it ends in, `module:code`, or undefined; an abort changes nothing. */
export const step = (s: ModelState, op: Operation): string | undefined => {
  try {
    run(s, op);
    // Any certificate that was good for something tells how far the masters have come.
    if ('votes' in op && 'height' in op.votes) s.highest = Math.max(s.highest, op.votes.height);
    return undefined;
  } catch (error) {
    if (error instanceof Abort) return error.message;
    throw error;
  }
};
