/** The ConfigMap beside a task that has a result: the sealed bytes and all that `verify` needs (rules M5, N6, P3, T8). */
import {
  decodeCanonical,
  encodeCanonical,
  encodeSettlementLeaf,
  envelopeKey,
  batchKey,
  fromUtf8,
  hex,
  leafFault,
  listPath,
  settlementLeafOf,
  taskEvidenceDigest,
  utf8,
  type Block,
  type CertifiedLeaf,
  type Command,
  type Committee,
  type SettlementRecord,
  type State,
  type TaskRecord,
} from '@scs/protocol';
import type { KubeObject } from '../../kube/objects.ts';
import type { Log } from '../log/log.ts';
import { leafFile } from './proof.ts';
import { resultName } from './task-status.ts';
import type { TaskObject } from '../task-objects.ts';

const TASK_LABEL = 'scp.symphony.foundation/task';
/** Field manager of all masters. */
export const MASTER_MANAGER = 'scs-master';

export interface ResultMap extends KubeObject {
  metadata: KubeObject['metadata'] & { readonly managedFields?: readonly { readonly manager?: string }[] };
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}
type Evidence = Extract<Command, { type: 'aggregate.evidence' }>;
type Signed = Pick<Evidence, 'aggregate' | 'slices'>;

/** Height of the block that decided the evidence. */
export const evidenceHeight = (record: TaskRecord): bigint | undefined => record.history.find((h) => h.state === 'verifying')?.height;
const evidenceText = ({ aggregate, slices }: Signed): string => fromUtf8(encodeCanonical({ aggregate, slices }));
/** The evidence out of the block that decided it. */
export const evidenceIn = (record: TaskRecord, block: Block): string | undefined => {
  const command = block.commands.find((c): c is Evidence => c.type === 'aggregate.evidence' && c.task === record.uid);
  return command && evidenceText(command);
};
/** What a result's files hold already, if it is the certified evidence: the block that decided it may be long in the archive. */
export const evidenceFound = (record: TaskRecord, found: Pick<ResultMap, 'data'> | undefined): string | undefined => {
  try {
    const { aggregate, slices } = decodeCanonical(utf8(found?.data?.['evidence.json'] ?? '')) as Signed;
    return taskEvidenceDigest(aggregate, slices) === record.evidence ? evidenceText({ aggregate, slices }) : undefined;
  } catch {
    return undefined; // it was altered, or is not there: the block tells
  }
};

/** A batch never changes once it is decided; its tasks ask for the leaves one after the other. */
let lastLeaves: { readonly tasks: readonly string[]; readonly leaves: readonly Uint8Array[] } | undefined;
const leavesOf = ({ tasks }: SettlementRecord, state: State): readonly Uint8Array[] => {
  if (lastLeaves?.tasks !== tasks)
    lastLeaves = { tasks, leaves: tasks.map((uid) => encodeSettlementLeaf(settlementLeafOf(state.must('task', uid)))) };
  return lastLeaves.leaves;
};

/** Index, count and path of the task's leaf under its batch's root. */
const settlementFile = (record: TaskRecord, log: Pick<Log, 'state'>): string | undefined => {
  const batch = record.batch === undefined ? undefined : log.state().get('settlement', String(record.batch));
  if (!batch) return undefined;
  const leaves = leavesOf(batch, log.state());
  const index = batch.tasks.indexOf(record.uid);
  return fromUtf8(encodeCanonical({ index, count: leaves.length, path: listPath(index, leaves).map(hex) }));
};

/** Leaves room in a ConfigMap for all else. */
const MOST_CATALOGUE = 400_000;
/** S6: the catalogue that resolved the task, where it isn't the genesis'; its digest is in the envelope, so it needs no certificate. */
const catalogueFile = ({ semanticVersion }: TaskRecord, state: State): string | undefined => {
  if (semanticVersion === state.must('semantics').first) return undefined;
  const bytes = state.map.get(`catalogue/${semanticVersion}`);
  return bytes && bytes.length <= MOST_CATALOGUE ? fromUtf8(bytes) : undefined;
};

export const resultFiles = (
  record: TaskRecord,
  sealed: Uint8Array,
  evidence: string | undefined,
  log: Pick<Log, 'leaf' | 'state'>,
): Pick<ResultMap, 'data' | 'binaryData'> => {
  const task = log.leaf(`task/${record.uid}`);
  const envelope = log.leaf(envelopeKey(record.uid));
  const batch = record.batch === undefined ? undefined : log.leaf(batchKey(record.batch));
  const settlement = settlementFile(record, log);
  const catalogue = catalogueFile(record, log.state());
  const own = record.plan?.vault === undefined ? undefined : log.leaf(`own/${record.plan.vault}`);
  return {
    binaryData: { 'result.sealed': Buffer.from(sealed).toString('base64') },
    data: {
      ...(evidence !== undefined && { 'evidence.json': evidence }),
      ...(task && { 'task.leaf': leafFile(task) }),
      ...(envelope && { 'envelope.leaf': leafFile(envelope) }),
      ...(batch && { 'batch.leaf': leafFile(batch) }),
      ...(settlement && { 'settlement.json': settlement }),
      ...(catalogue !== undefined && { 'catalogue.json': catalogue }),
      ...(own && { 'own.leaf': leafFile(own) }),
      provisional: String(record.readyAt === undefined),
    },
  };
};

export const resultMap = (task: TaskObject, record: TaskRecord, files: Pick<ResultMap, 'data' | 'binaryData'>): ResultMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: resultName(record.name),
    namespace: record.namespace,
    labels: { [TASK_LABEL]: record.uid },
    ownerReferences: [
      {
        apiVersion: 'scp.symphony.foundation/v1alpha1',
        kind: 'Task',
        name: record.name,
        uid: task.metadata.uid ?? record.uid,
        controller: true,
      },
    ],
  },
  ...files,
});

/**
 * Whether masters made the ConfigMap, for this Task or an earlier one of its name. Another's is never touched: who may create
 * Tasks would else have the masters overwrite it, and have it deleted with the Task.
 */
export const isOurs = ({ metadata: { labels, ownerReferences, managedFields } }: ResultMap, uid: string): boolean =>
  labels?.[TASK_LABEL] === uid ||
  ownerReferences?.some((owner) => owner.uid === uid) === true ||
  managedFields?.some(({ manager }) => manager === MASTER_MANAGER) === true;

const isLeaf = (text: string, wanted: string, genesis: string, committee: Committee): boolean => {
  try {
    const found = decodeCanonical(utf8(text)) as CertifiedLeaf;
    const mine = decodeCanonical(utf8(wanted)) as CertifiedLeaf;
    return found.key === mine.key && found.value === mine.value && leafFault(found, genesis, committee) === undefined;
  } catch {
    return false; // whoever altered it made it unreadable: it is written again
  }
};

/** Whether the files found are as good as ours: leaves may be older, if they hold and say the same. */
export const sameFiles = (
  found: Pick<ResultMap, 'data' | 'binaryData'>,
  wanted: Pick<ResultMap, 'data' | 'binaryData'>,
  genesis: string,
  committee: Committee,
): boolean => {
  const [have, want] = [found.data ?? {}, wanted.data ?? {}];
  if (Object.keys(have).toSorted().join() !== Object.keys(want).toSorted().join()) return false;
  if (Object.keys(found.binaryData ?? {}).join() !== 'result.sealed') return false;
  if (found.binaryData?.['result.sealed'] !== wanted.binaryData?.['result.sealed']) return false;
  return Object.entries(want).every(([name, text]) =>
    name.endsWith('.leaf') ? isLeaf(have[name] ?? '', text, genesis, committee) : have[name] === text,
  );
};
