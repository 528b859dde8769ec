/** `rewards` shows what an account has earned; `claim` collects it (rules K3, K5, K6). */
import type { Call, Ledger } from '../chain/ledger.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError } from '../errors.ts';
import { dividendCalls, DIVIDENDS_HELP, judgeClaims, readDividendFile, shownClaim, type JudgedClaim } from '../money/dividend-file.ts';
import { MONEY_HELP, moneyOptions, openMoney, printerOf } from '../money/money.ts';
import { readPot, readRewards, rewardLines, shownRewards } from '../money/reward-view.ts';
import { transact, TRANSACTION_HELP, transactionOptions } from '../money/transact.ts';

const judged = async (invocation: Invocation, ledger: Ledger, address: string): Promise<JudgedClaim[] | undefined> => {
  const file = invocation.text('dividends');
  return file === undefined ? undefined : judgeClaims(ledger, await readDividendFile(file, address));
};
const claimableOf = (claims: readonly JudgedClaim[]) => claims.filter(({ state }) => state === 'claimable').map(({ claim }) => claim);

export const rewards: Command = {
  words: ['rewards'],
  summary: 'show what can be claimed, what is owed, and the next dividends',
  help: `kubectl symphony rewards [--dividends FILE]

${DIVIDENDS_HELP}
${MONEY_HELP}`,
  options: { ...moneyOptions, dividends: { type: 'string' } },
  run: async (invocation) => {
    const print = printerOf(invocation, rewardLines);
    const { ledger, wallet } = await openMoney(invocation);
    const [earned, pot] = [await readRewards(ledger, wallet.address), await readPot(ledger)];
    const claims = await judged(invocation, ledger, wallet.address);
    const proofs = claims && {
      claims: claims.map(shownClaim),
      claimable: claims.reduce((sum, { pays }) => sum + pays, 0n),
    };
    print(shownRewards(wallet.address, earned, pot, proofs));
  },
};

/** Throws CliError when there is nothing: a transaction that is known to fail costs gas. */
const claimCalls = async (invocation: Invocation, ledger: Ledger, address: string): Promise<Call[]> => {
  const { claimable, funded } = await readRewards(ledger, address);
  const claims = await judged(invocation, ledger, address);
  const misfit = claims?.find(({ state }) => state === 'proof does not fit' || state === 'above the total');
  if (misfit)
    throw new CliError(
      'DividendProofInvalid',
      `The proof of leaf ${misfit.claim.index} under root ${misfit.claim.number}: ${misfit.state}. Fetch the file again from the Vault; nothing was claimed.`,
    );
  const calls = [...(funded > 0n ? [{ name: 'rewards::claim', args: [] }] : []), ...dividendCalls(claimableOf(claims ?? []))];
  if (calls.length > 0) return calls;
  if (claimable > 0n)
    throw new CliError('NotFundedYet', 'What you earned is owed but not funded yet. Try again after the next settlement.');
  throw new CliError(
    'NothingToClaim',
    claims
      ? `${address} has nothing to claim: no rewards, and of ${claims.length} dividends in the file none is open (kubectl symphony rewards --dividends FILE shows why).`
      : `${address} has no rewards to claim. Dividends need their proofs: --dividends FILE, from your Vault.`,
  );
};

export const claim: Command = {
  words: ['claim'],
  summary: 'collect rewards, and dividends by a file of proofs',
  help: `kubectl symphony claim [--dividends FILE]

Pays rewards, as far as they are funded, and every dividend of the file that is published and not claimed yet: 64 in one
transaction. Everything is simulated before the first transaction is sent.

${DIVIDENDS_HELP}
${TRANSACTION_HELP}`,
  options: { ...transactionOptions, dividends: { type: 'string' } },
  run: (invocation) => transact(invocation, ({ ledger, wallet }) => claimCalls(invocation, ledger, wallet.address)),
};
