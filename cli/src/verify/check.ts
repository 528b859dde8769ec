/** One line of `verify`: what is checked, what it proves, and on what the proof rests. */
export type Basis = 'signature' | 'certificate' | 'recomputation' | 'attestation' | 'chain' | 'seal';
export interface Check {
  /** Stable name, kebab-case: scripts may look for it. Lines of a Vault carry its name after a space. */
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
export const held = (checks: readonly Check[]): readonly Check[] =>
  checks.filter((c) => c.problem === undefined && c.skipped === undefined);

/** Runs one check: a thrown error is a problem too, never a pass. */
export const check = (name: string, basis: Basis, proves: string, find: () => string | undefined): Check => {
  try {
    return { name, basis, proves, problem: find() };
  } catch (cause) {
    return { name, basis, proves, problem: (cause instanceof Error ? cause.message : String(cause)).slice(0, 300) };
  }
};
export const skip = (name: string, basis: Basis, proves: string, why: string): Check => ({ name, basis, proves, skipped: why });
