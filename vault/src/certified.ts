/** Certified records that a Vault acts on. The masters' client has verified each leaf. */
import { decodeEnvelope, decodeRecord, envelopeDigest, envelopeKey, fromHex, type TaskEnvelope, type TaskRecord } from '@scs/protocol';
import type { MastersPort, Waiting } from '@scs/proto';

/** Callers wait for us, and may ask again. */
const READING: Waiting = { timeoutMs: 8_000 };

export type Reader = Pick<MastersPort, 'getLeaf'>;

/** undefined when there is no such task. Throws MastersUnavailable. */
export const certifiedTask = async (masters: Reader, uid: string, waiting: Waiting = READING): Promise<TaskRecord | undefined> => {
  const leaf = await masters.getLeaf(`task/${uid}`, waiting);
  if (!leaf) return undefined;
  const record = decodeRecord('task', leaf.value);
  return record.uid === uid ? record : undefined;
};
/** The envelope that the record names; undefined when the masters have none or another. */
export const certifiedEnvelope = async (masters: Reader, record: TaskRecord): Promise<TaskEnvelope | undefined> => {
  const leaf = await masters.getLeaf(envelopeKey(record.uid), READING);
  if (!leaf) return undefined;
  const envelope = decodeEnvelope(fromHex(leaf.value));
  return envelopeDigest(envelope) === record.envelope && envelope.uid === record.uid ? envelope : undefined;
};
