/** Locks against escrow (rule K2), in the masters' log: no transaction a task. Base units of SYM. */
import type { EscrowRecord } from '../state.ts';
import type { Draft } from './draft.ts';

/** What an admission may still lock. A requested withdrawal counts as gone at once. */
export const freeOf = (escrow: EscrowRecord): bigint => {
  const free = escrow.balance - escrow.withdrawing - escrow.locked;
  return free > 0n ? free : 0n;
};

/** Adds `change` (negative frees) to the account's locks. Throws when locks would fall below zero: a fault of the rules. */
export const changeLock = (draft: Draft, account: string, change: bigint): void => {
  if (change === 0n) return;
  const escrow = draft.must('escrow', account);
  const locked = escrow.locked + change;
  if (locked < 0n) throw new Error(`locks of ${account} fall below zero`);
  draft.put('escrow', account, { ...escrow, locked });
};
