/** `status` of a Task as a function of its certified record (rule N6). */
import { digest, formatSym, utf8, type CertifiedLeaf, type TaskRecord, type TaskStatus } from '@scs/protocol';
import { cutUtf8 } from '../../kube/text.ts';
import { endOf, refusedAtOnce, taskConditions } from './conditions.ts';
import { proofOf } from './proof.ts';

const SUFFIX = '-result';
const MOST = 253;
/** Name of the ConfigMap. Long names are cut, and told apart by a digest: no two tasks share one. */
export const resultName = (task: string): string => {
  if (task.length + SUFFIX.length <= MOST) return `${task}${SUFFIX}`;
  const mark = digest('result-name', utf8(task)).slice(0, 16);
  return `${task.slice(0, MOST - SUFFIX.length - mark.length - 1).replace(/[-.]+$/, '')}-${mark}${SUFFIX}`;
};
const iso = (ms: number): string => new Date(ms).toISOString();

/** What admission locked and nobody charged: at dispatch all above the quote, at the end all above the charge (K2). */
const freed = (record: TaskRecord): bigint | undefined => {
  if (record.charge === undefined) return undefined;
  return refusedAtOnce(record) ? 0n : record.maxFee - record.charge; // what was never locked can't be freed
};
const feeOf = (record: TaskRecord): NonNullable<TaskStatus['fee']> => {
  const left = freed(record);
  return {
    maximum: formatSym(record.maxFee),
    locked: formatSym(record.locked),
    ...(record.quote !== undefined && { quoted: formatSym(record.quote) }),
    ...(record.charge !== undefined && { charged: formatSym(record.charge) }),
    ...(left !== undefined && { freed: formatSym(left) }),
  };
};
const settlementOf = ({ batch, transaction }: TaskRecord): TaskStatus['settlement'] =>
  batch === undefined
    ? undefined
    : { batch: Number(batch), ...(transaction && { transaction: transaction.hash, version: transaction.version.toString() }) };

export const taskStatus = (record: TaskRecord, leaf: CertifiedLeaf | undefined): TaskStatus => {
  const end = endOf(record);
  const settlement = settlementOf(record);
  const aggregator = record.aggregators?.[record.aggregator ?? 0];
  const proof = leaf && proofOf(leaf);
  return {
    state: record.state,
    ...(end && { reason: end.reason, message: end.message }),
    observedGeneration: 1,
    ...(record.envelope && { envelopeDigest: record.envelope }),
    epoch: record.epoch,
    policyVersion: record.policyVersion,
    semanticVersion: record.semanticVersion,
    fee: feeOf(record),
    vaults: record.parts.map(({ vault, state, refusal }) => ({
      vault,
      state,
      ...(refusal && { reason: refusal.code, message: cutUtf8(refusal.message, 1024) }),
    })),
    ...(aggregator && { aggregator }),
    ...(record.sealedResult && {
      result: { configMap: resultName(record.name), digest: record.sealedResult, provisional: record.readyAt === undefined },
    }),
    ...(settlement && { settlement }),
    history: record.history.map(({ state, height, time, reason }) => ({
      state,
      height: Number(height),
      time: iso(time),
      ...(reason !== undefined && { reason }),
    })),
    conditions: [...taskConditions(record)],
    ...(proof && { proof }),
  };
};
