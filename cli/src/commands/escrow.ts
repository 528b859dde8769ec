/** `deposit`, its alias `fund`, and `withdraw`: into the escrow that tasks are paid from, and out of it (rule K2). */
import type { Call } from '../chain/ledger.ts';
import type { Command, Invocation } from '../command.ts';
import { UsageError } from '../errors.ts';
import { amountOf } from '../money/money.ts';
import { transact, TRANSACTION_HELP, transactionOptions } from '../money/transact.ts';

const depositAs = (word: string, summary: string): Command => ({
  words: [word],
  summary,
  help: `kubectl symphony ${word} AMOUNT

Moves AMOUNT SYM from the account into its escrow, from which settled tasks are charged. A debt is repaid first.
deposit and fund are the same.

${TRANSACTION_HELP}`,
  options: transactionOptions,
  arguments: 1,
  run: (invocation) => {
    const [amount] = invocation.positionals;
    if (!amount) throw new UsageError(`How much? kubectl symphony ${word} AMOUNT, in SYM.`);
    const call: Call = { name: 'escrow::deposit', args: [amountOf(amount)] };
    return transact(invocation, () => Promise.resolve([call]));
  },
});
export const deposit = depositAs('deposit', 'move SYM from the account into its escrow, for tasks');
export const fund = depositAs('fund', 'the same as deposit');

const withdrawal = (invocation: Invocation): Call => {
  const [amount] = invocation.positionals;
  const cancel = invocation.flag('cancel');
  if (cancel && amount) throw new UsageError('--cancel ends the whole withdrawal: give no AMOUNT beside it.');
  if (cancel) return { name: 'escrow::cancel_withdrawal', args: [] };
  return amount ? { name: 'escrow::request_withdrawal', args: [amountOf(amount)] } : { name: 'escrow::withdraw', args: [] };
};
export const withdraw: Command = {
  words: ['withdraw'],
  summary: 'ask for SYM back from escrow (AMOUNT), or collect what is ripe',
  help: `kubectl symphony withdraw AMOUNT     asks: from now on AMOUNT can't be locked by new tasks
kubectl symphony withdraw            collects what is ripe, into the account
kubectl symphony withdraw --cancel   ends the request

It ripens after a delay longer than the longest task, and expires if it isn't collected in time. No master is needed.

${TRANSACTION_HELP}`,
  options: { ...transactionOptions, cancel: { type: 'boolean' } },
  arguments: 1,
  run: (invocation) => {
    const call = withdrawal(invocation);
    return transact(invocation, () => Promise.resolve([call]));
  },
};
