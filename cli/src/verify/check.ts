/** One line of `verify`: what is checked, what it proves, and on what the proof rests. */
export type Basis = 'signature' | 'certificate' | 'recomputation' | 'attestation' | 'chain' | 'seal';
export interface Check {
  /** Stable name, kebab-case: scripts may look for it. */
  readonly name: string;
  readonly basis: Basis;
  /** What holds if this line does. */
  readonly proves: string;
  /** undefined when it holds. */
  readonly problem?: string | undefined;
  /** Said when it could not be checked at all, for want of a key or a chain; then it counts neither way. */
  readonly skipped?: string | undefined;
}
export const failed = (checks: readonly Check[]): readonly Check[] => checks.filter((c) => c.problem !== undefined);

/** Runs one check: a thrown error is a problem too, never a pass. */
export const check = (name: string, basis: Basis, proves: string, find: () => string | undefined): Check => {
  try {
    return { name, basis, proves, problem: find() };
  } catch (cause) {
    return { name, basis, proves, problem: cause instanceof Error ? cause.message.slice(0, 300) : String(cause) };
  }
};
