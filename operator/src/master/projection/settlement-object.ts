/**
 * Settlement objects (rules P1, G7): a batch from its first waiting task on, and the other leaves that the contracts take. Of the
 * states, `verifying_inputs` is the moment between "due" and "decided", in which each master rebuilds the batch from its own state.
 */
import {
  batchKey,
  decodeBatch,
  decodeDividendRoot,
  decodeNodeRewards,
  formatSym,
  leafKinds,
  type LeafKind,
  type State,
} from '@scs/protocol';
import { economyIn, leafName } from '@scs/protocol/rules/economy.ts';
import { nextWaiting, waitingCount } from '@scs/protocol/rules/ready.ts';
import { settlementSums } from '@scs/protocol/settlement.ts';
import type { SettlementRecord } from '@scs/protocol/state.ts';
import { proved } from './proof.ts';
import type { Sources, Wanted } from './wanted.ts';

/** There come more and more: so many of each kind are shown, the newest. */
const SHOWN = 200n;
const nameOf = (record: string): string => `settlement-${record}`;

const collecting = ({ state, genesis }: Sources, { number, epoch }: SettlementRecord): Wanted => {
  const due = nextWaiting(state, genesis.policy)?.due ?? Infinity;
  return {
    spec: { kind: 'batch', number: Number(number), epoch, taskCount: waitingCount(state, epoch) },
    status: { observedGeneration: 1, state: due <= state.must('meta').time ? 'verifying_inputs' : 'collecting' },
  };
};
const batchObject = ({ state }: Sources, record: SettlementRecord): Wanted | undefined => {
  const bytes = state.map.get(batchKey(record.number));
  if (!bytes) return undefined;
  const batch = decodeBatch(bytes);
  const sums = settlementSums(batch);
  return {
    spec: { kind: 'batch', number: Number(record.number), epoch: record.epoch, taskCount: record.tasks.length, tasksRoot: batch.tasksRoot },
    status: {
      observedGeneration: 1,
      state: record.state,
      taken: formatSym(sums.debits),
      distributed: formatSym(sums.credits + sums.dividends + sums.treasury),
      ...(record.transaction && { transaction: record.transaction.hash, ledgerVersion: record.transaction.version.toString() }),
    },
  };
};
/** What it gives out; a penalty gives nothing that is known before it lands. */
const givenBy = (kind: LeafKind, bytes: Uint8Array): bigint | undefined => {
  if (kind === 'node-rewards') return decodeNodeRewards(bytes).transfers.reduce((sum, { amount }) => sum + amount, 0n);
  return kind === 'dividends' ? decodeDividendRoot(bytes).total : undefined;
};
const leafObject = ({ state }: Sources, kind: LeafKind, { number, epoch, state: progress }: SettlementRecord): Wanted | undefined => {
  const bytes = state.map.get(`${kind}/${number}`);
  if (!bytes) return undefined;
  const given = givenBy(kind, bytes);
  return {
    spec: { kind, number: Number(number), epoch, taskCount: 0 },
    status: { observedGeneration: 1, state: progress, ...(given !== undefined && { distributed: formatSym(given) }) },
  };
};

const nextOf = (state: State, { leaf }: SettlementRecord): bigint => (leaf ? economyIn(state).next[leaf] : state.must('meta').nextBatch);

const wantedOf = (sources: Sources, record: SettlementRecord): Wanted | undefined => {
  if (record.state === 'collecting') return collecting(sources, record);
  return record.leaf ? leafObject(sources, record.leaf, record) : batchObject(sources, record);
};

export const settlementObject = (sources: Sources, name: string): Wanted | undefined => {
  const { state, leaf } = sources;
  const key = name.replace(/^settlement-/, '');
  const record = state.get('settlement', key);
  if (!record || record.number < nextOf(state, record) - SHOWN) return undefined;
  const wanted = wantedOf(sources, record);
  return wanted && { ...wanted, status: { ...wanted.status, ...proved(leaf(`settlement/${key}`)) } };
};

const newest = (next: bigint, nameOfNumber: (number: bigint) => string): string[] => {
  const from = next > SHOWN ? next - SHOWN : 1n;
  return Array.from({ length: Number(next - from) }, (_, i) => nameOf(nameOfNumber(from + BigInt(i))));
};
/** Names of all that should exist now. */
export const settlementNames = (state: State): readonly string[] => {
  const { nextBatch } = state.must('meta');
  const { next } = economyIn(state);
  const open = state.get('settlement', String(nextBatch)) ? [nameOf(String(nextBatch))] : [];
  return [...newest(nextBatch, String), ...open, ...leafKinds.flatMap((kind) => newest(next[kind], (n) => leafName(kind, n)))];
};
