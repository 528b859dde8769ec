/**
 * Data contribution credits (rule N3): an enterprise whose Vault served a task of an unaffiliated payer earns a part of what that payer
 * paid, as credits that later offset fees of its own tasks. Credits are no money: a fee that they meet is neither taken from an
 * escrow nor distributed. What is earned on a task stays below what was paid for it. Base units of SYM.
 */
import { economyOf } from '../economy.ts';
import type { Actor, Genesis } from '../genesis.ts';
import type { TaskRecord } from '../state.ts';
import type { Transfer } from '../settlement-layout.ts';
import { distribute, mergeTransfers } from '../settlement.ts';
import { policyOf } from './context.ts';
import type { Draft, Readable } from './draft.ts';

export const creditOf = (state: Readable, account: string): bigint => state.get('credit', account)?.balance ?? 0n;

/** What of a charge is taken in SYM: the rest is met by credits. */
export const paidOf = ({ charge, creditUsed }: Pick<TaskRecord, 'charge' | 'creditUsed'>): bigint => (charge ?? 0n) - (creditUsed ?? 0n);

const areAffiliated = (payer: string, enterprise: string, actor: Actor | undefined): boolean =>
  payer === enterprise || actor?.affiliation === enterprise;

/**
 * What each enterprise earns on a fee of `paid`: the policy's part of it, one share for each Vault that delivered, rounded down
 * together and then by largest remainder. Shares of enterprises that are affiliated with the payer are not given to anyone.
 */
export const earnedCredits = (
  paid: bigint,
  operators: readonly string[],
  basisPoints: number,
  isAffiliated: (enterprise: string) => boolean,
): Transfer[] =>
  operators.length === 0
    ? []
    : distribute(
        (paid * BigInt(basisPoints)) / 10_000n,
        operators.map((account) => ({ account, weight: 1n })),
      ).filter(({ account }) => !isAffiliated(account));

/** How a batch's tasks draw on credits and earn some, in their order; nothing is written until `apply`. */
export const creditsOfBatch = (state: Readable, genesis: Genesis) => {
  const used = new Map<string, bigint>();
  return {
    /** Meets as much of the charge as the payer's credits can. */
    use: (payer: string, charge: bigint): bigint => {
      const left = creditOf(state, payer) - (used.get(payer) ?? 0n);
      const amount = left < charge ? left : charge;
      if (amount > 0n) used.set(payer, (used.get(payer) ?? 0n) + amount);
      return amount;
    },
    earned: (task: TaskRecord, paid: bigint, operators: readonly string[]): Transfer[] => {
      const { creditBasisPoints } = economyOf(policyOf(genesis, task.policyVersion));
      const { submitter } = task.spec;
      const actor = state.get('actor', submitter);
      return earnedCredits(paid, operators, creditBasisPoints, (enterprise) => areAffiliated(submitter, enterprise, actor));
    },
  };
};

/** Credits used and earned by the tasks that are in the batch. */
export const applyCredits = (draft: Draft, used: readonly Transfer[], earned: readonly Transfer[]): void => {
  for (const { account, amount } of mergeTransfers(used)) draft.put('credit', account, { balance: creditOf(draft, account) - amount });
  for (const { account, amount } of mergeTransfers(earned)) draft.put('credit', account, { balance: creditOf(draft, account) + amount });
};
