/** One account's SYM, wherever it lies (rules K2, K8, G3): read at one ledger version, shown as data or lines. */
import { formatSym, stakeRoles } from '@scs/protocol';
import { timeOf } from '../chain/happenings.ts';
import { whole, type Ledger, type LedgerPoint } from '../chain/ledger.ts';
import { table } from './money.ts';

/** What `-o json` prints: amounts in SYM as decimal strings, times in RFC 3339. */
export interface ShownStake {
  readonly role: string;
  readonly bonded: string;
  readonly since?: string;
  readonly unbonding: string;
  readonly ripensAt?: string;
  readonly offences: number;
  readonly expelled: boolean;
}
export interface ShownAccount {
  readonly account: string;
  readonly balance: string;
  readonly escrow: string;
  readonly withdrawing: string;
  readonly ripensAt?: string;
  readonly expiresAt?: string;
  readonly debt: string;
  readonly claimable: string;
  /** In whole coins of the chain, not SYM. */
  readonly gas: string;
  /** Of the roles in which something is bonded, unbonding or lost. */
  readonly stakes: readonly ShownStake[];
}

const stakeOf = async (ledger: Ledger, role: string, number: number, address: string, point: LedgerPoint): Promise<ShownStake[]> => {
  const [bonded, since, unbonding, ripensAt, offences, expelled] = await ledger.view('staking::bond', [number, address], point);
  if ([bonded, unbonding, offences].every((n) => whole(n) === 0n)) return [];
  return [
    {
      role,
      bonded: formatSym(whole(bonded)),
      ...(whole(since) > 0n && { since: timeOf(whole(since)) }),
      unbonding: formatSym(whole(unbonding)),
      ...(whole(unbonding) > 0n && { ripensAt: timeOf(whole(ripensAt)) }),
      offences: Number(whole(offences)),
      expelled: expelled === true,
    },
  ];
};

/** Throws CliError when the chain can't be asked, or is another. */
export const readAccount = async (ledger: Ledger, address: string): Promise<ShownAccount> => {
  const point = await ledger.check();
  const [[balance], escrow, [claimable], gas, stakes] = await Promise.all([
    ledger.view('sym::balance', [address], point),
    ledger.view('escrow::account', [address], point),
    ledger.view('rewards::claimable', [address], point),
    ledger.gasBalance(address),
    Promise.all(Object.entries(stakeRoles).map(([role, number]) => stakeOf(ledger, role, number, address, point))),
  ]);
  const [held, withdrawing, ripensAt, expiresAt, debt] = escrow.map(whole) as [bigint, bigint, bigint, bigint, bigint];
  return {
    account: address,
    balance: formatSym(whole(balance)),
    escrow: formatSym(held),
    withdrawing: formatSym(withdrawing),
    ...(withdrawing > 0n && { ripensAt: timeOf(ripensAt), expiresAt: timeOf(expiresAt) }),
    debt: formatSym(debt),
    claimable: formatSym(whole(claimable)),
    gas: formatSym(gas),
    stakes: stakes.flat(),
  };
};

const stakeText = ({ bonded, since, unbonding, ripensAt, offences, expelled }: ShownStake): string =>
  [
    `${bonded} SYM bonded${since ? ` since ${since}` : ''}`,
    ...(ripensAt ? [`${unbonding} SYM unbonding, ripe at ${ripensAt}`] : []),
    ...(offences > 0 ? [`${offences} ${offences === 1 ? 'offence' : 'offences'}`] : []),
    ...(expelled ? ['expelled'] : []),
  ].join('; ');

export const accountLines = (view: ShownAccount): string[] =>
  table([
    ['account', view.account],
    ['balance', `${view.balance} SYM`],
    ['escrow', `${view.escrow} SYM`],
    ['withdrawing', `${view.withdrawing} SYM${view.ripensAt ? `, ripe at ${view.ripensAt}, unless unused by ${view.expiresAt}` : ''}`],
    ['debt', `${view.debt} SYM`],
    ['claimable', `${view.claimable} SYM`],
    ...view.stakes.map((stake) => [`stake, ${stake.role}`, stakeText(stake)]),
    ['gas', `${view.gas} of the chain's own coin`],
  ]);
