/** What both roles of an enclave have in hand, and how both begin: keys, attestation, enclave.ready (rules A1, A5). */
import type { Attestation, Command, EnclaveIdentity, EnclaveReady, Genesis, TaskRecord } from '@scs/protocol';
import { MastersUnavailable, type MastersPort, type Submitted } from '@scs/proto';
import type { Tee } from './attest.ts';
import { backOff, type Clock } from './clock.ts';
import { EnclaveFault, errorKind } from './fault.ts';
import type { EnclaveKeys } from './keys.ts';
import type { Log } from './log.ts';
import type { TaskView } from './task-view.ts';

export type Phase =
  'starting' | 'attesting' | 'opening' | 'running' | 'releasing' | 'delivering' | 'collecting' | 'submitting' | 'waiting' | 'ended';
export interface Session {
  readonly role: 'slice' | 'aggregator';
  readonly task: string;
  /** `namespace/name` of the Vault, or the enterprise's address. */
  readonly subject: string;
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly masters: MastersPort;
  readonly tee: Tee;
  readonly keys: EnclaveKeys;
  readonly view: TaskView;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For health and metrics. */
  readonly enter: (phase: Phase) => void;
}
/** Why an enclave is no longer needed. */
export type Ending = 'TaskEnded' | 'Stopped' | 'Replaced';

export const isDispatched = (record: TaskRecord): boolean => record.state === 'dispatched';
export const hasEnded = (record: TaskRecord): boolean => !['accepted', 'resolving', 'dispatched'].includes(record.state);

export const identityOf = ({ genesisDigest, task, role, subject, keys }: Session): EnclaveIdentity => ({
  genesis: genesisDigest,
  task,
  role,
  subject,
  signKey: keys.signKey,
  sealKey: keys.sealKey,
});

/** Keeps trying while no master answers; undefined when stopped. Refusals come back as they are. */
export const submit = async (session: Session, command: Command): Promise<Submitted | undefined> => {
  for (let failures = 0; !session.signal.aborted; failures++) {
    try {
      return await session.masters.submit(command, { signal: session.signal });
    } catch (error) {
      if (session.signal.aborted) return undefined;
      if (!(error instanceof MastersUnavailable)) throw error;
      session.log.warn({ code: error.code, command: command.type }, 'no master decided the command; trying again');
      await backOff(failures, session, session.signal);
    }
  }
  return undefined;
};

/** Refusals after which the same command may still be decided. */
const NOT_YET = new Set(['TaskNotInState', 'TaskUnknown', 'NotDue']);
/** The task went on without us. */
const OVER = new Set(['TooLate']);
const REPLACED = new Set(['EnclaveReplaced', 'NotTheAggregator']);
export type Decided = 'decided' | Ending;

/** How long the certified record has to show what a master says is decided. */
const SHOWN_WITHIN_MS = 5_000;
const isShown = async ({ view, clock, signal }: Session, shows: (record: TaskRecord) => boolean): Promise<boolean> => {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  void clock.sleep(SHOWN_WITHIN_MS, either).then(() => over.abort());
  const record = await view.until(shows, either);
  over.abort();
  return record !== undefined;
};

/**
 * Submits until the certified record shows it, it is over, or refused for good: EnclaveFault with the masters' code. One master's
 * word that it is decided is not enough (N1): submitted again, the command goes to another one.
 */
export const submitUntilDecided = async (session: Session, command: Command, shows: (record: TaskRecord) => boolean): Promise<Decided> => {
  for (let failures = 0; ; failures++) {
    const submitted = await submit(session, command);
    if (!submitted) return 'Stopped';
    if (submitted.ok || submitted.code === 'AlreadyDecided') {
      if (await isShown(session, shows)) return 'decided';
      if (session.signal.aborted) return 'Stopped';
      session.log.warn({ command: command.type }, 'a master said that the command is decided, but nothing shows it; submitting it again');
      continue;
    }
    if (OVER.has(submitted.code)) return 'TaskEnded';
    if (REPLACED.has(submitted.code)) return 'Replaced';
    if (!NOT_YET.has(submitted.code)) throw new EnclaveFault(submitted.code, submitted.message);
    session.log.warn({ code: submitted.code, command: command.type }, 'the masters do not take the command yet');
    await backOff(failures, session, session.signal);
  }
};

export const attestWithRetry = async (session: Session): Promise<Attestation> => {
  for (let failures = 0; ; failures++) {
    try {
      return await session.tee.attest(identityOf(session));
    } catch (error) {
      if (error instanceof EnclaveFault || failures >= 5) throw error;
      session.log.warn({ code: errorKind(error) }, 'the report could not be had; trying again');
      await backOff(failures, session, session.signal);
    }
  }
};

/** Whether the record knows this enclave's keys, as its present ones or as replaced ones, or has gone on. */
const knowsUs =
  ({ role, subject, keys: { sealKey } }: Session) =>
  (record: TaskRecord): boolean => {
    const part = record.parts.find(({ vault }) => vault === subject);
    const [now, former] =
      role === 'aggregator' ? [record.aggregatorEnclave, record.formerAggregatorEnclaves] : [part?.enclave, part?.formerEnclaves];
    return now?.sealKey === sealKey || former?.includes(sealKey) === true || hasEnded(record);
  };

/** Attests this enclave and has the masters decide its keys. */
export const becomeReady = async (session: Session): Promise<{ readonly decided: Decided; readonly attestation: Attestation }> => {
  session.enter('attesting');
  const { task, role, subject, keys } = session;
  const attestation = await attestWithRetry(session);
  const statement: EnclaveReady = { task, role, subject, signKey: keys.signKey, sealKey: keys.sealKey, attestation };
  const signature = keys.sign('enclave.ready', session.genesisDigest, statement);
  const decided = await submitUntilDecided(session, { type: 'enclave.ready', statement, signature }, knowsUs(session));
  session.log.info({ decided, kind: attestation.kind }, 'enclave keys submitted');
  return { decided, attestation };
};
