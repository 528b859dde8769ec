/** One batch from both sides (rules P1-P4): what the chain holds for good, and what the masters say, as far as they prove it. Pure. */
import { z } from 'zod';
import {
  decodeCanonical,
  committeeOf,
  fromHex,
  genesisDigest,
  leafFault,
  Proof,
  type CertifiedLeaf,
  type Genesis,
  type Task,
} from '@scs/protocol';
import type { SettledBatch } from '../chain/ledger.ts';
import { CliError } from '../errors.ts';
import type { SettlementObject } from '../kube.ts';
import { table } from './money.ts';

/** What `-o json` prints. */
export interface ShownSettlement {
  readonly batch: string;
  /** Absent when no chain was asked. */
  readonly chain?: {
    readonly settled: boolean;
    readonly epoch?: string;
    readonly tasksRoot?: string;
    readonly taskCount?: string;
    readonly transaction?: string;
    readonly ledgerVersion?: string;
  };
  /** Absent when no cluster was asked, or it shows no such batch. */
  readonly masters?: {
    readonly state: string;
    readonly epoch: number;
    readonly taskCount: number;
    readonly tasksRoot?: string;
    readonly taken?: string;
    readonly distributed?: string;
    readonly transaction?: string;
    /** Whether two of three masters of the genesis signed for it; why not. */
    readonly certified: boolean;
    readonly problem?: string;
  };
  /** As far as the masters' proof lists them, or tasks of the namespace name this batch. */
  readonly tasks: readonly { readonly uid: string; readonly task?: string; readonly state?: string; readonly charged?: string }[];
  /** Where both sides were asked: what differs. Empty when they agree. */
  readonly differences: readonly string[];
}

const BatchOfTasks = z.looseObject({ number: z.bigint(), tasks: z.array(z.string().max(64)).max(10_000) });
type ProofObject = z.infer<typeof Proof>;

const leafOf = ({ key, value, siblings, head, votes }: ProofObject): CertifiedLeaf => ({
  key,
  value,
  siblings,
  certificate: { head: { ...head, generation: BigInt(head.generation), height: BigInt(head.height) }, votes },
});
/** The uids that two masters vouch for, or why they don't. */
const certifiedTasks = (
  proof: ProofObject | undefined,
  number: bigint,
  genesis: Genesis,
): { uids: readonly string[]; problem?: string } => {
  if (!proof) return { uids: [], problem: 'the object carries no proof' };
  if (proof.key !== `settlement/${number}`) return { uids: [], problem: `the proof is of ${proof.key}` };
  const committee = committeeOf(genesis);
  const fault = leafFault(leafOf(proof), genesisDigest(genesis), committee);
  if (fault) return { uids: [], problem: fault.code };
  const record = BatchOfTasks.safeParse(decodeCanonical(fromHex(proof.value))).data;
  return record?.number === number ? { uids: record.tasks } : { uids: [], problem: 'the proof holds no batch' };
};

export interface SettlementSources {
  readonly number: bigint;
  readonly genesis: Genesis;
  /** undefined: no chain was asked; null: it has accepted no such batch. */
  readonly chain: { readonly batch: SettledBatch; readonly transaction: { hash: string; version: string } | undefined } | null | undefined;
  readonly object: SettlementObject | undefined;
  readonly tasks: readonly Task[];
}

export const shownSettlement = (sources: SettlementSources): ShownSettlement => {
  const { number, genesis, chain, object, tasks } = sources;
  const proof = object && certifiedTasks(object.status?.proof, number, genesis);
  const inBatch = tasks.filter(
    ({ status, metadata }) => status?.settlement?.batch === Number(number) || proof?.uids.includes(metadata.uid ?? ''),
  );
  const uids = [...new Set([...(proof?.uids ?? []), ...inBatch.map(({ metadata }) => metadata.uid ?? '')])].filter((uid) => uid !== '');
  return {
    batch: `${number}`,
    ...(chain === null && { chain: { settled: false } }),
    ...(chain && {
      chain: {
        settled: true,
        epoch: `${chain.batch.epoch}`,
        tasksRoot: chain.batch.tasksRoot,
        taskCount: `${chain.batch.taskCount}`,
        ...(chain.transaction && { transaction: chain.transaction.hash, ledgerVersion: chain.transaction.version }),
      },
    }),
    ...(object && {
      masters: { ...mastersSay(object), certified: proof?.problem === undefined, ...(proof?.problem && { problem: proof.problem }) },
    }),
    tasks: uids.map((uid) => taskLine(uid, inBatch)),
    differences: differences(sources),
  };
};

const mastersSay = ({ spec, status }: SettlementObject) => ({
  state: status?.state ?? 'unknown',
  epoch: spec.epoch,
  taskCount: spec.taskCount,
  ...(spec.tasksRoot && { tasksRoot: spec.tasksRoot }),
  ...(status?.taken && { taken: status.taken }),
  ...(status?.distributed && { distributed: status.distributed }),
  ...(status?.transaction && { transaction: status.transaction }),
});
const taskLine = (uid: string, tasks: readonly Task[]) => {
  const task = tasks.find(({ metadata }) => metadata.uid === uid);
  const { state, fee } = task?.status ?? {};
  return {
    uid,
    ...(task && { task: `${task.metadata.namespace}/${task.metadata.name}` }),
    ...(state && { state }),
    ...(fee?.charged && { charged: fee.charged }),
  };
};

const differences = ({ chain, object }: SettlementSources): string[] => {
  if (!object || chain === undefined) return [];
  const { spec, status } = object;
  if (chain === null) return status?.state === 'finalized' ? ['the masters show it finalized; the chain has not accepted it'] : [];
  const { batch, transaction } = chain;
  return [
    ...(spec.tasksRoot === batch.tasksRoot ? [] : ['the root of the tasks']),
    ...(BigInt(spec.taskCount) === batch.taskCount ? [] : ['the number of tasks']),
    ...(BigInt(spec.epoch) === batch.epoch ? [] : ['the epoch']),
    ...(!status?.transaction || !transaction || status.transaction === transaction.hash ? [] : ['the transaction']),
  ];
};

export const settlementLines = ({ batch, chain, masters, tasks, differences: found }: ShownSettlement): string[] => [
  ...table([
    ['batch', batch],
    ...(!chain ? [] : chain.settled ? chainRows(chain) : [['chain', 'not accepted yet']]),
    ...(masters ? mastersRows(masters) : []),
    ...(found.length > 0 ? [['DIFFER', found.join(', ')]] : []),
  ]),
  ...(tasks.length === 0
    ? []
    : table([['TASK', 'UID', 'STATE', 'CHARGED'], ...tasks.map((t) => [t.task ?? '-', t.uid, t.state ?? '-', t.charged ?? '-'])])),
];
const chainRows = (chain: NonNullable<ShownSettlement['chain']>): string[][] => [
  ['chain', `settled for good: ${chain.taskCount} tasks of epoch ${chain.epoch}`],
  ['tasks root', chain.tasksRoot ?? ''],
  ['transaction', chain.transaction ? `${chain.transaction}, ledger version ${chain.ledgerVersion}` : 'the node no longer serves it'],
];
const mastersRows = (masters: NonNullable<ShownSettlement['masters']>): string[][] => [
  ['masters', `${masters.state}; ${masters.certified ? 'two of three signed for it' : `NOT certified: ${masters.problem}`}`],
  ...(masters.taken ? [['taken', `${masters.taken} SYM from escrows, ${masters.distributed} distributed`]] : []),
];

/** "3", "settlement-3" or "settlement/settlement-3". Throws CliError `BatchInvalid`. */
export const batchNumberOf = (word: string): bigint => {
  const digits = /^(?:settlement[-/])*([1-9]\d{0,18})$/.exec(word)?.[1];
  if (!digits) throw new CliError('BatchInvalid', `${word} is not the number of a batch: they count from 1.`);
  return BigInt(digits);
};
