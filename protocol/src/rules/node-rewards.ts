/**
 * Node rewards (rule K7): when an epoch closes, what the chain's schedule is read to have minted and nobody was promised goes to
 * masters, equally, and to enterprises, by the slices and aggregations of theirs that the epoch verified. Minting follows the chain's
 * time; how long an epoch is changes nothing. Who has bonded less than the policy asks gets none, and what nobody gets stays.
 */
import { U64_MAX } from '../amounts.ts';
import { economyOf } from '../economy.ts';
import { encodeNodeRewards } from '../inflation.ts';
import { BATCH_LIMITS, distribute, mergeTransfers } from '../settlement.ts';
import type { Transfer } from '../settlement-layout.ts';
import type { TaskRecord } from '../state.ts';
import { policyOf, type RuleContext } from './context.ts';
import { bondedBy, decideLeaf, economyIn } from './economy.ts';
import type { Draft } from './draft.ts';
import { contributorsOf } from './settle.ts';

const workersIndex = (epoch: number): string => `work/${epoch}`;

/** Once a task is verified: one for each slice, and one for the aggregation. */
export const noteWork = (draft: Draft, task: TaskRecord, epoch: number, { genesis }: Pick<RuleContext, 'genesis'>): void => {
  for (const account of contributorsOf(task, genesis).executors) {
    const known = draft.get('work', `${epoch}/${account}`);
    draft.put('work', `${epoch}/${account}`, { done: (known?.done ?? 0) + 1 });
    if (!known) draft.put('index', workersIndex(epoch), [...(draft.get('index', workersIndex(epoch)) ?? []), account]);
  }
};
/** Forgets the epoch's work. */
const takeWork = (draft: Draft, epoch: number): readonly { account: string; weight: bigint }[] => {
  const accounts = draft.get('index', workersIndex(epoch)) ?? [];
  const work = accounts.map((account) => ({ account, weight: BigInt(draft.must('work', `${epoch}/${account}`).done) }));
  for (const account of accounts) draft.drop('work', `${epoch}/${account}`);
  if (accounts.length > 0) draft.drop('index', workersIndex(epoch));
  return work;
};

const given = (amount: bigint, parts: readonly { account: string; weight: bigint }[]): Transfer[] =>
  parts.length === 0 ? [] : distribute(amount, parts);

export const rewardNodes = (draft: Draft, epoch: number, ctx: RuleContext): void => {
  const { stakes, nodeRewards } = economyOf(policyOf(ctx.genesis, draft.must('meta').policyVersion));
  const work = takeWork(draft, epoch).filter(({ account }) => bondedBy(draft, 'enterprise', account) >= stakes.enterprise);
  const masters = ctx.genesis.masters
    .filter(({ publicKey }) => bondedBy(draft, 'master', publicKey) >= stakes.master)
    .map(({ rewardAddress: account }) => ({ account, weight: 1n }));
  const { minted, rewarded } = economyIn(draft);
  const unpaid = minted - rewarded;
  // more than 64 bits fit in no leaf, and a tick must never fail
  const available = unpaid < U64_MAX ? unpaid : U64_MAX;
  const toMasters = (available * BigInt(nodeRewards.masters)) / 10_000n;
  const transfers = mergeTransfers([...given(toMasters, masters), ...given(available - toMasters, work)]);
  for (let from = 0; from < transfers.length; from += BATCH_LIMITS.credits) {
    const part = transfers.slice(from, from + BATCH_LIMITS.credits);
    decideLeaf(draft, 'node-rewards', epoch, (number) => encodeNodeRewards({ number, transfers: part }));
  }
  const economy = economyIn(draft);
  const promised = transfers.reduce((sum, { amount }) => sum + amount, 0n);
  if (promised > 0n) draft.put('economy', '', { ...economy, rewarded: rewarded + promised });
};
