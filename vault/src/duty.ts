/**
 * What a certified task asks of this Vault now (rules B2, B3, M4, T4), given what the Vault holds. Pure.
 *
 *   asked ──answer──> reserved ──store──> stored ──receipt──> decided: commit
 *                        └── the task ended, or goes on without us, before a release was decided: give back
 */
import { isTerminal, type TaskRecord, type VaultPart } from '@scs/protocol';
import type { Reservation } from './store/reservations.ts';

export type Duty =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'answer' }
  /** The output is stored, its release not decided. */
  | { readonly kind: 'send receipt' }
  | { readonly kind: 'commit'; readonly used: bigint; readonly height: bigint }
  | { readonly kind: 'give back' };

export const partOf = (record: TaskRecord, vault: string): VaultPart | undefined => record.parts.find((part) => part.vault === vault);

/** States after which no release is decided any more (T3, T4). */
const isOver = ({ state, cancelRequested, survivors }: TaskRecord): boolean =>
  (state !== 'accepted' && state !== 'resolving' && state !== 'dispatched') || cancelRequested === true || survivors !== undefined;

export const dutyOf = (record: TaskRecord, vault: string, reservation: Reservation | undefined, stored: boolean): Duty => {
  const part = partOf(record, vault);
  if (!part) return { kind: 'nothing' };
  const open = reservation?.state === 'reserved';
  if (part.release) return open ? { kind: 'commit', used: part.release.microRho, height: part.release.height } : { kind: 'nothing' };
  if (record.state === 'resolving' && part.state === 'asked' && reservation?.state !== 'released') return { kind: 'answer' };
  const outOfIt = part.state === 'late' || part.state === 'absent' || part.state === 'refused';
  if (open && (isOver(record) || outOfIt || (record.state === 'dispatched' && part.state === 'asked'))) return { kind: 'give back' };
  if (open && stored && record.state === 'dispatched') return { kind: 'send receipt' };
  return { kind: 'nothing' };
};

/** Nobody needs the snapshot and the stored output any more. */
export const isFinished = (record: TaskRecord): boolean => isTerminal(record.state);
