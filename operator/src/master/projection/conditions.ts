/** A task's conditions, from its certified record alone: every master writes the same, and so may repair another's (rules N6, T6). */
import { explain, isTerminal, type Condition, type HistoryEntry, type TaskRecord, type TaskState } from '@scs/protocol';
import { cutUtf8 } from '../../kube/text.ts';
import { rfc3339 } from '../../kube/conditions.ts';

export interface Reason {
  readonly reason: string;
  readonly message: string;
}
const list = (names: readonly string[]): string =>
  names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');

const waitingToDispatch = ({ parts }: TaskRecord): Reason => {
  const asked = parts.filter((p) => p.state === 'asked').map((p) => p.vault);
  return {
    reason: 'WaitingForVaults',
    message: `${parts.length - asked.length} of ${parts.length} Vaults have answered${asked.length > 0 ? `; waiting for ${list(asked)}` : ''}.`,
  };
};
const waitingForEvidence = ({ parts, survivors, aggregatorEnclave, aggregators, aggregator }: TaskRecord): Reason => {
  const who = aggregators?.[aggregator ?? 0] ?? 'the aggregator';
  if (survivors)
    return aggregatorEnclave
      ? { reason: 'WaitingForAggregate', message: `Output of ${list(survivors)} is released; waiting for the aggregate by ${who}.` }
      : { reason: 'WaitingForAggregator', message: `Waiting for an attested aggregator of ${who}.` };
  const starting = parts.filter((p) => p.state === 'reserved').map((p) => p.vault);
  if (starting.length > 0)
    return {
      reason: 'WaitingForEnclaves',
      message: `No attested enclave yet for ${list(starting)}: see kubectl get slices in their namespaces.`,
    };
  const running = parts.filter((p) => p.state === 'ready').map((p) => p.vault);
  return { reason: 'WaitingForReleases', message: `Slices run; waiting for the output of ${list(running)}.` };
};
const waitingForSettlement = ({ readyAt, deadline, batch }: TaskRecord): Reason => {
  if (readyAt === undefined) return { reason: 'ChallengeWindowOpen', message: `The result can be challenged until ${rfc3339(deadline)}.` };
  if (batch === undefined) return { reason: 'WaitingForBatch', message: 'Waiting for its settlement batch to be cut.' };
  return { reason: 'WaitingForChain', message: `Batch ${batch} is certified; waiting for its transaction.` };
};

/** What a live task waits for. */
export const waitsFor = (record: TaskRecord): Reason => {
  switch (record.state) {
    case 'accepted':
      return { reason: 'Resolving', message: 'The masters resolve it next.' };
    case 'resolving':
      return waitingToDispatch(record);
    case 'dispatched':
      return waitingForEvidence(record);
    case 'verifying':
      return { reason: 'Verifying', message: 'The masters have verified the evidence; the result is handed over next.' };
    case 'awaiting_settlement':
      return waitingForSettlement(record);
    case 'challenged':
      return { reason: 'UnderReview', message: 'A challenge is under review.' };
    case 'completed':
    case 'rejected':
    case 'timed_out':
      return { reason: 'Ended', message: 'It has ended.' };
  }
};

/** Why a task ended without a result; undefined otherwise. */
export const endOf = (record: TaskRecord): Reason | undefined =>
  record.rejection && { reason: record.rejection.code, message: cutUtf8(explain(record.rejection), 2048) };

interface Stage {
  readonly type: string;
  readonly state: TaskState;
  readonly done: (record: TaskRecord) => string;
}
/** In the order of a task's life; the condition is true once the state was entered. */
const stages: readonly Stage[] = [
  { type: 'Accepted', state: 'accepted', done: () => 'Signature, actor and escrow fit; maxFee is locked.' },
  { type: 'Resolved', state: 'resolving', done: ({ parts }) => `The query has a plan; ${parts.length} Vaults were asked.` },
  { type: 'Dispatched', state: 'dispatched', done: () => 'The envelope is certified; slices may run.' },
  { type: 'Verified', state: 'awaiting_settlement', done: () => 'Every master checked the evidence; the sealed result is there.' },
  {
    type: 'Completed',
    state: 'completed',
    done: ({ batch, transaction }) => `Settled in batch ${batch}, transaction ${transaction?.hash ?? 'unknown'}.`,
  },
];

const entered = (record: TaskRecord, state: TaskState): HistoryEntry | undefined => record.history.find((h) => h.state === state);

/** A task refused at admission was never accepted, whatever its history begins with; the resolution comes in a later block. */
export const refusedAtOnce = ({ history }: TaskRecord): boolean =>
  history.length === 2 && history[1]!.state === 'rejected' && history[1]!.height === history[0]!.height;

const stageCondition = (record: TaskRecord, { type, state, done }: Stage, next: boolean): Condition => {
  const entry = entered(record, state);
  const last = record.history.at(-1)!;
  const end = endOf(record);
  const refused = state === 'accepted' && refusedAtOnce(record);
  const base = { type, observedGeneration: 1 };
  if (entry && !refused) return { ...base, status: 'True', reason: type, message: done(record), lastTransitionTime: rfc3339(entry.time) };
  if (end) return { ...base, status: 'False', ...end, lastTransitionTime: rfc3339(last.time) };
  const pending = next ? waitsFor(record) : { reason: 'Pending', message: 'The steps before it come first.' };
  return { ...base, status: 'False', ...pending, lastTransitionTime: rfc3339(record.history[0]!.time) };
};

/** True only while it waits: afterwards it would be a lie. */
const settlementCondition = (record: TaskRecord): Condition => {
  const entry = entered(record, 'awaiting_settlement');
  const last = record.history.at(-1)!;
  const base = { type: 'AwaitingSettlement', observedGeneration: 1 };
  if (record.state === 'awaiting_settlement')
    return { ...base, status: 'True', ...waitingForSettlement(record), lastTransitionTime: rfc3339(entry?.time ?? last.time) };
  const settled = record.state === 'completed' ? { reason: 'Settled', message: 'The batch is final on the chain.' } : undefined;
  const reason = settled ?? endOf(record) ?? { reason: 'Pending', message: 'The steps before it come first.' };
  const since = isTerminal(record.state) ? last : record.history[0]!;
  return { ...base, status: 'False', ...reason, lastTransitionTime: rfc3339(since.time) };
};

/** Ordered by type, as a list-map is compared. */
export const taskConditions = (record: TaskRecord): readonly Condition[] => {
  const next = stages.find(({ state }) => !entered(record, state));
  return [...stages.map((stage) => stageCondition(record, stage, stage === next)), settlementCondition(record)].toSorted((a, b) =>
    a.type < b.type ? -1 : 1,
  );
};

/** For a Task that is not in the log yet. */
export const unadmittedCondition = (why: Reason, createdAt: string | undefined): Condition => ({
  type: 'Accepted',
  status: 'False',
  ...why,
  message: cutUtf8(why.message, 2048),
  lastTransitionTime: createdAt ?? rfc3339(0),
  observedGeneration: 1,
});
