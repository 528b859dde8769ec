/** What masters say outside the agreement: which counter each has, and the two rounds that form a group of counters (rule N9). */
import type { Attestation } from '@scs/protocol';
import type { Confirmation, Signed, Statement } from '../formation.ts';

/** Proof that a formation is open: anyone with the durable keys can check it, so one that was away is simply told. */
export interface Opened {
  readonly statements: readonly Signed<Statement>[];
  readonly confirmations: readonly Signed<Confirmation>[];
}
export type FormationWire =
  /** A hint, no more: the formation that the sender is in (0: none), its counter's key, and whether that is admitted. */
  | { readonly kind: 'hello'; readonly formation: number; readonly key: string; readonly admitted: boolean }
  | { readonly kind: 'statement'; readonly statement: Signed<Statement>; readonly attestation: Attestation }
  | { readonly kind: 'confirmation'; readonly confirmation: Signed<Confirmation> }
  | { readonly kind: 'opened'; readonly opened: Opened };
