/** What an account has earned and not fetched (rules K2, K3, K6): funded or still owed, and what waits in the dividend pot. */
import { formatSym } from '@scs/protocol';
import { whole, type Ledger } from '../chain/ledger.ts';
import type { ShownClaim } from './dividend-file.ts';
import { table } from './money.ts';

export interface RewardReading {
  readonly claimable: bigint;
  /** What a claim would pay now; the rest is owed until the treasury can fund it. */
  readonly funded: bigint;
}
/** What `-o json` prints, in SYM. */
export interface ShownRewards {
  readonly account: string;
  readonly claimable: string;
  readonly funded: string;
  readonly owed: string;
  readonly dividends: {
    /** In the treasury's pot, of it promised by published roots, and what the next roots can give out. */
    readonly pot: string;
    readonly promised: string;
    readonly next: string;
    /** Owed to the pot until the treasury can fund it. */
    readonly owed: string;
    /** With --dividends: the proofs of the file, and what can be claimed by them now. */
    readonly proofs?: readonly ShownClaim[];
    readonly claimable?: string;
  };
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export const readRewards = async (ledger: Ledger, address: string): Promise<RewardReading> => {
  const point = await ledger.check();
  const [[claimable], [held]] = await Promise.all([
    ledger.view('rewards::claimable', [address], point),
    ledger.view('rewards::totals', [], point),
  ]);
  return { claimable: whole(claimable), funded: least(whole(claimable), whole(held)) };
};

export const readPot = async (ledger: Ledger): Promise<{ readonly pot: bigint; readonly promised: bigint; readonly owed: bigint }> => {
  const point = await ledger.check();
  const [[, pot, , owed], [promised]] = await Promise.all([
    ledger.view('treasury::totals', [], point),
    ledger.view('dividends::promised', [], point),
  ]);
  return { pot: whole(pot), promised: whole(promised), owed: whole(owed) };
};

export const shownRewards = (
  account: string,
  { claimable, funded }: RewardReading,
  { pot, promised, owed }: Awaited<ReturnType<typeof readPot>>,
  proofs: { readonly claims: readonly ShownClaim[]; readonly claimable: bigint } | undefined,
): ShownRewards => ({
  account,
  claimable: formatSym(claimable),
  funded: formatSym(funded),
  owed: formatSym(claimable - funded),
  dividends: {
    pot: formatSym(pot),
    promised: formatSym(promised),
    next: formatSym(pot - promised),
    owed: formatSym(owed),
    ...(proofs && { proofs: proofs.claims, claimable: formatSym(proofs.claimable) }),
  },
});

export const rewardLines = ({ account, claimable, funded, owed, dividends }: ShownRewards): string[] => [
  ...table([
    ['account', account],
    ['rewards', `${claimable} SYM: ${funded} can be claimed now, ${owed} not funded yet`],
    ['next dividends', `${dividends.next} SYM wait in the pot for the next roots; ${dividends.promised} are promised by roots already`],
    ...(dividends.claimable === undefined ? [] : [['dividends', `${dividends.claimable} SYM can be claimed by this file`]]),
  ]),
  ...(dividends.proofs
    ? [
        '',
        ...table([
          ['root', 'leaf', 'SYM', 'pays you', 'state'],
          ...dividends.proofs.map((p) => [p.number, `${p.index}`, p.amount, p.pays, p.state]),
        ]),
      ]
    : []),
];
