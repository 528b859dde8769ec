/** `supply`: where all SYM is, and whether it adds up (rules K7, K9). */
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { connect } from '../kube.ts';
import { CHAIN_HELP, chainOptions, openChain, printerOf } from '../money/money.ts';
import { readSupply, shownSupply, supplyLines } from '../money/supply-view.ts';

export const supply: Command = {
  words: ['supply'],
  summary: 'show where all SYM is, and check that it adds up',
  help: `kubectl symphony supply

Reads every part at one ledger version and checks rule K9. Exit code 1 if a line fails. Needs no key.

${CHAIN_HELP}`,
  options: chainOptions,
  run: async (invocation) => {
    const print = printerOf(invocation, supplyLines);
    const { ledger, found } = await openChain(invocation, () => connect(invocation));
    const shown = shownSupply(await readSupply(ledger), found.genesis);
    print(shown);
    const failed = shown.checks.filter(({ holds }) => !holds);
    if (failed.length > 0)
      throw new CliError(
        'SupplyInconsistent',
        `${failed.length} of ${shown.checks.length} checks failed: ${failed.map((c) => c.name).join(', ')}.`,
      );
  },
};
