/** The code under test, as modules: the real one, or one that a mutation was applied to. */
import { recover } from '@scs/operator/master/consensus/recover.ts';
import { step } from '@scs/operator/master/consensus/step.ts';

export interface Algorithm {
  readonly step: typeof step;
  readonly recover: typeof recover;
}
export const genuine: Algorithm = { step, recover };
