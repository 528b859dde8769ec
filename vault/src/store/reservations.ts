/** Reservations as rows (rule B2), and the signed receipt's contents (C3). */
import { createHash, randomBytes } from 'node:crypto';
import { consentCommitment, encodeCanonical, hex, utf8, digest, type Usage } from '@scs/protocol';
import type { Cell } from './columns.ts';
import type { Row, Sql } from './database.ts';
import type { Snapshot } from './snapshots.ts';

export interface Reservation {
  readonly id: bigint;
  readonly task: string;
  readonly domain: string;
  readonly usage: Usage;
  readonly submitter: string;
  /** Of the submitter's authorization (N5). */
  readonly nonce: string;
  /** Micro-rho. */
  readonly ask: bigint;
  readonly used: bigint;
  readonly state: 'reserved' | 'committed' | 'released';
  /** Rises with each fresh snapshot (C2). */
  readonly attempt: bigint;
  /** 0 after it was replayed from the journal (B8), until the next attempt. */
  readonly snapshot: bigint;
  readonly consentVersion: bigint;
  readonly consentNonce: string;
  readonly receipt: Uint8Array;
  /** What the masters were told: the envelope holds these. */
  readonly firstSnapshot: string;
  readonly firstConsent: string;
  readonly ended: boolean;
}
export interface StoredOutput {
  readonly task: string;
  readonly envelope: string;
  /** Canonical SliceOutput and SignedSliceEvidence. */
  readonly output: Uint8Array;
  readonly evidence: Uint8Array;
  /** Height of its decided release; undefined until then. */
  readonly height: bigint | undefined;
}

export const reservationOf = (row: Row): Reservation => ({
  id: row['id'] as bigint,
  task: String(row['task']),
  domain: String(row['domain']),
  usage: row['usage'] as Usage,
  submitter: String(row['submitter']),
  nonce: String(row['nonce']),
  ask: row['ask'] as bigint,
  used: row['used'] as bigint,
  state: row['state'] as Reservation['state'],
  attempt: row['attempt'] as bigint,
  snapshot: row['snapshot'] as bigint,
  consentVersion: row['consent_version'] as bigint,
  consentNonce: String(row['consent_nonce']),
  receipt: Uint8Array.from(row['receipt'] as Uint8Array),
  firstSnapshot: String(row['first_snapshot']),
  firstConsent: String(row['first_consent']),
  ended: row['ended'] as boolean,
});

export const reservationOfTask = async (sql: Sql, task: string): Promise<Reservation | undefined> => {
  const [row] = await sql.rows('SELECT * FROM reservations WHERE task = $task', { task });
  return row && reservationOf(row);
};
export const unfinishedReservations = async (sql: Sql): Promise<readonly Reservation[]> =>
  (await sql.rows('SELECT * FROM reservations WHERE NOT ended ORDER BY id')).map(reservationOf);

/** Row of the table `reservations`. */
export const reservationRow = (r: Reservation): readonly Cell[] => [
  r.id,
  r.task,
  r.domain,
  r.usage,
  r.submitter,
  r.nonce,
  r.ask,
  r.used,
  r.state,
  r.attempt,
  r.snapshot,
  r.consentVersion,
  r.consentNonce,
  r.receipt,
  r.firstSnapshot,
  r.firstConsent,
  r.ended,
];
/** A fresh snapshot and receipt for the next attempt (C2). */
export const updateAttempt = (sql: Sql, r: Reservation): Promise<void> =>
  sql.run(
    `UPDATE reservations SET attempt = $attempt::BIGINT, snapshot = $snapshot::BIGINT, consent_version = $consentVersion::BIGINT,
       consent_nonce = $consentNonce, receipt = $receipt WHERE task = $task`,
    {
      task: r.task,
      attempt: r.attempt,
      snapshot: r.snapshot,
      consentVersion: r.consentVersion,
      consentNonce: r.consentNonce,
      receipt: r.receipt,
    },
  );
export const settleReservation = (sql: Sql, task: string, state: 'committed' | 'released', used: bigint): Promise<void> =>
  sql.run('UPDATE reservations SET state = $state, used = $used::BIGINT WHERE task = $task', { task, state, used });

export const outputRow = (o: StoredOutput): readonly Cell[] => [o.task, o.envelope, o.output, o.evidence, o.height ?? null];
export const outputOfTask = async (sql: Sql, task: string): Promise<StoredOutput | undefined> => {
  const [row] = await sql.rows('SELECT * FROM outputs WHERE task = $task', { task });
  return (
    row && {
      task,
      envelope: String(row['envelope']),
      output: Uint8Array.from(row['output'] as Uint8Array),
      evidence: Uint8Array.from(row['evidence'] as Uint8Array),
      height: (row['height'] as bigint | null) ?? undefined,
    }
  );
};

/** C3: the receipt of consents: which subjects were eligible, as one digest, with the snapshot they are in. Never leaves unsealed. */
export const consentReceipt = (
  of: { readonly vault: string; readonly task: string; readonly reservation: bigint; readonly attempt: bigint },
  snapshot: Snapshot,
  /** Ascending. */
  eligible: Uint32Array,
): { readonly receipt: Uint8Array; readonly nonce: string; readonly commitment: string } => {
  const receipt = encodeCanonical({
    vault: of.vault,
    task: of.task,
    attempt: of.attempt,
    snapshot: snapshot.commitment,
    eligible: digest('eligible', utf8(eligible.length === 0 ? '' : createHash('sha256').update(eligible).digest('hex'))),
  });
  const nonce = randomBytes(32).toString('hex');
  return { receipt, nonce, commitment: consentCommitment(nonce, hex(receipt)) };
};
