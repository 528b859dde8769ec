/**
 * A task's steps in the Vault, each within the one writing transaction (rules B2 to B6, C2, C3); `vault-store.ts` says in which order
 * they come. Repeats change nothing.
 */
import { consentCommitment, equalBytes, hex, type Quota, type Usage } from '@scs/protocol';
import { packNumbers } from '../journal/numbers.ts';
import { isLost } from '../journal/replay.ts';
import { noteAccess, type AccessKind } from './access-log.ts';
import { keepAudience, selectedNumbers, type AudienceToKeep } from './audiences.ts';
import type { Sql } from './database.ts';
import { appendJournal } from './journal.ts';
import { commitCharge, dropRevoked, odometer, releaseCharge, reservedSubjects, reserveEligible } from './ledger.ts';
import { noteUse, quotaFault } from './quotas.ts';
import {
  consentReceipt,
  insertReservation,
  nonceUsedElsewhere,
  outputOfTask,
  reservationOfTask,
  settleReservation,
  updateAttempt,
  type Reservation,
  type StoredOutput,
} from './reservations.ts';
import { currentSnapshot, forgetSnapshots, snapshotById, type Snapshot, type SnapshotFolders } from './snapshots.ts';
import { consentVersion, versionOf } from './subjects.ts';

export interface ReserveRequest {
  readonly task: string;
  readonly submitter: string;
  readonly nonce: string;
  readonly domain: string;
  readonly usage: Usage;
  readonly ask: bigint;
  /** `subjectLimit` of policy and manifest; micro-rho. */
  readonly limit: bigint;
  /** Of the task's admission, by the masters' log, for quotas; milliseconds. */
  readonly time?: number;
  readonly quotas?: readonly Quota[];
}
export type Reserved =
  | { readonly ok: true; readonly reservation: Reservation }
  | { readonly ok: false; readonly code: 'BudgetExhausted'; readonly left: bigint }
  /** C5: beyond what the manifest lets the actor ask. */
  | { readonly ok: false; readonly code: 'QuotaExceeded'; readonly message: string }
  | { readonly ok: false; readonly code: 'NonceReused' };
export interface OutputToStore {
  readonly task: string;
  readonly envelope: string;
  readonly snapshotCommitment: string;
  readonly consentCommitment: string;
  /** Canonical SliceOutput and SignedSliceEvidence. */
  readonly output: Uint8Array;
  readonly evidence: Uint8Array;
  /** T1: where the plan keeps one. */
  readonly audience?: AudienceToKeep;
}
export type Stored =
  | { readonly ok: true; readonly stored: StoredOutput; readonly reservation: Reservation }
  /** ConsentChanged: run again on a fresh snapshot. AlreadyStored: B6, the first output stands. NotReserved: ended or never begun.
   *  AudienceUnfit: not of the subjects that are charged. */
  | { readonly ok: false; readonly code: 'ConsentChanged' | 'AlreadyStored' | 'NotReserved' | 'AudienceUnfit' };

export const commitmentsOf = (reservation: Reservation, snapshot: Snapshot): { snapshot: string; consent: string } => ({
  snapshot: snapshot.commitment,
  consent: consentCommitment(reservation.consentNonce, hex(reservation.receipt)),
});

/** Of one transaction. */
export interface Step {
  readonly sql: Sql;
  /** `namespace/name`. */
  readonly vault: string;
  readonly folders: SnapshotFolders;
  /** Names of a domain's columns. */
  readonly columnsOf: (domain: string) => readonly string[];
  /** Civil time in milliseconds. */
  readonly now: () => number;
  readonly onStep?: ((step: string) => void) | undefined;
}
const note = ({ sql, now }: Step, what: AccessKind, { task, submitter }: Reservation): Promise<void> =>
  noteAccess(sql, { time: now(), what, task, by: submitter });

/**
 * Consent, eligible subjects, reservation and snapshot (B2, B4, B5). The public odometer is asked first, and nothing else can refuse:
 * whoever is short of consent or budget is left out silently.
 */
export const reserveTask = async (step: Step, request: ReserveRequest): Promise<Reserved> => {
  const { sql } = step;
  const known = await reservationOfTask(sql, request.task);
  if (known) return { ok: true, reservation: known.snapshot === 0n ? await refreshed(step, known) : known };
  if (await nonceUsedElsewhere(sql, request)) return { ok: false, code: 'NonceReused' };
  if (await isLost(sql)) return { ok: false, code: 'BudgetExhausted', left: 0n };
  const use = { ...request, time: request.time ?? 0 };
  const beyond = await quotaFault(sql, request.quotas ?? [], use);
  if (beyond !== undefined) return { ok: false, code: 'QuotaExceeded', message: beyond };
  const left = request.limit - (await odometer(sql, request.usage, request.domain));
  if (request.ask > left) return { ok: false, code: 'BudgetExhausted', left: left > 0n ? left : 0n };
  const [number] = await sql.rows("SELECT nextval('numbers') AS id");
  const id = number!['id'] as bigint;
  await reserveEligible(sql, { id, usage: request.usage, ask: request.ask }, request.domain, request.limit);
  const { attempt, eligible } = await attemptOf(step, { ...request, id, attempt: 1n });
  const { domain, usage, submitter, nonce, ask, task } = request;
  const reservation: Reservation = {
    id,
    task,
    domain,
    usage,
    submitter,
    nonce,
    ask,
    used: 0n,
    state: 'reserved',
    ended: false,
    ...attempt,
  };
  await insertReservation(sql, reservation);
  await noteUse(sql, use);
  await note(step, 'reserved', reservation);
  await appendJournal(sql, 'reserve', {
    task,
    id,
    domain,
    usage,
    submitter,
    nonce,
    ask,
    firstSnapshot: attempt.firstSnapshot,
    firstConsent: attempt.firstConsent,
    time: BigInt(use.time),
    subjects: packNumbers(eligible),
  });
  return { ok: true, reservation };
};

/** C2, before output leaves: if a subject of it has revoked since, a fresh snapshot without them. undefined: no open reservation. */
export const refreshTask = async (step: Step, task: string): Promise<Reservation | undefined> => {
  const { sql } = step;
  const known = await reservationOfTask(sql, task);
  if (known?.state !== 'reserved') return undefined;
  await note(step, 'opened', known);
  return (await outputOfTask(sql, task)) ? known : refreshed(step, known);
};

/** B3: output and evidence, stored under the Vault's own key, in the transaction that checks consent a last time (C2). */
export const storeTaskOutput = async (step: Step, given: OutputToStore): Promise<Stored> => {
  const { sql } = step;
  const known = await reservationOfTask(sql, given.task);
  if (!known || known.state === 'released') return { ok: false, code: 'NotReserved' };
  const before = await outputOfTask(sql, given.task);
  if (before)
    return equalBytes(before.evidence, given.evidence)
      ? { ok: true, stored: before, reservation: known }
      : { ok: false, code: 'AlreadyStored' };
  const current = await refreshed(step, known);
  const expected = commitmentsOf(current, await snapshotById(sql, current.snapshot));
  if (given.snapshotCommitment !== expected.snapshot || given.consentCommitment !== expected.consent)
    return { ok: false, code: 'ConsentChanged' };
  const { task, envelope, output, evidence } = given;
  const audience = given.audience && (await kept(step, current, given.audience));
  if (given.audience && !audience) return { ok: false, code: 'AudienceUnfit' };
  await sql.run('INSERT INTO outputs VALUES ($task, $envelope, $output, $evidence, NULL)', { task, envelope, output, evidence });
  await appendJournal(sql, 'output', { task, envelope, output: hex(output), evidence: hex(evidence), ...(audience && { audience }) });
  return { ok: true, stored: { task, envelope, output, evidence, height: undefined }, reservation: current };
};

/** Keeps an audience with the output it came with (T1); what the journal says of it. */
const kept = async (
  { sql, now }: Step,
  { task, id }: Reservation,
  { bitmap, expiresSeconds }: AudienceToKeep,
): Promise<object | undefined> => {
  const numbers = await selectedNumbers(sql, id, bitmap);
  if (numbers === undefined) return undefined;
  const expires = BigInt(now() + 1000 * expiresSeconds);
  await keepAudience(sql, task, expires, numbers);
  return { expires, members: packNumbers(numbers) };
};

/** B2: the masters decided the release at `height`: `used` of the reservation is spent. */
export const commitTask = async (step: Step, task: string, used: bigint, height: bigint): Promise<void> => {
  const { sql } = step;
  const known = await reservationOfTask(sql, task);
  if (known?.state !== 'reserved') return;
  if (used > known.ask) throw new Error('more is to be committed than was reserved');
  await commitCharge(sql, known, used);
  await settleReservation(sql, task, 'committed', used);
  await note(step, 'released', known);
  await sql.run('UPDATE outputs SET height = $height::BIGINT WHERE task = $task', { task, height });
  await appendJournal(sql, 'commit', { task, used, height });
};

/** B2: the task ended before any release was decided. After a commit it changes nothing. */
export const releaseTask = async (step: Step, task: string): Promise<void> => {
  const { sql } = step;
  const known = await reservationOfTask(sql, task);
  if (known?.state !== 'reserved') return;
  await releaseCharge(sql, known);
  await settleReservation(sql, task, 'released', 0n);
  await note(step, 'given back', known);
  await appendJournal(sql, 'release', { task });
};

/** The task is terminal: its snapshot and output are needed no more. The charge stands. */
export const endTask = async ({ sql }: Step, task: string): Promise<void> => {
  await sql.run("UPDATE reservations SET ended = true WHERE task = $task AND state <> 'reserved'", { task });
  await sql.run('DELETE FROM outputs o WHERE task = $task AND EXISTS (SELECT 1 FROM reservations r WHERE r.task = o.task AND r.ended)', {
    task,
  });
  await forgetSnapshots(sql);
};

/** Drops who revoked; if anybody did, or the journal's replay left no snapshot, the next attempt on a fresh one. */
const refreshed = async (step: Step, known: Reservation): Promise<Reservation> => {
  const { sql } = step;
  const replayed = known.snapshot === 0n && known.state === 'reserved';
  if (!replayed && known.consentVersion === (await versionOf(sql, consentVersion(known.usage)))) return known;
  const dropped = await dropRevoked(sql, known);
  if (dropped === undefined && !replayed) {
    const same = { ...known, consentVersion: await versionOf(sql, consentVersion(known.usage)) };
    await updateAttempt(sql, same);
    return same;
  }
  const { task } = known;
  const next = {
    ...known,
    ...(await attemptOf(step, { ...known, attempt: known.attempt + 1n })).attempt,
    firstSnapshot: known.firstSnapshot,
    firstConsent: known.firstConsent,
  };
  await updateAttempt(sql, next);
  await appendJournal(sql, 'refresh', { task, attempt: next.attempt, dropped: packNumbers(dropped ?? '') });
  return next;
};

const attemptOf = async (step: Step, of: { id: bigint; task: string; domain: string; usage: Usage; attempt: bigint }) => {
  const { sql, vault, folders, columnsOf, onStep } = step;
  const columns = columnsOf(of.domain);
  const { snapshot, consentVersion: version } = await currentSnapshot(sql, { domain: of.domain, usage: of.usage, columns }, folders);
  onStep?.('snapshot:sealed');
  const eligible = await reservedSubjects(sql, of.id);
  const about = { vault, task: of.task, reservation: of.id, attempt: of.attempt };
  const receipt = consentReceipt(about, snapshot, eligible);
  const attempt = {
    attempt: of.attempt,
    snapshot: snapshot.id,
    consentVersion: version,
    consentNonce: receipt.nonce,
    receipt: receipt.receipt,
    firstSnapshot: snapshot.commitment,
    firstConsent: receipt.commitment,
  };
  return { attempt, eligible };
};
