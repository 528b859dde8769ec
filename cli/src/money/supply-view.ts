/** All SYM there is, part by part, and the checks of rule K9: read at one ledger version. */
import { formatSym, type Genesis } from '@scs/protocol';
import { whole, type Ledger, type LedgerPoint } from '../chain/ledger.ts';
import { timeOf } from '../chain/happenings.ts';
import { table } from './money.ts';

/** Base units of SYM. */
export interface SupplyReading {
  readonly point: LedgerPoint;
  readonly total: bigint;
  readonly genesis: bigint;
  readonly minted: bigint;
  readonly due: bigint;
  /** By the contracts' own accounts, and what really lies in each one's store. */
  readonly held: Readonly<Record<Purse, bigint>>;
  readonly stored: Readonly<Record<Purse, bigint>>;
  readonly debts: bigint;
  readonly owedToRewards: bigint;
  readonly owedToDividends: bigint;
  /** Sum of all claimable balances; what published roots may still pay. */
  readonly claimable: bigint;
  readonly promised: bigint;
}
export const purses = ['escrow', 'staking', 'rewards', 'reserve', 'dividends', 'bootstrap'] as const;
export type Purse = (typeof purses)[number];

export const readSupply = async (ledger: Ledger): Promise<SupplyReading> => {
  const point = await ledger.check();
  const ask = async (name: string) => (await ledger.view(name, [], point)).map(whole);
  const [supply, schedule, due, treasury, rewards, promised, escrowStored, stakeStored, rewardsStored, treasuryStored, potStored] =
    await Promise.all(
      [
        'settlement::supply',
        'inflation::schedule',
        'inflation::due',
        'treasury::totals',
        'rewards::totals',
        'dividends::promised',
        'escrow::stored',
        'staking::stored',
        'rewards::stored',
        'treasury::stored',
        'inflation::stored',
      ].map(ask),
    );
  const at = (list: readonly bigint[] | undefined, i: number): bigint => list?.[i] ?? 0n;
  return {
    point,
    total: at(supply, 0),
    genesis: at(schedule, 1),
    minted: at(schedule, 2),
    due: at(due, 0),
    held: {
      escrow: at(supply, 1),
      rewards: at(supply, 2),
      reserve: at(supply, 3),
      dividends: at(supply, 4),
      staking: at(supply, 5),
      bootstrap: at(supply, 6),
    },
    stored: {
      escrow: at(escrowStored, 0),
      staking: at(stakeStored, 0),
      rewards: at(rewardsStored, 0),
      reserve: at(treasuryStored, 0),
      dividends: at(treasuryStored, 1),
      bootstrap: at(potStored, 0),
    },
    debts: at(treasury, 4),
    owedToRewards: at(treasury, 2),
    owedToDividends: at(treasury, 3),
    claimable: at(rewards, 1),
    promised: at(promised, 0),
  };
};

/** What `-o json` prints, in SYM. */
export interface ShownSupply {
  readonly ledgerVersion: string;
  readonly time: string;
  readonly total: string;
  readonly genesis: string;
  readonly minted: string;
  /** What anyone could have minted by now and nobody has. */
  readonly due: string;
  readonly parts: Readonly<Record<Purse | 'accounts', string>>;
  /** Receivables, no part of the supply. */
  readonly debts: string;
  readonly owed: { readonly rewards: string; readonly dividends: string };
  readonly checks: readonly { readonly name: string; readonly holds: boolean; readonly says: string }[];
}

const sumOf = (amounts: readonly bigint[]): bigint => amounts.reduce((sum, n) => sum + n, 0n);

/** K9, line by line. What accounts hold themselves is the rest: it can't be counted without asking every account. */
export const supplyChecks = (r: SupplyReading, genesis: Genesis): ShownSupply['checks'] => {
  const agreed = sumOf(genesis.actors.map((actor) => actor.allocation)) + genesis.chain.treasuryReserve;
  const inContracts = sumOf(purses.map((purse) => r.held[purse]));
  const short = purses.filter((purse) => r.stored[purse] < r.held[purse]);
  const line = (name: string, holds: boolean, says: string) => ({ name, holds, says });
  return [
    line('genesis', r.genesis === agreed, 'the genesis supply is what the genesis file allots'),
    line('minted', r.total === r.genesis + r.minted, 'total = genesis + minted; nothing else ever mints or burns'),
    line('parts', inContracts <= r.total, 'escrow, staking, rewards, treasury and bootstrap pot are no more than the total'),
    line(
      'stores',
      short.length === 0,
      `every purse holds at least what is accounted for${short.length > 0 ? `: not ${short.join(', ')}` : ''}`,
    ),
    line('rewards', r.claimable === r.held.rewards + r.owedToRewards, 'claimable rewards = funded + owed by the treasury'),
    line('dividends', r.promised <= r.held.dividends, 'published roots promise no more than the dividend pot holds'),
  ];
};

export const shownSupply = (r: SupplyReading, genesis: Genesis): ShownSupply => {
  const parts = Object.fromEntries(purses.map((purse) => [purse, formatSym(r.held[purse])])) as Record<Purse, string>;
  return {
    ledgerVersion: `${r.point.version}`,
    time: timeOf(r.point.seconds),
    total: formatSym(r.total),
    genesis: formatSym(r.genesis),
    minted: formatSym(r.minted),
    due: formatSym(r.due),
    parts: { accounts: formatSym(r.total - sumOf(purses.map((purse) => r.held[purse]))), ...parts },
    debts: formatSym(r.debts),
    owed: { rewards: formatSym(r.owedToRewards), dividends: formatSym(r.owedToDividends) },
    checks: supplyChecks(r, genesis),
  };
};

const labels: Readonly<Record<Purse | 'accounts', string>> = {
  accounts: "accounts' own",
  escrow: 'escrow',
  staking: 'staking',
  rewards: 'rewards, funded',
  reserve: "treasury's reserve",
  dividends: 'dividend pot',
  bootstrap: 'bootstrap pot',
};
export const supplyLines = (s: ShownSupply): string[] => [
  ...table([
    ['supply', `${s.total} SYM at ledger version ${s.ledgerVersion}, ${s.time}`],
    ['genesis', `${s.genesis} SYM`],
    ['minted', `${s.minted} SYM; ${s.due} more are due and not minted`],
    ...(Object.keys(labels) as (Purse | 'accounts')[]).map((part) => [`  ${labels[part]}`, `${s.parts[part]} SYM`]),
    ['debts', `${s.debts} SYM of submitters: receivables, no part of the supply`],
    ['owed', `${s.owed.rewards} SYM to rewards, ${s.owed.dividends} to the dividend pot: met by what comes in next`],
  ]),
  ...table(s.checks.map(({ name, holds, says }) => [holds ? 'ok' : 'FAIL', name, says])),
];
