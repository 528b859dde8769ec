/**
 * The privacy budget of data subjects (rules B1, B2, B4, B5), as one state machine over one Vault and usage. A Vault does
 * the same set-wise in SQL; this is what that is checked against. Amounts are micro-rho.
 *
 *   reserve ──> reserved ──commit──> committed        reserved + spent <= limit, for every subject, always
 *                   └──────release──> released        each step is idempotent by task
 */
import type { Usage } from '../policy.ts';
import { vaultLimit, type PrivacyLimits } from './odometer.ts';

export interface Account {
  readonly reserved: bigint;
  readonly spent: bigint;
}
export interface Reservation {
  readonly ask: bigint;
  /** Subjects charged: all that were eligible (B4), matched or not. */
  readonly subjects: readonly string[];
  readonly state: 'reserved' | 'committed' | 'released';
}
export interface Ledger {
  readonly accounts: ReadonlyMap<string, Account>;
  readonly reservations: ReadonlyMap<string, Reservation>;
}
export type LedgerFault =
  | { readonly code: 'UnknownReservation'; readonly task: string }
  | { readonly code: 'ReservationReleased'; readonly task: string }
  | { readonly code: 'ReservationCommitted'; readonly task: string }
  | { readonly code: 'AboveReservation'; readonly reserved: bigint; readonly asked: bigint };
export type LedgerStep = { readonly ok: true; readonly ledger: Ledger } | { readonly ok: false; readonly fault: LedgerFault };

export const emptyLedger: Ledger = { accounts: new Map(), reservations: new Map() };
const NOTHING: Account = { reserved: 0n, spent: 0n };

/**
 * B1, C5: what one Vault may let a subject lose of a usage: the policy's limit divided by the domain's overlap bound, rounded
 * down, and never more than the Vault's own limit. A usage that the policy does not name has none.
 */
export const subjectLimit = (policy: PrivacyLimits, usage: Usage, overlapBound: number, own?: bigint): bigint => {
  const share = vaultLimit(policy, usage, overlapBound);
  return own !== undefined && own < share ? own : share;
};

/** B5: a manifest's limit, in whole micro-rho: rounded down. */
export const wholeMicroRho = (decimal: string): bigint => BigInt(decimal.split('.')[0]!);

/** Has a subject with this account room for `ask`? */
export const hasRoom = ({ reserved, spent }: Account, ask: bigint, limit: bigint): boolean => reserved + spent + ask <= limit;

/** B4: candidates without room are left out silently, even if that is all of them. A task already known changes nothing. */
export const reserve = (ledger: Ledger, task: string, ask: bigint, candidates: readonly string[], limit: bigint): Ledger => {
  if (ask <= 0n) throw new RangeError('a reservation asks for a positive amount');
  if (ledger.reservations.has(task)) return ledger;
  const subjects = [...new Set(candidates)].filter((s) => hasRoom(ledger.accounts.get(s) ?? NOTHING, ask, limit));
  return {
    accounts: change(ledger.accounts, subjects, ({ reserved, spent }) => ({ reserved: reserved + ask, spent })),
    reservations: new Map(ledger.reservations).set(task, { ask, subjects, state: 'reserved' }),
  };
};

/**
 * B2: what was used becomes spent, the rest of the reservation goes back. A fraction of a micro-rho that was used counts
 * whole: callers round up. Repeating a commit changes nothing; after a release it is a fault, for nothing may have left.
 */
export const commitReservation = (ledger: Ledger, task: string, used: bigint): LedgerStep => {
  const found = ledger.reservations.get(task);
  if (!found) return { ok: false, fault: { code: 'UnknownReservation', task } };
  if (found.state === 'released') return { ok: false, fault: { code: 'ReservationReleased', task } };
  if (found.state === 'committed') return { ok: true, ledger };
  if (used < 0n || used > found.ask) return { ok: false, fault: { code: 'AboveReservation', reserved: found.ask, asked: used } };
  return settled(ledger, task, found, 'committed', used);
};

/** B2: failure before execution gives all back. Repeating it changes nothing; after a commit it is a fault. */
export const releaseReservation = (ledger: Ledger, task: string): LedgerStep => {
  const found = ledger.reservations.get(task);
  if (!found) return { ok: false, fault: { code: 'UnknownReservation', task } };
  if (found.state === 'committed') return { ok: false, fault: { code: 'ReservationCommitted', task } };
  if (found.state === 'released') return { ok: true, ledger };
  return settled(ledger, task, found, 'released', 0n);
};

/** C2: subjects who revoked before any output left are dropped from a reservation; theirs goes back. */
export const dropSubjects = (ledger: Ledger, task: string, revoked: ReadonlySet<string>): LedgerStep => {
  const found = ledger.reservations.get(task);
  if (!found) return { ok: false, fault: { code: 'UnknownReservation', task } };
  if (found.state !== 'reserved') return { ok: true, ledger };
  const dropped = found.subjects.filter((s) => revoked.has(s));
  const kept = found.subjects.filter((s) => !revoked.has(s));
  return {
    ok: true,
    ledger: {
      accounts: change(ledger.accounts, dropped, ({ reserved, spent }) => ({ reserved: reserved - found.ask, spent })),
      reservations: new Map(ledger.reservations).set(task, { ...found, subjects: kept }),
    },
  };
};

/** B2: at the end of an epoch what was spent counts from nothing again; reservations stay, and are spent in the new period. */
export const replenish = (ledger: Ledger): Ledger => ({
  ...ledger,
  accounts: change(ledger.accounts, [...ledger.accounts.keys()], ({ reserved }) => ({ reserved, spent: 0n })),
});

const settled = (ledger: Ledger, task: string, found: Reservation, state: 'committed' | 'released', used: bigint): LedgerStep => ({
  ok: true,
  ledger: {
    accounts: change(ledger.accounts, found.subjects, ({ reserved, spent }) => ({ reserved: reserved - found.ask, spent: spent + used })),
    reservations: new Map(ledger.reservations).set(task, { ...found, state }),
  },
});

const change = (
  accounts: ReadonlyMap<string, Account>,
  subjects: readonly string[],
  next: (account: Account) => Account,
): ReadonlyMap<string, Account> => {
  const changed = new Map(accounts);
  for (const subject of subjects) changed.set(subject, next(accounts.get(subject) ?? NOTHING));
  return changed;
};
