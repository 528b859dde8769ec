/**
 * chain.observed (rules K2, P2, P4): escrow readings at a ledger version, and batches that the chain has finalized. Readings
 * never go back; a batch that landed with another root than the decided one is no observation of this chain.
 */
import type { Command } from '../commands.ts';
import { batchKey, decodeBatch } from '../settlement-layout.ts';
import type { EscrowRecord, TaskRecord } from '../state.ts';
import { fault, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { paidOf } from './credits.ts';
import { economyFault, moveLine, readEconomy } from './economy.ts';
import { changeLock } from './escrow.ts';
import { moved, saveTask } from './lifecycle.ts';

type Observed = Extract<Command, { type: 'chain.observed' }>;
type Settled = Observed['settled'][number];

const behind = (draft: Draft, command: Observed): Fault | undefined => {
  const { chain } = draft.must('meta');
  if (!chain) return undefined;
  if (command.ledgerVersion < chain.ledgerVersion || command.time < chain.time)
    return fault('ReadingBehind', `ledger version ${chain.ledgerVersion} is decided`);
  const nothingNew = command.ledgerVersion === chain.ledgerVersion && command.time === chain.time;
  return nothingNew ? fault('AlreadyDecided', `ledger version ${chain.ledgerVersion} is decided`) : undefined;
};

const readingFault = (draft: Draft, { escrows, ledgerVersion }: Observed): Fault | undefined => {
  for (const { account, balance } of escrows) {
    const known = draft.get('escrow', account);
    if (!known) return fault('ActorUnknown', `no actor with an escrow is registered at ${account}`);
    // What is under withdrawal depends on the chain's time too; the balance on the version alone.
    if (balance !== known.balance && known.ledgerVersion === ledgerVersion && ledgerVersion > 0n)
      return fault('Conflicts', `the escrow of ${account} at version ${ledgerVersion} was decided otherwise`);
  }
  const accounts = new Set(escrows.map(({ account }) => account));
  return accounts.size === escrows.length ? undefined : fault('Conflicts', 'an account is read twice');
};
const readEscrows = (draft: Draft, { escrows, ledgerVersion }: Observed): void => {
  for (const { account, balance, withdrawing } of escrows) {
    const known = draft.must('escrow', account);
    draft.put('escrow', account, { ...known, balance, withdrawing, ledgerVersion });
  }
};

/** P4: in order, each once; what landed is what was decided. */
const settledFault = (draft: Draft, { settled, ledgerVersion }: Observed): Fault | undefined => {
  let next = (draft.must('meta').chain?.settled ?? 0n) + 1n;
  for (const { batch, tasksRoot, version } of settled) {
    if (batch !== next) return fault(batch < next ? 'AlreadyDecided' : 'BatchMismatch', `batch ${next} settles next, not ${batch}`);
    const bytes = draft.state.map.get(batchKey(batch));
    if (!bytes || decodeBatch(bytes).tasksRoot !== tasksRoot)
      return fault('BatchMismatch', `batch ${batch} was not decided with this root`);
    if (version > ledgerVersion) return fault('BatchMismatch', `batch ${batch} is newer than the ledger version read`);
    next += 1n;
  }
  return undefined;
};

/** An escrow read before the batch landed still shows the charge; what is freed must not be counted twice. */
const paid = (escrow: EscrowRecord, charge: bigint, version: bigint): EscrowRecord => {
  if (escrow.ledgerVersion >= version) return escrow;
  return { ...escrow, balance: escrow.balance > charge ? escrow.balance - charge : 0n };
};
const settleTask = (draft: Draft, task: TaskRecord, { transaction: hash, version }: Settled, ctx: RuleContext): void => {
  const { submitter } = task.spec;
  draft.put('escrow', submitter, paid(draft.must('escrow', submitter), paidOf(task), version));
  changeLock(draft, submitter, -task.locked);
  const landed: TaskRecord = { ...task, locked: 0n, transaction: { hash, version } };
  saveTask(draft, landed.state === 'awaiting_settlement' ? moved(landed, 'completed', ctx) : landed);
};
const finalize = (draft: Draft, settled: Settled, ctx: RuleContext): void => {
  const name = String(settled.batch);
  const record = draft.must('settlement', name);
  const { transaction: hash, version } = settled;
  draft.put('settlement', name, { ...record, transaction: { hash, version } });
  moveLine(draft, String, settled.batch, settled.batch);
  for (const uid of record.tasks) settleTask(draft, draft.must('task', uid), settled, ctx);
};

export const chainObserved = (draft: Draft, command: Observed, ctx: RuleContext): Fault | undefined => {
  const { economy } = command;
  const found =
    behind(draft, command) ?? readingFault(draft, command) ?? settledFault(draft, command) ?? (economy && economyFault(draft, economy));
  if (found) return found;
  readEscrows(draft, command);
  if (economy) readEconomy(draft, economy);
  for (const settled of command.settled) finalize(draft, settled, ctx);
  const { ledgerVersion, time, settled } = command;
  const last = settled.at(-1)?.batch ?? draft.must('meta').chain?.settled ?? 0n;
  draft.put('meta', '', { ...draft.must('meta'), chain: { ledgerVersion, time, settled: last } });
  return undefined;
};
