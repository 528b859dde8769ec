/** K2: without a fresh reading of escrows nothing that costs can be admitted; Tasks wait, and are told why. */
import type { State } from '@scs/protocol';
import type { Reason } from '../projection/conditions.ts';

export const isFresh = (state: State, nowMs: number, maxEscrowAgeMs: number): boolean => {
  const { chain } = state.must('meta');
  return chain !== null && nowMs - chain.time <= maxEscrowAgeMs;
};
export const chainAway = (state: State, nowMs: number, maxEscrowAgeMs: number): Reason | undefined => {
  if (isFresh(state, nowMs, maxEscrowAgeMs)) return undefined;
  const { chain } = state.must('meta');
  const since = chain ? `since ${new Date(chain.time).toISOString()}` : 'yet';
  return {
    reason: 'ChainAway',
    message: `The masters have not read the settlement chain ${since}. Tasks are admitted again once they have; nothing needs to be sent again.`,
  };
};
