/** What a chain refuses, as a sentence that says what to change. The code is the word of docs/contracts.md, `EscrowInsufficient`. */
import { AptosApiError } from '@aptos-labs/ts-sdk';
import { moveAbort } from '@scs/protocol';
import { CliError } from '../errors.ts';

/** By module and word: what an account's owner can run into, and mend. The others are shown as the chain says them. */
export const sentences: Readonly<Record<string, string>> = {
  'fungible_asset::InsufficientBalance':
    'The account holds less SYM than that. See kubectl symphony account; escrow and stake are not part of its balance.',
  'escrow::ZeroAmount': 'An amount of nothing moves nothing. Give an amount above 0.',
  'escrow::EscrowInsufficient': 'The escrow holds less than that. See kubectl symphony account, and ask for at most what escrow says.',
  'escrow::WithdrawalPending':
    'A withdrawal is under way: collect it when it is ripe (kubectl symphony withdraw), or end it with --cancel and ask anew.',
  'escrow::NoWithdrawal':
    'No withdrawal is under way: none was asked for, it expired unused, or settled tasks took all of it. Ask with kubectl symphony withdraw AMOUNT.',
  'escrow::WithdrawalNotRipe':
    'The withdrawal is not ripe yet. kubectl symphony account shows ripensAt; collect it between that and expiresAt.',
  'rewards::NothingToClaim': 'There is nothing to claim. Rewards come with settled batches; see kubectl symphony rewards.',
  'rewards::NotFundedYet': 'What you earned is owed but not funded yet. Try again after the next settlement, or when a debtor has paid in.',
  'staking::ZeroAmount': 'An amount of nothing moves nothing. Give an amount above 0.',
  'staking::UnknownRole': 'Accounts bond as enterprise or producer; for a master give --role master with --master-keys FOLDER.',
  'staking::Expelled': 'This account lost stake and membership in this role, for good: it cannot bond again.',
  'staking::StakeInsufficient': 'Less is bonded in this role than that. See kubectl symphony account.',
  'staking::UnbondPending':
    'An unbonding is under way: collect it when it is ripe (kubectl symphony unstake), or end it with --cancel and ask anew.',
  'staking::NoUnbond': 'Nothing is unbonding in this role. Ask with kubectl symphony unstake AMOUNT.',
  'staking::UnbondNotRipe': 'What is unbonding is not ripe yet. kubectl symphony account shows when.',
  'staking::BadSignature':
    "The master's key did not sign for this account, or the genesis is another group's. Give that master's --master-keys and the group's --genesis.",
  'staking::UnknownMaster': 'That key is no master of the current committee. See kubectl symphony genesis show.',
  'staking::MasterTaken': 'Another account bonds for this master already; it stays so for good.',
  'dividends::UnknownRoot': 'No such root is published yet. Wait until the masters publish it, or fetch the proofs again from the Vault.',
  'dividends::AlreadyClaimed': 'One of these dividends is claimed already. kubectl symphony rewards --dividends FILE shows which.',
  'dividends::PathMismatch':
    "A proof does not fit its root: it is another account's, or the file is not as the Vault wrote it. Fetch it again.",
  'dividends::AboveTotal':
    'The leaves of this root claim more than its total: the root was built wrongly. Ask the enterprise of the Vault.',
};

/** For `what` was refused with `vmStatus`, by the account at `address`. */
export const refusalOfStatus = (what: string, vmStatus: string, address: string): CliError => {
  const abort = moveAbort(vmStatus);
  const sentence = abort && sentences[`${abort.module}::${abort.word}`];
  if (sentence) return new CliError(abort.word, sentence);
  if (abort) return new CliError('ChainRefused', `The chain refused ${what}: ${vmStatus.slice(0, 400)}`);
  if (/OUT[_ ]OF[_ ]GAS|INSUFFICIENT_BALANCE|MAX_GAS_UNITS/i.test(vmStatus)) return noGas(address);
  if (/INVALID_AUTH_KEY/i.test(vmStatus))
    return new CliError('KeyRotated', `The key of ${address} was changed on chain: sign with the key that is in force now.`);
  if (/SEQUENCE_NUMBER|TRANSACTION_EXPIRED|mempool_is_full/i.test(vmStatus))
    return new CliError(
      'ChainBusy',
      `Another transaction of ${address} came between, or the node is busy. Nothing was changed: try again.`,
    );
  return new CliError('ChainRefused', `The chain refused ${what}: ${vmStatus.slice(0, 400)}`);
};

const noGas = (address: string): CliError =>
  new CliError(
    'GasInsufficient',
    `${address} cannot pay for the transaction. Send it some of the chain's own coin (APT on Aptos): SYM pays no gas.`,
  );

/** Anything that a call of the node throws, as a CliError. */
export const chainRefusal = (what: string, cause: unknown, address = ''): CliError => {
  if (cause instanceof CliError) return cause;
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, 400);
  if (cause instanceof AptosApiError) {
    if (cause.status === 429)
      return new CliError('ChainBusy', `The node takes no more requests for now (${what}). Wait, or give another --chain-url.`);
    if (/module_not_found|LINKER_ERROR|FUNCTION_RESOLUTION_FAILURE/i.test(message))
      return new CliError('ContractMissing', 'The contracts of this genesis are not on that chain. Give another --chain-url or --genesis.');
    if (/account_not_found/i.test(message) && address) return noGas(address);
    return refusalOfStatus(what, message, address);
  }
  const network = cause instanceof TypeError || (cause instanceof Error && (cause.cause instanceof Error || 'code' in cause));
  return network
    ? new CliError('ChainUnreachable', `The chain can't be asked for ${what}: ${message}`)
    : new CliError('ChainRefused', `The chain refused ${what}: ${message}`);
};
