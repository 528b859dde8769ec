import type { CanonicalAttribute, QueryAttribute } from '../catalogue.ts';
import type { Rejection } from '../rejection.ts';

/** A value, or why not. */
export type Resolved<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly rejection: Rejection };
export const resolved = <T>(value: T): Resolved<T> => ({ ok: true, value });
export const refused = <T>(rejection: Rejection): Resolved<T> => ({ ok: false, rejection });

/** An attribute of the query with the canonical one behind it; the canonical one alone where it was asked directly (S1). */
export interface Derived {
  readonly attribute: QueryAttribute | undefined;
  readonly canonical: CanonicalAttribute;
  /** Whose own it is (S3). */
  readonly vault?: string;
  /** Its values are of another domain's records (S4). */
  readonly crosses: boolean;
}
