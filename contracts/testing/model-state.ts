/** The state of the model of all contracts, and how money moves in it (rule K9). */
import type { DividendTerms } from '@scs/protocol/dividends.ts';
import type { Transfer } from '@scs/protocol/settlement-layout.ts';
import type { RecoveryFigures } from './operation.ts';

export interface Escrow {
  balance: bigint;
  withdrawing: bigint;
  ripensAt: bigint;
  expiresAt: bigint;
  debt: bigint;
}
export interface Bond {
  bonded: bigint;
  since: bigint;
  unbonding: bigint;
  ripensAt: bigint;
  offences: number;
  expelled: boolean;
}
export interface Root {
  readonly shares: readonly Transfer[];
  readonly terms: DividendTerms;
  total: bigint;
  paid: bigint;
  readonly claimed: Set<number>;
}
export interface Terms {
  readonly accounts: readonly string[];
  readonly allocation: bigint;
  readonly reserve: bigint;
  readonly delay: bigint;
  readonly window: bigint;
  readonly startedAt: bigint;
}
export interface ModelState {
  readonly terms: Terms;
  /** Seconds. */
  now: bigint;
  readonly hands: bigint[];
  readonly escrows: Escrow[];
  readonly claimable: bigint[];
  rewards: bigint;
  reserve: bigint;
  dividends: bigint;
  rewardsOwed: bigint;
  dividendsOwed: bigint;
  pot: bigint;
  minted: bigint;
  nextBatch: bigint;
  generation: number;
  /** The highest height that a certificate was shown of. */
  highest: number;
  recoveryRound: number;
  recovery: (RecoveryFigures & { readonly ripensAt: bigint }) | undefined;
  nextEpoch: bigint;
  policyVersion: bigint;
  protocolVersion: bigint;
  /** Version -> digest. */
  readonly policies: Map<bigint, string>;
  readonly rewarded: Set<bigint>;
  readonly roots: Map<bigint, Root>;
  readonly slashed: Set<bigint>;
  readonly convicted: Set<string>;
  /** `role/account` */
  readonly bonds: Map<string, Bond>;
  /** `generation/master` -> account */
  readonly masters: Map<string, number>;
}

/** `module:code`, as the VM reports it. */
export class Abort extends Error {}
export const demand = (condition: boolean, abort: string): void => {
  if (!condition) throw new Abort(abort);
};
export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((a, b) => a + b, 0n);
export const total = (transfers: readonly Transfer[]): bigint => sum(transfers.map(({ amount }) => amount));
export const U64_MAX = 2n ** 64n - 1n;
export const INSUFFICIENT = 'fungible_asset:65540';

export const initialModel = (terms: Terms): ModelState => ({
  terms,
  now: terms.startedAt,
  hands: terms.accounts.map(() => terms.allocation),
  escrows: terms.accounts.map(() => ({ balance: 0n, withdrawing: 0n, ripensAt: 0n, expiresAt: 0n, debt: 0n })),
  claimable: terms.accounts.map(() => 0n),
  rewards: 0n,
  reserve: terms.reserve,
  dividends: 0n,
  rewardsOwed: 0n,
  dividendsOwed: 0n,
  pot: 0n,
  minted: 0n,
  nextBatch: 1n,
  generation: 0,
  highest: 0,
  recoveryRound: 0,
  recovery: undefined,
  nextEpoch: 1n,
  policyVersion: 0n,
  protocolVersion: 0n,
  policies: new Map(),
  rewarded: new Set(),
  roots: new Map(),
  slashed: new Set(),
  convicted: new Set(),
  bonds: new Map(),
  masters: new Map(),
});

export const genesisSupply = ({ accounts, allocation, reserve }: Terms): bigint => BigInt(accounts.length) * allocation + reserve;
export const staked = (s: ModelState): bigint => sum([...s.bonds.values()].map((b) => b.bonded + b.unbonding));
export const debts = (s: ModelState): bigint => sum(s.escrows.map((e) => e.debt));
export const escrowed = (s: ModelState): bigint => sum(s.escrows.map((e) => e.balance));
/** K9: what there is, wherever it lies. */
export const everything = (s: ModelState): bigint => sum(s.hands) + escrowed(s) + s.rewards + s.reserve + s.dividends + staked(s) + s.pot;

export const pay = (s: ModelState, who: number, amount: bigint): void => {
  demand(s.hands[who]! >= amount, INSUFFICIENT);
  s.hands[who]! -= amount;
};
/** What comes in meets rewards first, then dividends. */
export const receive = (s: ModelState, amount: bigint): void => {
  s.reserve += amount;
  const rewards = least(s.reserve, s.rewardsOwed);
  [s.reserve, s.rewardsOwed, s.rewards] = [s.reserve - rewards, s.rewardsOwed - rewards, s.rewards + rewards];
  const dividends = least(s.reserve, s.dividendsOwed);
  [s.reserve, s.dividendsOwed, s.dividends] = [s.reserve - dividends, s.dividendsOwed - dividends, s.dividends + dividends];
};
export const credit = (s: ModelState, account: string, amount: bigint): void => {
  s.claimable[s.terms.accounts.indexOf(account)]! += amount;
};
