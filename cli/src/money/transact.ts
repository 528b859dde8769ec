/** Sends calls, or with `--dry-run` simulates them on the chain, and says what each did or would do, its gas, and the account then. */
import { formatSym } from '@scs/protocol';
import { sentenceOf, type Happening } from '../chain/happenings.ts';
import type { Call, Receipt } from '../chain/ledger.ts';
import type { Invocation, Options } from '../command.ts';
import { accountLines, readAccount, type ShownAccount } from './account-view.ts';
import { MONEY_HELP, moneyOptions, openMoney, printerOf, table, type OpenedMoney } from './money.ts';

export const transactionOptions = { ...moneyOptions, 'dry-run': { type: 'boolean' } } as const satisfies Options;
export const TRANSACTION_HELP = `  --dry-run             simulate on the chain: says what would happen and its gas, changes nothing
${MONEY_HELP}`;

/** What `-o json` prints. */
export interface ShownTransaction {
  readonly call: string;
  /** Absent of a dry run. */
  readonly hash?: string;
  readonly gas: { readonly units: string; readonly price: string; readonly fee: string };
  readonly happened: readonly Happening[];
}
export interface Outcome {
  readonly dryRun: boolean;
  readonly transactions: readonly ShownTransaction[];
  /** As it is now: of a dry run, as it was before. */
  readonly account: ShownAccount;
}

const shown = ({ call, hash, gasUnits, gasPrice, happenings }: Receipt): ShownTransaction => ({
  call,
  ...(hash !== undefined && { hash }),
  gas: { units: `${gasUnits}`, price: `${gasPrice}`, fee: formatSym(gasUnits * gasPrice) },
  happened: happenings,
});

const outcomeLines = ({ dryRun, transactions, account }: Outcome): string[] => [
  ...transactions.flatMap(({ call, hash, gas, happened }) =>
    table([
      ...happened.map((h) => [dryRun ? 'would' : 'done', sentenceOf(h)]),
      ['call', call],
      ['transaction', hash ?? 'none: a dry run changes nothing'],
      ['gas', `${gas.units} units, ${gas.fee} of the chain's own coin`],
      [''],
    ]),
  ),
  ...accountLines(account),
];

/**
 * `callsFor` may look at the chain first. All calls are simulated before the first is sent, so that a refusal leaves nothing half done;
 * a later one that depends on an earlier one's effect is not for here.
 */
export const transact = async (invocation: Invocation, callsFor: (opened: OpenedMoney) => Promise<readonly Call[]>): Promise<void> => {
  const print = printerOf<Outcome>(invocation, outcomeLines);
  const opened = await openMoney(invocation);
  const { ledger, wallet } = opened;
  await ledger.check();
  const calls = await callsFor(opened);
  const seed = await wallet.seed();
  const dryRun = invocation.flag('dry-run');
  const receipts: Receipt[] = [];
  if (dryRun || calls.length > 1) for (const call of calls) receipts.push(await ledger.simulate(seed, call));
  if (!dryRun) {
    receipts.length = 0;
    for (const call of calls) receipts.push(await ledger.call(seed, call));
  }
  print({ dryRun, transactions: receipts.map(shown), account: await readAccount(ledger, wallet.address) });
};
