/**
 * Settlement arithmetic (rules K3, P3, K9): exact integers, nothing lost, nothing created. Amounts are base units of SYM
 * (10^-8). What the chain reads is laid out in `settlement-layout.ts`; the contract checks the same sums.
 */
import { hex } from './encoding/bytes.ts';
import { isDigest } from './encoding/hash.ts';
import { isAddress } from './keys.ts';
import { encodeSettlementLeaf, listRoot } from './settlement-layout.ts';
import type { Batch, SettlementLeaf, Transfer } from './settlement-layout.ts';

/** Basis points of a charge; the five sum to 10,000 (K3). */
export interface FeeShares {
  readonly operators: number;
  readonly executors: number;
  readonly verifiers: number;
  readonly dividends: number;
  readonly treasury: number;
}
export interface FeeSplit {
  readonly credits: readonly Transfer[];
  readonly dividends: bigint;
  readonly treasury: bigint;
}
/** Who did the work; an address named twice (two slices, say) has twice the weight. */
export interface Contributors {
  readonly operators: readonly string[];
  readonly executors: readonly string[];
  readonly verifiers: readonly string[];
}
/** One task on its way into a batch: what will be provable, and where its charge goes. */
export interface SettledTask {
  readonly leaf: SettlementLeaf;
  readonly split: FeeSplit;
}

export const BASIS_POINTS = 10_000;

/** The contract's bounds (`scs::settlement`): a batch beyond them aborts, so the batcher cuts before. */
export const BATCH_LIMITS = { tasks: 10_000, debits: 256, credits: 256 } as const;

const U64_MAX = 2n ** 64n - 1n;
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const total = (transfers: readonly Transfer[]): bigint => transfers.reduce((sum, t) => sum + t.amount, 0n);

/** One transfer an account, ascending by address, zeros left out: the only form that the contract takes. */
export const mergeTransfers = (transfers: readonly Transfer[]): Transfer[] => {
  const amounts = new Map<string, bigint>();
  for (const { account, amount } of transfers) amounts.set(account, (amounts.get(account) ?? 0n) + amount);
  return [...amounts]
    .map(([account, amount]) => ({ account, amount }))
    .filter(({ amount }) => amount > 0n)
    .toSorted((a, b) => byText(a.account, b.account));
};

/**
 * Largest remainder (K3): each account gets its proportional share rounded down; the units left over go one each to the
 * largest remainders, ties to the lower address. Equal accounts are merged, zero amounts left out, ascending by address.
 * Throws RangeError on a negative amount or weight, and when there is something to give and nobody has weight.
 */
export const distribute = (amount: bigint, parts: readonly { account: string; weight: bigint }[]): Transfer[] => {
  if (amount < 0n || parts.some(({ weight }) => weight < 0n)) throw new RangeError('amounts and weights are not negative');
  if (amount === 0n) return [];
  const merged = mergeTransfers(parts.map(({ account, weight }) => ({ account, amount: weight })));
  const weights = total(merged);
  if (weights === 0n) throw new RangeError('nobody to distribute to');
  const shares = merged.map(({ account, amount: weight }) => ({
    account,
    amount: (amount * weight) / weights,
    remainder: (amount * weight) % weights,
  }));
  const left = Number(amount - total(shares));
  const lucky = new Set(
    shares
      .toSorted((a, b) => (a.remainder === b.remainder ? byText(a.account, b.account) : a.remainder > b.remainder ? -1 : 1))
      .slice(0, left)
      .map(({ account }) => account),
  );
  return mergeTransfers(shares.map((s) => ({ account: s.account, amount: lucky.has(s.account) ? s.amount + 1n : s.amount })));
};

/**
 * Who gets a charge (K3). A group without members leaves its share to the treasury. Throws RangeError when the shares
 * don't sum to 10,000 basis points.
 */
export const splitFee = (charge: bigint, shares: FeeShares, who: Contributors): FeeSplit => {
  const { operators, executors, verifiers, dividends, treasury } = shares;
  const points = { operators, executors, verifiers, dividends, treasury };
  if (Object.values(points).reduce((a, b) => a + b, 0) !== BASIS_POINTS) throw new RangeError('fee shares must sum to 10,000 basis points');
  const pots = new Map(
    distribute(
      charge,
      Object.entries(points).map(([account, weight]) => ({ account, weight: BigInt(weight) })),
    ).map(({ account, amount }) => [account, amount]),
  );
  const credits = (['operators', 'executors', 'verifiers'] as const).flatMap((group) =>
    who[group].length === 0
      ? []
      : distribute(
          pots.get(group) ?? 0n,
          who[group].map((account) => ({ account, weight: 1n })),
        ),
  );
  const toDividends = pots.get('dividends') ?? 0n;
  return { credits: mergeTransfers(credits), dividends: toDividends, treasury: charge - total(credits) - toDividends };
};

export interface SettlementSums {
  readonly debits: bigint;
  readonly credits: bigint;
  readonly dividends: bigint;
  readonly treasury: bigint;
}

export const settlementSums = (batch: Batch): SettlementSums => ({
  debits: total(batch.debits),
  credits: total(batch.credits),
  dividends: batch.dividends,
  treasury: batch.treasury,
});

export type BatchFault =
  | { code: 'SumsDiffer'; debits: bigint; distributed: bigint }
  | { code: 'TransfersNotOrdered'; list: 'debits' | 'credits' }
  | { code: 'ZeroAmount'; list: 'debits' | 'credits' }
  | { code: 'TooMany'; list: 'debits' | 'credits' | 'tasks'; count: number; limit: number }
  | { code: 'AmountOverflow' }
  | { code: 'MalformedBatch'; what: 'address' | 'digest' | 'amount' };

const listFault = (list: 'debits' | 'credits', transfers: readonly Transfer[]): BatchFault | undefined => {
  if (transfers.length > BATCH_LIMITS[list]) return { code: 'TooMany', list, count: transfers.length, limit: BATCH_LIMITS[list] };
  for (const [i, { account, amount }] of transfers.entries()) {
    if (!isAddress(account)) return { code: 'MalformedBatch', what: 'address' };
    if (amount === 0n) return { code: 'ZeroAmount', list };
    if (i > 0 && account <= transfers[i - 1]!.account) return { code: 'TransfersNotOrdered', list };
  }
  return undefined;
};

/** What the contract would refuse it for; undefined when the batch is sound (P3). */
export const batchFault = (batch: Batch): BatchFault | undefined => {
  if (!isDigest(batch.tasksRoot)) return { code: 'MalformedBatch', what: 'digest' };
  const sums = settlementSums(batch);
  const amounts = [...batch.debits, ...batch.credits].map((t) => t.amount).concat(batch.dividends, batch.treasury);
  if (amounts.some((n) => n < 0n)) return { code: 'MalformedBatch', what: 'amount' };
  if (Object.values(sums).some((sum) => sum > U64_MAX)) return { code: 'AmountOverflow' };
  if (batch.taskCount < 1n || batch.taskCount > BATCH_LIMITS.tasks)
    return { code: 'TooMany', list: 'tasks', count: Number(batch.taskCount), limit: BATCH_LIMITS.tasks };
  const fault = listFault('debits', batch.debits) ?? listFault('credits', batch.credits);
  if (fault) return fault;
  const distributed = sums.credits + sums.dividends + sums.treasury;
  return sums.debits === distributed ? undefined : { code: 'SumsDiffer', debits: sums.debits, distributed };
};

const checkTask = ({ leaf, split }: SettledTask): void => {
  if (leaf.charge < 0n || leaf.charge + leaf.refund !== leaf.quote || leaf.refund < 0n)
    throw new RangeError(`task ${leaf.envelope}: charge and refund are not the quote`);
  if (total(split.credits) + split.dividends + split.treasury !== leaf.charge)
    throw new RangeError(`task ${leaf.envelope}: the split is not the charge`);
};

/**
 * One batch of tasks in the given order (P1, P3): the order fixes each task's index under `tasksRoot`. Throws RangeError on
 * tasks whose figures don't add up and on a batch that the contract would refuse: both are faults of the caller.
 */
export const buildBatch = (input: { number: bigint; epoch: bigint; tasks: readonly SettledTask[] }): Batch => {
  const { number, epoch, tasks } = input;
  for (const task of tasks) checkTask(task);
  const batch: Batch = {
    number,
    epoch,
    tasksRoot: hex(listRoot(tasks.map(({ leaf }) => encodeSettlementLeaf(leaf)))),
    taskCount: BigInt(tasks.length),
    debits: mergeTransfers(tasks.map(({ leaf }) => ({ account: leaf.submitter, amount: leaf.charge }))),
    credits: mergeTransfers(tasks.flatMap(({ split }) => split.credits)),
    dividends: tasks.reduce((sum, { split }) => sum + split.dividends, 0n),
    treasury: tasks.reduce((sum, { split }) => sum + split.treasury, 0n),
  };
  const fault = batchFault(batch);
  if (fault) throw new RangeError(`batch ${number}: ${fault.code}`);
  return batch;
};

/**
 * How many of the tasks, from the first, fit in one batch: the batcher cuts there (P1). At least one when there is one,
 * since a task debits one account and credits few.
 */
export const tasksThatFit = (tasks: readonly SettledTask[]): number => {
  const debits = new Set<string>();
  const credits = new Set<string>();
  for (const [i, { leaf, split }] of tasks.entries()) {
    if (leaf.charge > 0n) debits.add(leaf.submitter);
    for (const { account } of split.credits) credits.add(account);
    if (i >= BATCH_LIMITS.tasks || debits.size > BATCH_LIMITS.debits || credits.size > BATCH_LIMITS.credits) return i;
  }
  return tasks.length;
};
