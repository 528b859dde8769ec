/** Sealing a released output to the aggregator's enclave, and again to each that takes its place (rules A2, M4, B6). */
import {
  attestationFault,
  encodeSlicePayload,
  sliceBlobName,
  sliceOutputAad,
  type EnclaveRecord,
  type SlicePayload,
  type TaskRecord,
} from '@scs/protocol';
import { packSealed, seal } from '@scs/proto';
import { backOff } from './clock.ts';
import { errorKind } from './fault.ts';
import type { Session } from './session.ts';

/** The masters have checked it; an enclave trusts its own check. */
const isGenuine = (session: Session, record: TaskRecord, { role, subject, signKey, sealKey, attestation }: EnclaveRecord): boolean => {
  const expected = record.aggregators?.[record.aggregator ?? 0];
  const identity = { genesis: session.genesisDigest, task: session.task, role, subject, signKey, sealKey };
  const isAttested = attestation !== undefined && !attestationFault(attestation, identity, session.genesis, session.genesis.policy);
  return role === 'aggregator' && subject === expected && isAttested;
};

const putSealed = async (
  session: Session,
  envelope: string,
  sealKey: string,
  payload: SlicePayload,
  wanted: AbortSignal,
): Promise<void> => {
  const sealed = await seal(sealKey, 'slice-output', encodeSlicePayload(payload), sliceOutputAad(envelope, session.subject));
  await session.masters.putBlob(session.task, sliceBlobName(session.subject, sealKey), packSealed(sealed), { signal: wanted });
};

/** Until `wanted` aborts: the output lies sealed to whichever aggregator enclave is current. */
export const deliver = async (session: Session, payload: SlicePayload, wanted: AbortSignal): Promise<void> => {
  let delivered: string | undefined;
  let failures = 0;
  while (!wanted.aborted) {
    session.enter(delivered ? 'waiting' : 'delivering');
    const record = await session.view.until((r) => r.aggregatorEnclave !== undefined && r.aggregatorEnclave.sealKey !== delivered, wanted);
    const enclave = record?.aggregatorEnclave;
    if (!record?.envelope || !enclave) return;
    if (!isGenuine(session, record, enclave)) {
      session.log.warn(
        { code: 'AttestationInvalid', subject: enclave.subject },
        'the aggregator does not prove itself; nothing is sealed to it',
      );
      delivered = enclave.sealKey;
      continue;
    }
    try {
      await putSealed(session, record.envelope, enclave.sealKey, payload, wanted);
      session.log.info({ aggregator: enclave.subject, again: delivered !== undefined }, 'output sealed to the aggregator');
      delivered = enclave.sealKey;
      failures = 0;
    } catch (error) {
      session.log.warn({ code: errorKind(error) }, 'the sealed output could not be stored; trying again');
      await backOff(failures++, session, wanted);
    }
  }
};
