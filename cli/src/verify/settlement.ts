/** Lines on what it cost and how it was settled (rules K1, K3, P1-P4): fee, place in the batch, certificate, shares, chain. */
import {
  batchKey,
  contributorsOf,
  decodeBatch,
  encodeBatch,
  encodeSettlementLeaf,
  fromHex,
  hex,
  leafFault,
  rootFromPath,
  settlementLeafOf,
  type Batch,
  type Transfer,
} from '@scs/protocol';
import { batchFault, splitFee } from '@scs/protocol/settlement.ts';
import { policyOf } from '@scs/protocol/rules/context.ts';
import { queryPrice } from '@scs/protocol/rules/pricing.ts';
import { check, skip, type Basis, type Check } from './check.ts';
import { differs, first, type Subject } from './subject.ts';

const UNSETTLED = 'the task is not settled yet';

export const fee = ({ record, genesis, envelope }: Subject): Check =>
  check(
    'fee',
    'recomputation',
    'the charge follows from the policy and the Vaults that delivered, and is at most the quote and maxFee',
    () => {
      const { charge, quote, plan, parts, maxFee, policyVersion } = record();
      if (charge === undefined || quote === undefined || plan === undefined) return 'no charge is fixed';
      const policy = policyOf(genesis, policyVersion);
      const delivered = parts.filter((p) => p.release);
      return first(
        differs('the charge', charge === queryPrice(policy, delivered, plan.epsilon)),
        differs('the quote', quote === envelope().quote),
        charge > quote || quote > maxFee ? 'the charge is above the quote or maxFee' : undefined,
      );
    },
  );

/** Before the batch there is nothing to check; a task that says it is completed without proof of it is a failure. */
const settled = (subject: Subject, name: string, basis: Basis, proves: string, find: (batch: Batch) => string | undefined): Check => {
  const { bundle, batch } = subject;
  if (bundle.batch && bundle.settlement)
    return check(name, basis, proves, () => {
      const decoded = batch();
      return decoded ? find(decoded) : 'there is no batch';
    });
  return claimsToBeSettled(subject)
    ? check(name, basis, proves, () => 'the task is completed, but the proof of its settlement is missing')
    : skip(name, basis, proves, UNSETTLED);
};
const claimsToBeSettled = ({ task, record }: Subject): boolean => {
  if (task.status?.state === 'completed') return true;
  try {
    return record().state === 'completed';
  } catch {
    // A record that can't be read claims nothing; the line on the record says so.
    return false;
  }
};

export const settlementLeaf = (subject: Subject): Check =>
  settled(
    subject,
    'settlement-leaf',
    'recomputation',
    'the charge is a leaf of the settlement batch: envelope, quote, charge, refund, evidence',
    (batch) => {
      const { index, count, path } = subject.bundle.settlement!;
      const leaf = encodeSettlementLeaf(settlementLeafOf(subject.record()));
      const root = rootFromPath(index, count, leaf, path.map(fromHex));
      return differs("the batch's root of tasks", root !== undefined && hex(root) === batch.tasksRoot && BigInt(count) === batch.taskCount);
    },
  );

export const batchCertified = (subject: Subject): Check =>
  settled(subject, 'batch', 'certificate', 'two of three masters certified the settlement batch, of the epoch of the task', (batch) => {
    const { digest, record, bundle, committee } = subject;
    const leaf = bundle.batch!;
    const { batch: number, verifiedEpoch } = record();
    if (number === undefined || leaf.key !== batchKey(number)) return `the leaf is ${leaf.key}, not that of the task's batch`;
    return first(
      leafFault(leaf, digest, committee)?.code,
      differs('the number', batch.number === number),
      differs('the encoding', hex(encodeBatch(decodeBatch(fromHex(leaf.value)))) === leaf.value),
      differs('the epoch', batch.epoch === BigInt(verifiedEpoch ?? -1)),
    );
  });

const amountOf = (transfers: readonly Transfer[], account: string): bigint => transfers.find((t) => t.account === account)?.amount ?? 0n;

/** Other tasks share the batch, so its transfers are at least this task's; with one task alone they are just these. */
export const payout = (subject: Subject): Check =>
  settled(
    subject,
    'payout',
    'recomputation',
    "the batch takes the charge from the submitter, pays this task's shares, and adds up",
    (batch) => {
      const { record, genesis } = subject;
      const task = record();
      const { charge, evidence: _evidence, refund: _refund, submitter } = settlementLeafOf(task);
      const split = splitFee(charge, policyOf(genesis, task.policyVersion).fees.shares, contributorsOf(task, genesis));
      const unpaid = split.credits.find(({ account, amount }) => amountOf(batch.credits, account) < amount);
      return first(
        batchFault(batch)?.code,
        amountOf(batch.debits, submitter) >= charge ? undefined : 'less than the charge is taken from the submitter',
        unpaid && `${unpaid.account} is paid less than its share`,
        batch.dividends >= split.dividends && batch.treasury >= split.treasury
          ? undefined
          : 'dividends or treasury get less than their share',
        batch.taskCount > 1n || amountOf(batch.debits, submitter) === charge
          ? undefined
          : 'more than the charge is taken from the submitter',
      );
    },
  );

export const onChain = (subject: Subject): Check => {
  const { chain, digest, genesis, record } = subject;
  const proves = 'the contract on the chain accepted this batch, of this group, once and for ever';
  if (typeof chain === 'string') return skip('chain', 'chain', proves, chain);
  return settled(subject, 'chain', 'chain', proves, (batch) => {
    const { transaction } = record();
    return first(
      differs('the chain', chain.chainId === genesis.chain.chainId),
      differs('the genesis in the contract', chain.genesis === digest),
      chain.batch === undefined ? 'the chain has no such batch' : undefined,
      differs("the batch's root of tasks on the chain", chain.batch?.tasksRoot === batch.tasksRoot),
      differs('the number of tasks on the chain', chain.batch?.taskCount === batch.taskCount),
      chain.transaction && differs("the transaction's success", chain.transaction.success),
      chain.transaction && differs("the transaction's version", chain.transaction.version === String(transaction?.version)),
    );
  });
};
