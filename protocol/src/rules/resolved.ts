import type { Rejection } from '../rejection.ts';

/** A value, or why not. */
export type Resolved<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly rejection: Rejection };
export const resolved = <T>(value: T): Resolved<T> => ({ ok: true, value });
export const refused = <T>(rejection: Rejection): Resolved<T> => ({ ok: false, rejection });
