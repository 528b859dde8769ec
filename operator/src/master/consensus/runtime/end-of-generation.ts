/** What a master says when its generation of masters has handed over to the next (rules G5, P5). Pure. */
import type { State } from '@scs/protocol';
import type { AgreementCondition } from './minbft-options.ts';

const RUNBOOK = 'See docs/troubleshooting.md#replacing-a-master';

/** undefined while the generation goes on. */
export const endOf = (state: Pick<State, 'get'>, generation: bigint, index: number): AgreementCondition | undefined => {
  const handover = state.get('succession', String(generation + 1n));
  if (!handover) return undefined;
  const { master } = handover.seat.terms;
  const at = `Generation ${generation} ended with block ${handover.last}`;
  return master === index
    ? { code: 'MasterReplaced', message: `${at}, and another key took the seat of this master: it signs nothing more. ${RUNBOOK}.` }
    : { code: 'GenerationOver', message: `${at}: this master waits for the genesis file of generation ${generation + 1n}. ${RUNBOOK}.` };
};
