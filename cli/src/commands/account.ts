/** `account`: SYM of one key or address, wherever it lies (rules K2, K8). */
import { connect } from '../kube.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import { accountLines, readAccount } from '../money/account-view.ts';
import { MONEY_HELP, moneyOptions, openChain, openMoney, printerOf } from '../money/money.ts';

export const account: Command = {
  words: ['account'],
  summary: 'show balance, escrow, debts, stakes and what can be claimed',
  help: `kubectl symphony account [ADDRESS]

Without ADDRESS the wallet's own. Looking needs no secret key.

${MONEY_HELP}`,
  options: moneyOptions,
  arguments: 1,
  run: async (invocation) => {
    const print = printerOf(invocation, accountLines);
    const [address] = invocation.positionals;
    if (address === undefined) {
      const { ledger, wallet } = await openMoney(invocation);
      return print(await readAccount(ledger, wallet.address));
    }
    if (!/^0x[0-9a-f]{64}$/.test(address)) throw new UsageError(`${address} is not an address: 0x and 64 hex digits.`);
    const { ledger } = await openChain(invocation, () => connect(invocation));
    return print(await readAccount(ledger, address));
  },
};
