/**
 * A task's steps in the Vault, each within the one writing transaction (rules B2 to B6, C2, C3); `vault-store.ts` says in which order
 * they come. Repeats change nothing.
 */
import { consentCommitment, equalBytes, hex, type Quota, type Usage } from '@scs/protocol';
import { packNumbers } from '../journal/numbers.ts';
import { accessRow, type AccessKind } from './access-log.ts';
import { keepAudience, selectedNumbers, type AudienceToKeep } from './audiences.ts';
import type { Look } from './book.ts';
import { dropCharged, releaseCharge, revokedNumbers } from './ledger.ts';
import { useRow } from './quota-uses.ts';
import { quotaFault } from './quotas.ts';
import { readingOf } from './reading.ts';
import {
  consentReceipt,
  outputOfTask,
  outputRow,
  reservationRow,
  settleReservation,
  updateAttempt,
  type Reservation,
  type StoredOutput,
} from './reservations.ts';
import { currentSnapshot, forgetSnapshots, type Snapshot, type SnapshotFolders } from './snapshots.ts';
import { consentVersion } from './subjects.ts';
import type { Hand } from './writer.ts';

export interface ReserveRequest {
  readonly task: string;
  readonly submitter: string;
  readonly nonce: string;
  /** `readingName` of the plan. */
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

/** Of one transaction, for a Vault. */
export interface Step extends Hand {
  /** `namespace/name`. */
  readonly vault: string;
  readonly folders: SnapshotFolders;
  /** Names of a domain's columns. */
  readonly columnsOf: (domain: string) => readonly string[];
  /** Civil time in milliseconds. */
  readonly now: () => number;
  readonly onStep?: ((step: string) => void) | undefined;
}
const note = ({ out, now }: Step, what: AccessKind, { task, submitter }: Reservation): void =>
  out.add('access', accessRow({ time: now(), what, task, by: submitter }));

const looking =
  ({ sql, out }: Step): Look =>
  async () => {
    await out.flush();
    return sql;
  };

/** B4: what stands in the way of a reservation, of what is public alone. */
const refusalOf = async (step: Step, request: ReserveRequest): Promise<Exclude<Reserved, { ok: true }> | undefined> => {
  const { book } = step;
  const look = looking(step);
  if (await book.isTaken(look, request.submitter, request.nonce)) return { ok: false, code: 'NonceReused' };
  if (book.lost) return { ok: false, code: 'BudgetExhausted', left: 0n };
  const quotas = request.quotas ?? [];
  const time = request.time ?? 0;
  const uses = quotas.length === 0 ? [] : await book.uses(look, request.submitter, time);
  const message = quotaFault(quotas, { ...request, time }, uses);
  if (message !== undefined) return { ok: false, code: 'QuotaExceeded', message };
  const left = request.limit - book.odometer(request.usage, request.domain);
  return request.ask > left ? { ok: false, code: 'BudgetExhausted', left: left > 0n ? left : 0n } : undefined;
};

/**
 * Consent, eligible subjects, reservation and snapshot (B2, B4, B5). The public odometer is asked first, and nothing else can refuse:
 * whoever is short of consent or budget is left out silently.
 */
export const reserveTask = async (step: Step, request: ReserveRequest): Promise<Reserved> => {
  const { sql, book, out, journal } = step;
  const known = await book.reservationEver(looking(step), request.task);
  if (known) return { ok: true, reservation: isReplayed(known) && !book.hasOutput(known.task) ? await refreshed(step, known) : known };
  const refused = await refusalOf(step, request);
  if (refused) return refused;
  const { task, domain, usage, submitter, nonce, ask } = request;
  const time = request.time ?? 0;
  const id = await book.nextNumber(sql);
  const eligible = await book.eligible(sql, request, request.limit);
  const attempt = await attemptOf(step, { ...request, id, attempt: 1n }, eligible);
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
  await book.reserve(sql, reservation, eligible, time);
  out.add('reservations', reservationRow(reservation));
  out.charge(id, eligible);
  out.add('quota_uses', useRow({ task, submitter, usage, ask, time }));
  note(step, 'reserved', reservation);
  const { firstSnapshot, firstConsent } = attempt;
  journal('reserve', {
    task,
    id,
    domain,
    usage,
    submitter,
    nonce,
    ask,
    firstSnapshot,
    firstConsent,
    time: BigInt(time),
    subjects: packNumbers(eligible),
  });
  return { ok: true, reservation };
};

/** C2, before output leaves: if a subject of it has revoked since, a fresh snapshot without them. undefined: no open reservation. */
export const refreshTask = async (step: Step, task: string): Promise<Reservation | undefined> => {
  const known = step.book.reservation(task);
  if (known?.state !== 'reserved') return undefined;
  note(step, 'opened', known);
  return step.book.hasOutput(task) ? known : refreshed(step, known);
};

/** B3: output and evidence, stored under the Vault's own key, in the transaction that checks consent a last time (C2). */
export const storeTaskOutput = async (step: Step, given: OutputToStore): Promise<Stored> => {
  const { sql, book, out, journal } = step;
  const known = book.reservation(given.task);
  if (!known) return { ok: false, code: 'NotReserved' };
  const before = await storedBefore(step, given.task);
  if (before)
    return equalBytes(before.evidence, given.evidence)
      ? { ok: true, stored: before, reservation: known }
      : { ok: false, code: 'AlreadyStored' };
  if (known.state !== 'reserved') return { ok: false, code: 'NotReserved' };
  const current = await refreshed(step, known);
  const expected = commitmentsOf(current, await book.snapshotById(sql, current.snapshot));
  if (given.snapshotCommitment !== expected.snapshot || given.consentCommitment !== expected.consent)
    return { ok: false, code: 'ConsentChanged' };
  const { task, envelope, output, evidence } = given;
  const audience = given.audience && (await kept(step, current, given.audience));
  if (given.audience && !audience) return { ok: false, code: 'AudienceUnfit' };
  const stored: StoredOutput = { task, envelope, output, evidence, height: undefined };
  book.noteOutput(task);
  out.add('outputs', outputRow(stored));
  journal('output', { task, envelope, output: hex(output), evidence: hex(evidence), ...(audience && { audience }) });
  return { ok: true, stored, reservation: current };
};
const storedBefore = async ({ sql, book, out }: Step, task: string): Promise<StoredOutput | undefined> => {
  if (!book.hasOutput(task)) return undefined;
  await out.flush();
  return outputOfTask(sql, task);
};

/** Keeps an audience with the output it came with (T1); what the journal says of it. */
const kept = async (step: Step, { task, id }: Reservation, { bitmap, expiresSeconds }: AudienceToKeep): Promise<object | undefined> => {
  const numbers = selectedNumbers(await chargedBy(step, id), bitmap);
  if (numbers === undefined) return undefined;
  const expires = BigInt(step.now() + 1000 * expiresSeconds);
  await keepAudience(step.sql, task, expires, numbers);
  return { expires, members: packNumbers(numbers) };
};
const chargedBy = async ({ sql, book, out }: Step, id: bigint): Promise<Uint32Array> => {
  await out.flush();
  return book.setOf(sql, id);
};

/** B2: the masters decided the release at `height`: `used` of the reservation is spent. */
export const commitTask = async (step: Step, task: string, used: bigint, height: bigint): Promise<void> => {
  const { sql, book, out, journal } = step;
  const known = book.reservation(task);
  if (known?.state !== 'reserved') return;
  if (used > known.ask) throw new Error('more is to be committed than was reserved');
  await out.flush();
  await book.settle(sql, known, 'committed', used);
  await settleReservation(sql, task, 'committed', used);
  note(step, 'released', known);
  await sql.run('UPDATE outputs SET height = $height::BIGINT WHERE task = $task', { task, height });
  journal('commit', { task, used, height });
};

/** B2: the task ended before any release was decided. After a commit it changes nothing. */
export const releaseTask = async (step: Step, task: string): Promise<void> => {
  const { sql, book, out, journal } = step;
  const known = book.reservation(task);
  if (known?.state !== 'reserved') return;
  await out.flush();
  await book.settle(sql, known, 'released', 0n);
  await releaseCharge(sql, known.id);
  await settleReservation(sql, task, 'released', 0n);
  note(step, 'given back', known);
  journal('release', { task });
};

/** The task is terminal: its snapshot and output are needed no more. The charge stands. */
export const endTask = async ({ sql, book, out }: Step, task: string): Promise<void> => {
  await out.flush();
  book.end(task);
  await sql.run("UPDATE reservations SET ended = true WHERE task = $task AND state <> 'reserved'", { task });
  await sql.run('DELETE FROM outputs o WHERE task = $task AND EXISTS (SELECT 1 FROM reservations r WHERE r.task = o.task AND r.ended)', {
    task,
  });
  book.forgetSnapshots(await forgetSnapshots(sql));
};

/** Open, and without a snapshot: the journal's replay left none, or its file is gone. */
const isReplayed = ({ snapshot, state }: Reservation): boolean => snapshot === 0n && state === 'reserved';

/** Drops who revoked; if anybody did, or the journal's replay left no snapshot, the next attempt on a fresh one. */
const refreshed = async (step: Step, known: Reservation): Promise<Reservation> => {
  const { sql, book, journal } = step;
  const replayed = isReplayed(known);
  const version = book.version(consentVersion(known.usage));
  if (!replayed && known.consentVersion === version) return known;
  const { dropped, left } = await dropRevoked(step, known);
  const same = { ...known, consentVersion: version };
  const next =
    dropped.length === 0 && !replayed
      ? same
      : {
          ...same,
          ...(await attemptOf(step, { ...known, attempt: known.attempt + 1n }, left)),
          firstSnapshot: known.firstSnapshot,
          firstConsent: known.firstConsent,
        };
  book.replace(next);
  await updateAttempt(sql, next);
  if (next.attempt !== known.attempt) journal('refresh', { task: known.task, attempt: next.attempt, dropped: packNumbers(dropped) });
  return next;
};
/** C2: gives theirs back to those who no longer consent. */
const dropRevoked = async (step: Step, known: Reservation): Promise<{ readonly dropped: Uint32Array; readonly left: Uint32Array }> => {
  const { sql, book } = step;
  const charged = await chargedBy(step, known.id);
  const dropped = await revokedNumbers(sql, known.id, known.usage);
  if (dropped.length === 0) return { dropped, left: charged };
  const gone = new Set(dropped);
  const left = charged.filter((number) => !gone.has(number));
  await dropCharged(sql, known.id, dropped);
  await book.drop(sql, known, dropped, left);
  return { dropped, left };
};

/** What a snapshot and receipt make of a reservation, for `eligible` subjects. */
const attemptOf = async (
  step: Step,
  of: { readonly id: bigint; readonly task: string; readonly domain: string; readonly usage: Usage; readonly attempt: bigint },
  eligible: Uint32Array,
) => {
  const { sql, book, vault, folders, columnsOf, onStep } = step;
  const { domain, usage } = of;
  const { snapshot, consentVersion: version } = await book.snapshot(domain, usage, () =>
    currentSnapshot(sql, { domain, usage, columns: columnsOf(readingOf(domain).home) }, folders),
  );
  onStep?.('snapshot:sealed');
  const receipt = consentReceipt({ vault, task: of.task, reservation: of.id, attempt: of.attempt }, snapshot, eligible);
  return {
    attempt: of.attempt,
    snapshot: snapshot.id,
    consentVersion: version,
    consentNonce: receipt.nonce,
    receipt: receipt.receipt,
    firstSnapshot: snapshot.commitment,
    firstConsent: receipt.commitment,
  };
};
