/** A task's status for a person: where it stands, what it waits for, its Vaults, its fee, its deadline. Pure; nothing here is proof. */
import type { Task, TaskRecord, TaskStatus } from '@scs/protocol';
import { decodeTaskRecord } from './verify/task-record.ts';

/** Conditions in the order of a task's life: the first that is not true says what is waited for, or why it ended. */
const STAGES = ['Accepted', 'Resolved', 'Dispatched', 'Verified', 'Completed'];
const UNDECIDED = 'The masters have not decided on it yet.';
const ENDED: readonly (string | undefined)[] = ['completed', 'rejected', 'timed_out'];

export interface TaskSummary {
  readonly task: string;
  readonly state: string;
  readonly reason?: string;
  readonly message?: string;
  /** Absent once it has ended. */
  readonly waitingFor?: string;
  /** RFC 3339: when the present state ends by itself, and the whole task. */
  readonly deadline?: string;
  readonly finalDeadline?: string;
  readonly fee?: NonNullable<TaskStatus['fee']>;
  readonly vaults: NonNullable<TaskStatus['vaults']>;
  readonly aggregator?: string;
  readonly result?: NonNullable<TaskStatus['result']>;
  readonly settlement?: NonNullable<TaskStatus['settlement']>;
  readonly history: NonNullable<TaskStatus['history']>;
}

const waitingFor = ({ conditions }: TaskStatus): string => {
  const pending = STAGES.map((type) => conditions?.find((c) => c.type === type)).find((c) => c && c.status !== 'True');
  return pending?.message ?? UNDECIDED;
};

/** The record beside the status knows the deadlines. Unchecked: this is a view, `verify` is the proof. */
const recordOf = ({ proof }: TaskStatus): TaskRecord | undefined => {
  try {
    return proof && decodeTaskRecord(proof.value);
  } catch {
    return undefined;
  }
};

/** Without the record: the state's own end is unknown, the task's follows from admission. */
const deadlines = ({ spec }: Task, status: TaskStatus): Pick<TaskSummary, 'deadline' | 'finalDeadline'> => {
  const record = recordOf(status);
  const admitted = Date.parse(status.history?.[0]?.time ?? '');
  const final = record?.finalDeadline ?? admitted + spec.deadlineSeconds * 1000;
  return {
    ...(record && { deadline: new Date(record.deadline).toISOString() }),
    ...(Number.isFinite(final) && { finalDeadline: new Date(final).toISOString() }),
  };
};

export const taskSummary = (task: Task): TaskSummary => {
  const status = task.status ?? {};
  const { state, reason, message, fee, aggregator, result, settlement } = status;
  return {
    task: `${task.metadata.namespace}/${task.metadata.name}`,
    state: state ?? 'not admitted yet',
    ...(reason && { reason }),
    ...(message && { message }),
    ...(!ENDED.includes(state) && { waitingFor: waitingFor(status), ...deadlines(task, status) }),
    ...(fee && { fee }),
    vaults: status.vaults ?? [],
    ...(aggregator && { aggregator }),
    ...(result && { result }),
    ...(settlement && { settlement }),
    history: status.history ?? [],
  };
};

const FEES = ['maximum', 'locked', 'quoted', 'charged', 'freed'] as const;
const line = (name: string, value: string): string => `${name.padEnd(12)}  ${value}`;
const optional = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [line(name, value)]);
/** Seconds between two times, as people read them; `since` unreadable gives nothing. */
const elapsed = (since: string, time: string): string => {
  const seconds = (Date.parse(time) - Date.parse(since)) / 1000;
  return Number.isFinite(seconds) ? `${seconds.toFixed(1).padStart(8)} s` : '';
};

export const summaryLines = (summary: TaskSummary): string[] => {
  const {
    task,
    state,
    reason,
    message,
    waitingFor: waits,
    deadline,
    finalDeadline,
    fee,
    vaults,
    aggregator,
    result,
    settlement,
    history,
  } = summary;
  const width = Math.max(0, ...vaults.map((v) => v.vault.length));
  const start = history[0]?.time ?? '';
  return [
    line('task', task),
    line('state', reason ? `${state} (${reason})` : state),
    ...optional('why', message),
    ...optional('waiting for', waits),
    ...optional('until', deadline),
    ...optional('ends by', finalDeadline),
    ...(fee ? [line('fee (SYM)', FEES.flatMap((name) => (fee[name] === undefined ? [] : [`${name} ${fee[name]}`])).join(', '))] : []),
    ...vaults.map((v) =>
      line('Vault', `${v.vault.padEnd(width)}  ${v.state}${v.reason ? ` (${v.reason}${v.message ? `: ${v.message}` : ''})` : ''}`),
    ),
    ...optional('aggregator', aggregator),
    ...optional('result', result && `ConfigMap ${result.configMap}${result.provisional ? ', provisional' : ''}`),
    ...optional(
      'settlement',
      settlement && `batch ${settlement.batch}${settlement.transaction ? `, transaction ${settlement.transaction}` : ''}`,
    ),
    ...history.map((h) => line('', `${elapsed(start, h.time)}  ${h.state}, height ${h.height}${h.reason ? ` (${h.reason})` : ''}`)),
  ];
};
