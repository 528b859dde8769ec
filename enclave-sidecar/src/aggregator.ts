/**
 * The aggregator's enclave (rules M1, M2, M4, M5, S5):
 *
 *   attest -> enclave.ready -> survivors fixed -> each slice's sealed output -> sum, suppress -> seal to the submitter -> evidence
 *
 * Per-Vault outputs live in this function's memory only, and only until the sum is made; nothing of them is logged or kept.
 */
import {
  decodeEnvelope,
  decodeCanonical,
  encodeTaskResult,
  envelopeAad,
  envelopeDigest,
  envelopeKey,
  fromHex,
  blobDigest,
  Plan,
  resultBlobName,
  type AggregateEvidence,
  type Attestation,
  type Command,
  type SignedSliceEvidence,
  type SlicePayload,
  type TaskEnvelope,
  type TaskRecord,
  type VaultPart,
} from '@scs/protocol';
import { packSealed, seal } from '@scs/proto';
import { backOff } from './clock.ts';
import { collectPart } from './collect.ts';
import { combine } from './combine.ts';
import { EnclaveFault, errorKind } from './fault.ts';
import { becomeReady, hasEnded, isDispatched, submitUntilDecided, type Ending, type Session } from './session.ts';

const currentAggregator = (record: TaskRecord): string | undefined => record.aggregators?.[record.aggregator ?? 0];
const isOurs = (record: TaskRecord, { subject, keys }: Session): boolean =>
  currentAggregator(record) === subject && record.aggregatorEnclave?.sealKey === keys.sealKey;
const wasReplaced = (record: TaskRecord, { keys }: Session): boolean => record.formerAggregatorEnclaves?.includes(keys.sealKey) ?? false;

/** The certified envelope. Throws EnclaveFault EnvelopeUnfit if it is not the one that the record names. */
const readEnvelope = async (session: Session, digest: string, wanted: AbortSignal): Promise<TaskEnvelope | undefined> => {
  for (let failures = 0; !wanted.aborted; failures++) {
    try {
      const leaf = await session.masters.getLeaf(envelopeKey(session.task), { signal: wanted });
      if (leaf) {
        const envelope = decodeEnvelope(fromHex(leaf.value));
        if (envelopeDigest(envelope) !== digest)
          throw new EnclaveFault('EnvelopeUnfit', 'The certified envelope is not the one that the task names.');
        return envelope;
      }
    } catch (error) {
      if (error instanceof EnclaveFault) throw error;
      if (wanted.aborted) return undefined;
      session.log.warn({ code: errorKind(error) }, 'the envelope could not be read; trying again');
    }
    await backOff(failures, session, wanted);
  }
  return undefined;
};

/** The survivors' parts in the envelope's order. */
const survivingParts = (record: TaskRecord, envelope: TaskEnvelope): readonly VaultPart[] =>
  envelope.vaults.flatMap(({ vault }) => (record.survivors?.includes(vault) ? record.parts.filter((part) => part.vault === vault) : []));

interface Sealed {
  readonly blob: Uint8Array;
  readonly slices: readonly SignedSliceEvidence[];
}
/** Collects, sums and seals; the outputs are gone when it returns. */
const sealResult = async (
  session: Session,
  envelope: TaskEnvelope,
  parts: readonly VaultPart[],
  wanted: AbortSignal,
): Promise<Sealed | undefined> => {
  session.enter('collecting');
  const digest = envelopeDigest(envelope);
  const plan = Plan.parse(decodeCanonical(fromHex(envelope.plan)));
  const collected = await Promise.all(parts.map((part) => collectPart(part, { session, envelope: digest, plan }, wanted)));
  const payloads = collected.filter((payload): payload is SlicePayload => payload !== undefined);
  if (payloads.length !== parts.length) return undefined;
  const result = combine(
    digest,
    plan,
    payloads.map(({ output }) => output),
  );
  const sealed = await seal(envelope.resultKey, 'task-result', encodeTaskResult(result), envelopeAad(digest));
  return { blob: packSealed(sealed), slices: payloads.map(({ evidence }) => evidence) };
};

const signAggregate = (
  session: Session,
  digest: string,
  attestation: Attestation,
  parts: readonly VaultPart[],
  { blob, slices }: Sealed,
): Command => {
  const evidence: AggregateEvidence = {
    envelope: digest,
    attestation,
    signKey: session.keys.signKey,
    sealKey: session.keys.sealKey,
    enterprise: session.subject,
    inputs: parts.map(({ vault, release }) => ({ vault, outputCommitment: release!.outputCommitment })),
    sealedResult: blobDigest(blob),
  };
  const signature = session.keys.sign('aggregate.evidence', session.genesisDigest, evidence);
  return { type: 'aggregate.evidence', task: session.task, aggregate: { evidence, signature }, slices: [...slices] };
};

const storeResult = async (session: Session, blob: Uint8Array, wanted: AbortSignal): Promise<void> => {
  for (let failures = 0; !wanted.aborted; failures++) {
    try {
      await session.masters.putBlob(session.task, resultBlobName(blobDigest(blob)), blob, { signal: wanted });
      return;
    } catch (error) {
      if (wanted.aborted) return;
      session.log.warn({ code: errorKind(error) }, 'the sealed result could not be stored; trying again');
      await backOff(failures, session, wanted);
    }
  }
};

const endingNow = (session: Session): Ending => {
  if (session.signal.aborted) return 'Stopped';
  return session.view.latest && hasEnded(session.view.latest) ? 'TaskEnded' : 'Replaced';
};

const aggregate = async (session: Session, attestation: Attestation, wanted: AbortSignal): Promise<Ending> => {
  session.enter('waiting');
  const record = await session.view.until((r) => isOurs(r, session) && r.survivors !== undefined, wanted);
  if (!record?.envelope) return endingNow(session);
  const envelope = await readEnvelope(session, record.envelope, wanted);
  if (!envelope) return endingNow(session);
  const parts = survivingParts(record, envelope);
  const sealed = await sealResult(session, envelope, parts, wanted);
  if (!sealed) return endingNow(session);
  session.enter('submitting');
  await storeResult(session, sealed.blob, wanted);
  const decided = await submitUntilDecided(
    session,
    signAggregate(session, record.envelope, attestation, parts, sealed),
    (r) => hasEnded(r) || wasReplaced(r, session),
  );
  session.log.info({ decided, slices: parts.length }, 'aggregate evidence submitted');
  if (decided !== 'decided') return decided;
  session.enter('waiting');
  await session.view.until(hasEnded, wanted);
  return endingNow(session);
};

/** Runs until its evidence is decided, it is replaced, or the task ends. Throws EnclaveFault when it fails for good. */
export const runAggregator = async (session: Session): Promise<Ending> => {
  const mayStart = (r: TaskRecord): boolean => hasEnded(r) || (isDispatched(r) && currentAggregator(r) === session.subject);
  const first = await session.view.until(mayStart, session.signal);
  if (!first) return 'Stopped';
  if (hasEnded(first)) return 'TaskEnded';
  const over = new AbortController();
  const wanted = AbortSignal.any([session.signal, over.signal]);
  const watch = session.view.until((r) => hasEnded(r) || wasReplaced(r, session), wanted).then(() => over.abort());
  try {
    const { decided, attestation } = await becomeReady(session);
    return decided === 'decided' ? await aggregate(session, attestation, wanted) : decided;
  } finally {
    over.abort();
    await watch;
    session.enter('ended');
  }
};
