/** In a lying master's image in place of `consensus/step.ts`: beside each decide vote it signs another one at the same height (G4). */
import type { Environment } from '@scs/operator/master/consensus/environment.ts';
import type { Input, Output, State } from '@scs/operator/master/consensus/state.ts';
import { step as honest } from '../../../operator/src/master/consensus/step.ts';

export * from '../../../operator/src/master/consensus/step.ts';

const twice = (env: Environment, output: Output): readonly Output[] => {
  if (output.kind !== 'send' || output.wire.kind !== 'vote' || output.wire.vote.master !== env.index) return [output];
  const head = { ...output.wire.head, block: 'ee'.repeat(32) };
  return [output, { ...output, wire: { kind: 'vote', head, vote: env.sign(head) } }];
};

export const step = (env: Environment, state: State, input: Input): { readonly state: State; readonly outputs: readonly Output[] } => {
  const next = honest(env, state, input);
  return { state: next.state, outputs: next.outputs.flatMap((output) => twice(env, output)) };
};
