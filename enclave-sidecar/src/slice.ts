/**
 * The slice's enclave (rules A2, A3, B3, B6, M3), step by step:
 *
 *   attest -> enclave.ready -> open at the Vault -> executor counts -> keyed noise -> evidence -> release at the Vault
 *                                   ^                                                             |
 *                                   `----------------- ConsentChanged: a fresh snapshot ----------'
 *   -> once the masters decided the release: seal to the aggregator, again for each new one, until the task moves on
 *
 * An output that the Vault stored before is sent again, never computed again. Nothing leaves before the release is decided.
 */
import { setMaxListeners } from 'node:events';
import { status } from '@grpc/grpc-js';
import {
  audienceCommitment,
  audienceNonce,
  encodeCanonical,
  encodePlan,
  encodeSliceRelease,
  envelopeAad,
  fromHex,
  hex,
  noiseOutput,
  outputCommitment,
  outputLength,
  outputNonce,
  programDigest,
  sliceEvidenceDigest,
  type Attestation,
  type KeptAudience,
  type SignedSliceEvidence,
  type SliceOutput,
  type SlicePayload,
  type SnapshotInput,
  type TaskRecord,
  type VaultPart,
} from '@scs/protocol';
import { seal, type ReleaseReply } from '@scs/proto';
import { backOff } from './clock.ts';
import { deliver } from './deliver.ts';
import { EnclaveFault, errorKind } from './fault.ts';
import { openSlice, type ExpectedSlice, type OpenedSlice, type VaultPort } from './open-slice.ts';
import { writeSliceFiles } from './scratch.ts';
import { becomeReady, hasEnded, isDispatched, type Ending, type Session } from './session.ts';
import type { WarmSnapshot } from './warm-snapshot.ts';
import type { WorkDesk } from './work-desk.ts';

export interface SliceSession extends Session {
  readonly desk: WorkDesk;
  /** Connects to the Vault of that enterprise (its address is in the certified record). */
  readonly connectVault: (enterprise: string) => VaultPort;
  readonly scratch: string;
  readonly warm: WarmSnapshot;
  readonly executorMemoryBytes: bigint;
}
/** Times that a Vault may send what does not hold, or refuse, before that is said aloud. */
const PATIENCE = 8;
const RELEASE_TIMEOUT_MS = 120_000;
/** Refusals that time or another opening cures: the Vault lags behind the masters, restarts or is busy. If we are done for, the certified record says so. */
const MAY_PASS = new Set([
  'AlreadyStored',
  'Busy',
  'EnclaveMissing',
  'EnclaveReplaced',
  'JournalBehind',
  'MastersUnavailable',
  'NotReady',
  'SealInvalid',
  'TaskUnknown',
  'TimedOut',
  'TooLate',
  'Unavailable',
]);
/** Refusals that no repetition cures. */
const FINAL = new Set(['AttestationInvalid', 'EnvelopeMismatch', 'EvidenceInvalid', 'NotReserved']);

const refusal = (vault: string, code: string, message: string): EnclaveFault =>
  new EnclaveFault(/^[A-Z][A-Za-z]{2,60}$/.test(code) ? code : 'VaultRefused', `Vault ${vault}: ${message.slice(0, 500)}`);
/** A Vault's refusal to open: FAILED_PRECONDITION with "Code: sentence". */
const refusalOf = (error: unknown, vault: string): EnclaveFault | undefined => {
  if (!(error instanceof Error) || !('code' in error) || error.code !== status.FAILED_PRECONDITION) return undefined;
  const [code = '', ...message] = ('details' in error ? String(error.details) : '').split(': ');
  return refusal(vault, code, message.join(': '));
};

const partOf = (record: TaskRecord, vault: string): VaultPart | undefined => record.parts.find((part) => part.vault === vault);

const endingNow = ({ signal, view }: Session): Ending => {
  if (signal.aborted) return 'Stopped';
  return view.latest && hasEnded(view.latest) ? 'TaskEnded' : 'Replaced';
};

const expectedSlice = (session: Session, record: TaskRecord): ExpectedSlice => {
  const { task, subject: vault, genesisDigest } = session;
  if (!record.envelope || !record.plan) throw new EnclaveFault('TaskUnfit', 'The certified task has no envelope or plan.');
  return { task, vault, envelope: record.envelope, plan: record.plan, genesisDigest };
};

/** An opened slice; undefined when no longer wanted. Throws EnclaveFault when our patience with the Vault is used up. */
const openWithRetry = async (
  session: SliceSession,
  vault: VaultPort,
  expected: ExpectedSlice,
  ended: AbortSignal,
): Promise<OpenedSlice | undefined> => {
  session.enter('opening');
  let refusals = 0;
  for (let failures = 0; !ended.aborted; failures++) {
    try {
      return await openSlice(vault, session.keys, expected, session.warm, ended);
    } catch (error) {
      if (ended.aborted) return undefined;
      const refused = error instanceof EnclaveFault ? error : refusalOf(error, expected.vault);
      session.log.warn({ code: refused?.code ?? errorKind(error), vault: expected.vault }, 'the slice could not be opened; trying again');
      if (refused && !MAY_PASS.has(refused.code) && ++refusals > PATIENCE) throw refused;
      await backOff(failures, session, ended);
    }
  }
  return undefined;
};

/** Aborts when the Vault says that a subject of the running slice has revoked (C2), or with `ended`. */
const whileConsented = (
  session: SliceSession,
  vault: VaultPort,
  { task }: ExpectedSlice,
  ended: AbortSignal,
): { readonly signal: AbortSignal; readonly done: () => void } => {
  const over = new AbortController();
  const changed = new AbortController();
  const watching = AbortSignal.any([ended, over.signal]);
  setMaxListeners(0, watching);
  const watch = async (): Promise<void> => {
    for (let failures = 0; !watching.aborted; failures++)
      try {
        for await (const { code } of vault.watchSlice({ task, sealKey: session.keys.sealKey }, { signal: watching }))
          if (code === 'ConsentChanged' && !watching.aborted) {
            session.log.info({ code }, 'the running slice stops');
            return changed.abort();
          }
      } catch (error) {
        // The release asks for consent again, whatever was missed here.
        if (!watching.aborted) session.log.warn({ code: errorKind(error) }, 'the slice is not watched; trying again');
        await backOff(failures, session, watching);
      }
  };
  void watch();
  return { signal: AbortSignal.any([ended, changed.signal]), done: () => over.abort() };
};

interface Counted {
  readonly cells: readonly bigint[];
  readonly audience: Uint8Array;
  readonly program: string;
}
/** Exact cells from the executor; undefined when no longer wanted. Throws EnclaveFault with its code when it fails. */
const count = async (
  session: SliceSession,
  expected: ExpectedSlice,
  opened: Extract<OpenedSlice, { kind: 'snapshot' }>,
  round: number,
  wanted: AbortSignal,
): Promise<Counted | undefined> => {
  session.enter('running');
  await using files = await writeSliceFiles(session.scratch, round, opened.eligible);
  const { snapshot } = opened;
  const { eligible } = files;
  const limits = { memoryLimitBytes: session.executorMemoryBytes, timeoutMs: session.genesis.policy.windows.executionMs };
  const result = await session.desk.offer({ task: expected.task, plan: encodePlan(expected.plan), snapshot, eligible, ...limits }, wanted);
  if (!result) return undefined;
  if (result.kind === 'failed') throw new EnclaveFault(result.code, result.message);
  if (result.cells.length !== outputLength(expected.plan))
    throw new EnclaveFault('ExecutorFaulty', 'The executor handed in another number of cells than the plan has.');
  return result;
};

const noised = (input: SnapshotInput, cells: readonly bigint[]): SliceOutput => {
  const seed = fromHex(input.noiseSeed);
  const output = { cells: noiseOutput(seed, cells, input.plan), nonce: outputNonce(input.noiseSeed) };
  seed.fill(0);
  return output;
};

/** T1: who was selected, for the Vault alone; undefined where the plan keeps no audience. */
const kept = ({ plan, noiseSeed }: SnapshotInput, { audience }: Counted): KeptAudience | undefined =>
  plan.audience && { bitmap: hex(audience), nonce: audienceNonce(noiseSeed) };

const signEvidence = (
  session: Session,
  expected: ExpectedSlice,
  input: SnapshotInput,
  output: SliceOutput,
  audience: KeptAudience | undefined,
  program: string,
  attestation: Attestation,
): SignedSliceEvidence => {
  const evidence = {
    envelope: expected.envelope,
    vault: expected.vault,
    round: 0,
    attestation,
    signKey: session.keys.signKey,
    sealKey: session.keys.sealKey,
    program: programDigest(program, expected.plan),
    snapshotCommitment: input.snapshot.commitment,
    consentCommitment: input.consent.commitment,
    outputCommitment: outputCommitment(output),
    ...(audience && { audienceCommitment: audienceCommitment(audience) }),
  };
  return { evidence, signature: session.keys.sign('slice.evidence', session.genesisDigest, evidence) };
};

/** A result that waits for its release, with the input it came from. */
interface Computed {
  readonly input: SnapshotInput;
  readonly payload: SlicePayload;
  readonly audience: KeptAudience | undefined;
}
/** The same snapshot, consent and noise: the same output, so it need not be computed again (B6). */
const sameInput = (a: SnapshotInput, b: SnapshotInput): boolean =>
  a.noiseSeed === b.noiseSeed && a.snapshot.commitment === b.snapshot.commitment && a.consent.commitment === b.consent.commitment;

const release = async (
  vault: VaultPort,
  expected: ExpectedSlice,
  { input, payload, audience }: Computed,
  wanted: AbortSignal,
): Promise<ReleaseReply> => {
  const sealed = await seal(
    input.vaultSealKey,
    'slice-release',
    encodeSliceRelease({ ...payload.output, ...(audience && { audience }) }),
    envelopeAad(expected.envelope),
  );
  const request = {
    task: expected.task,
    evidence: encodeCanonical(payload.evidence),
    sealedOutput: sealed.ciphertext,
    enc: sealed.enc,
  };
  return vault.release(request, { timeoutMs: RELEASE_TIMEOUT_MS, signal: wanted });
};

type Verdict = 'released' | 'open again' | 'run again' | 'TaskEnded' | EnclaveFault;
const verdictOf = ({ code, message }: ReleaseReply, vault: string): Verdict => {
  if (code === '' || code === 'AlreadyDecided') return 'released';
  if (code === 'ConsentChanged') return 'run again';
  if (code === 'TooLate') return 'TaskEnded';
  return MAY_PASS.has(code) ? 'open again' : refusal(vault, code, message);
};
const askRelease = async (
  session: SliceSession,
  vault: VaultPort,
  expected: ExpectedSlice,
  computed: Computed,
  wanted: AbortSignal,
): Promise<Verdict> => {
  session.enter('releasing');
  try {
    return verdictOf(await release(vault, expected, computed, wanted), expected.vault);
  } catch (error) {
    session.log.warn({ code: errorKind(error), vault: expected.vault }, 'the release was not answered; asking the Vault again');
    return 'open again';
  }
};

/** Open, count, release, until the Vault has stored an output; or why that is no longer wanted. */
const produce = async (
  session: SliceSession,
  vault: VaultPort,
  record: TaskRecord,
  attestation: Attestation,
  ended: AbortSignal,
): Promise<SlicePayload | Ending> => {
  const expected = expectedSlice(session, record);
  let computed: Computed | undefined;
  let refusals = 0;
  for (let round = 0; ; round++) {
    if (round > 0) await backOff(Math.min(round, PATIENCE), session, ended);
    const opened = await openWithRetry(session, vault, expected, ended);
    if (!opened) return endingNow(session);
    if (opened.kind === 'stored') return { output: opened.input.output, evidence: opened.input.evidence };
    const { input } = opened;
    if (computed && sameInput(computed.input, input)) computed = { ...computed, input };
    else {
      const stale = whileConsented(session, vault, expected, ended);
      const counted = await count(session, expected, opened, round, stale.signal).finally(stale.done);
      if (!counted && ended.aborted) return endingNow(session);
      // C2: the executor has stopped; a fresh snapshot is without who revoked.
      if (!counted) continue;
      const output = noised(input, counted.cells);
      const audience = kept(input, counted);
      const evidence = signEvidence(session, expected, input, output, audience, counted.program, attestation);
      computed = { input, payload: { output, evidence }, audience };
    }
    const verdict = await askRelease(session, vault, expected, computed, ended);
    const refused = verdict instanceof EnclaveFault ? verdict : undefined;
    session.log.info({ verdict: refused?.code ?? verdict, vault: expected.vault }, 'release asked');
    if (verdict === 'released') return computed.payload;
    if (verdict === 'TaskEnded') return verdict;
    if (refused && (FINAL.has(refused.code) || ++refusals > PATIENCE)) throw refused;
  }
};

/** With the output stored, or none to come, no record stays; but a sidecar that stops may be started again, and warm. */
const produceAndTidy = async (...of: Parameters<typeof produce>): Promise<SlicePayload | Ending> => {
  const [session] = of;
  try {
    return await produce(...of);
  } finally {
    if (!session.signal.aborted) await session.warm.drop();
  }
};

/** B3: the masters' certified word, not the Vault's, lets the output leave. */
const isReleasedAs =
  (vault: string, payload: SlicePayload) =>
  (record: TaskRecord): boolean => {
    const part = partOf(record, vault);
    return (
      part?.release?.outputCommitment === outputCommitment(payload.output) &&
      part.release.evidence === sliceEvidenceDigest(payload.evidence)
    );
  };

/** Aborts when the task leaves `dispatched`, another enclave has taken our place, or we are stopped. */
const whileWanted = (session: Session): { readonly signal: AbortSignal; readonly done: () => void } => {
  const over = new AbortController();
  const replaced = (record: TaskRecord): boolean =>
    partOf(record, session.subject)?.formerEnclaves?.includes(session.keys.sealKey) ?? false;
  const signal = AbortSignal.any([session.signal, over.signal]);
  setMaxListeners(0, signal);
  const watch = session.view.until((record) => hasEnded(record) || replaced(record), signal).then(() => over.abort());
  return {
    signal,
    done: () => {
      over.abort();
      void watch;
    },
  };
};

const isOurs = (session: Session) => (record: TaskRecord) => partOf(record, session.subject)?.enclave?.sealKey === session.keys.sealKey;
const runReady = async (session: SliceSession, attestation: Attestation, wanted: AbortSignal): Promise<Ending> => {
  const record = await session.view.until(isOurs(session), wanted);
  const part = record && partOf(record, session.subject);
  if (!record || !part) return endingNow(session);
  const vault = session.connectVault(part.enterprise);
  try {
    const payload = await produceAndTidy(session, vault, record, attestation, wanted);
    if (typeof payload === 'string') return payload;
    session.enter('waiting');
    if (!(await session.view.until(isReleasedAs(session.subject, payload), wanted))) return endingNow(session);
    await deliver(session, payload, wanted);
    return endingNow(session);
  } finally {
    vault.close();
  }
};

/** Runs to the task's end. Throws EnclaveFault when it fails for good. */
export const runSlice = async (session: SliceSession): Promise<Ending> => {
  if (!(await session.view.until((record) => isDispatched(record) || hasEnded(record), session.signal))) return 'Stopped';
  const wanted = whileWanted(session);
  try {
    const { decided, attestation } = await becomeReady(session);
    const ending = decided === 'decided' ? await runReady(session, attestation, wanted.signal) : decided;
    session.desk.close();
    return ending;
  } catch (error) {
    session.desk.close({
      released: false,
      code: errorKind(error),
      message: error instanceof EnclaveFault ? error.message : 'the slice failed',
    });
    throw error;
  } finally {
    wanted.done();
    session.enter('ended');
  }
};
