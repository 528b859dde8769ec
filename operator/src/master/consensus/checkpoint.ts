/**
 * Checkpoints (MinBFT section 4.3; rule X1): the proof of a checkpoint is the block's certificate, two durable votes. The message
 * only says where this stream may be read from, and which checkpoints of others were read as legal.
 */
import type { Reference } from './messages.ts';
import { type Intent, ownStream, type State } from './state.ts';
import type { Environment } from './environment.ts';
import { leadAt } from './stream.ts';

const seenBy = (state: State): readonly Reference[] =>
  [...state.streams.values()]
    .filter((s) => s.key !== state.own.key)
    .flatMap((s) => s.checkpoints.at(-1) ?? [])
    .slice(-8);

export const checkpointDue = (env: Environment, state: State): Intent | undefined => {
  const own = ownStream(state);
  if (!own) return undefined;
  const height = [...state.chain.marks.keys()].reduce((a, b) => (b > a ? b : a), 0n);
  const certificate = state.chain.marks.get(height);
  if (!certificate || height <= own.low || height % BigInt(env.limits.checkpointEvery) !== 0n) return undefined;
  return { body: { kind: 'checkpoint', view: own.view, height, certificate, lead: leadAt(own, height), seen: seenBy(state) } };
};
