/**
 * Versions of the protocol that this build carries (rule X4): every one since the first, so that any log can be replayed. A change of
 * what blocks mean is a new version: a row in `rules/apply.ts`, and this number.
 */
declare const SCS_NEWEST_PROTOCOL: number | undefined;

export const FIRST_PROTOCOL = 1;
/** A bundler's `define` raises it for a build under test: its newest version then has the rules of the last one written. */
export const NEWEST_PROTOCOL: number = typeof SCS_NEWEST_PROTOCOL === 'number' ? SCS_NEWEST_PROTOCOL : FIRST_PROTOCOL;
