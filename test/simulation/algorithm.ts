/** The code under test, as modules: the real one, or one that a mutation was applied to. */
import { formationStep } from '@scs/operator/master/consensus/formation-step.ts';
import { leave } from '@scs/operator/master/consensus/leave.ts';
import { recover } from '@scs/operator/master/consensus/recover.ts';
import { step } from '@scs/operator/master/consensus/step.ts';

export interface Algorithm {
  readonly step: typeof step;
  readonly recover: typeof recover;
  readonly formationStep: typeof formationStep;
  readonly leave: typeof leave;
}
export const genuine: Algorithm = { step, recover, formationStep, leave };
