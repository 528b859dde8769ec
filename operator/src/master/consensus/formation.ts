/**
 * Forming anew after too many counters died (rule N9), in two rounds, with all three masters present. Pure: who asks whom, and
 * what is stored when, is the caller's (docs/adr/0015).
 *
 *   1. statement  "My new counter is K, my stream ended here, my highest certified head is C, and I have decided nothing above it."
 *   2. confirm    "This is the set of three statements that I open N with." Stored first, once for each N.
 *
 * Three equal confirmations open it. One round would not do: a liar's two statements, one to each of the others, would make two
 * groups with a counter each, and both would hold two of three (the counterexample in the ADR, and in formation.test.ts).
 */
import { digest, encodeCanonical, MASTERS, sign, utf8, concat, verifySignature, type Certificate } from '@scs/protocol';
import type { Reference } from './messages.ts';
import type { Roster } from './roster.ts';

export interface Statement {
  readonly genesis: string;
  readonly generation: bigint;
  /** Number of the formation that is to open. */
  readonly formation: number;
  readonly master: number;
  /** Key of its new counter; attested, which the caller has checked. */
  readonly key: string;
  /** Last message of its former stream; null at the first formation. */
  readonly ended: Reference | null;
  readonly certified: Certificate | null;
  /** Nothing is decided here that isn't certified. Where that is not so nobody confirms: the others are still needed as voters. */
  readonly quiet: boolean;
  /** The disk was empty: it can't say what it promised before. */
  readonly blank: boolean;
}
export interface Signed<T> {
  readonly value: T;
  readonly signature: string;
}
/** Digest of the three statements that a master opens the formation with. */
export interface Confirmation {
  readonly formation: number;
  readonly master: number;
  readonly set: string;
}

const message = (tag: string, value: unknown): Uint8Array => concat(utf8(`SCS::${tag}::v1`), encodeCanonical(value));
export const signStatement = (seed: string, value: Statement): Signed<Statement> => ({
  value,
  signature: sign(seed, message('formation-statement', value)),
});
export const signConfirmation = (seed: string, value: Confirmation): Signed<Confirmation> => ({
  value,
  signature: sign(seed, message('formation-confirm', value)),
});

export type FormationFault =
  | { readonly code: 'MasterMissing' }
  | { readonly code: 'StatementInvalid'; readonly master: number }
  | { readonly code: 'CounterTwice' }
  /** Its word is needed and it has none: stop, and follow the runbook for a lost disk (offline keys, N9). */
  | { readonly code: 'DiskBlank'; readonly master: number }
  | { readonly code: 'NotConfirmed'; readonly confirmed: number };

export interface Group {
  readonly genesis: string;
  readonly generation: bigint;
  /** Durable keys in order of master. */
  readonly keys: readonly string[];
}

/** Three statements of one formation, in order of master, each signed. A blank disk is fine only where nobody has anything of this generation. */
export const statementsFault = (group: Group, formation: number, statements: readonly Signed<Statement>[]): FormationFault | undefined => {
  if (statements.length !== MASTERS) return { code: 'MasterMissing' };
  for (const [master, { value, signature }] of statements.entries()) {
    const fits =
      value.master === master && value.formation === formation && value.genesis === group.genesis && value.generation === group.generation;
    const key = group.keys[master];
    if (!fits || key === undefined || !verifySignature(key, message('formation-statement', value), signature))
      return { code: 'StatementInvalid', master };
  }
  if (new Set(statements.map(({ value }) => value.key)).size !== MASTERS) return { code: 'CounterTwice' };
  const begun = statements.some(({ value: { ended, certified } }) => ended !== null || certified?.head.generation === group.generation);
  const blank = statements.find(({ value }) => value.blank);
  return begun && blank ? { code: 'DiskBlank', master: blank.value.master } : undefined;
};

export const setDigest = (statements: readonly Signed<Statement>[]): string =>
  digest('formation', encodeCanonical(statements.map(({ value }) => value)));

/** The roster that the formation opens with, from the height above its base. */
export const openFormation = (
  group: Group,
  formation: number,
  statements: readonly Signed<Statement>[],
  confirmations: readonly Signed<Confirmation>[],
  base: bigint,
): { readonly ok: true; readonly id: string; readonly roster: Roster } | { readonly ok: false; readonly fault: FormationFault } => {
  const fault = statementsFault(group, formation, statements);
  if (fault) return { ok: false, fault };
  const id = setDigest(statements);
  const confirmed = new Set(
    confirmations.flatMap(({ value, signature }) => {
      const key = group.keys[value.master];
      const fits = value.formation === formation && value.set === id && key !== undefined;
      return fits && verifySignature(key, message('formation-confirm', value), signature) ? [value.master] : [];
    }),
  );
  if (confirmed.size !== MASTERS) return { ok: false, fault: { code: 'NotConfirmed', confirmed: confirmed.size } };
  return { ok: true, id, roster: statements.map(({ value }) => ({ master: value.master, key: value.key, from: base + 1n })) };
};
