/**
 * Leaving a formation (rule N9): from its confirmation of the next one on, a master neither speaks in the one before nor reads its
 * streams, and forgets what it had read of them and not decided. Certified blocks and votes it takes as ever. Otherwise a liar's
 * message, kept back until then, would have it decide above the base of the next formation.
 */
import type { State } from './state.ts';

export const leave = (state: State): State => {
  const { draft: _, ...rest } = state;
  return {
    ...rest,
    left: true,
    own: { key: state.own.key, muted: 'it has left its formation' },
    held: new Map(),
    committed: new Map(),
  };
};
