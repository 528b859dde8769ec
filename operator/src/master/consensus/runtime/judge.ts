/** What this master says of a block by its own clock and its own reading of the world (rules T5, N1), once it fits the rules. */
import type { Block, State as Records } from '@scs/protocol';
import { backoffMs } from '../../../kube/backoff.ts';
import type { Clock } from '../../../kube/clock.ts';
import type { Witness } from '../../log/log.ts';
import { blockOf, evaluate, lastDecided, type Tip } from '../chain.ts';
import { evaluated } from '../decide.ts';
import type { Environment } from '../environment.ts';
import type { State } from '../state.ts';
import { timeFault } from './time-fault.ts';

export interface Verdict {
  readonly fits: boolean;
  /** Index of the command that doesn't. */
  readonly command?: number;
  /** Code of the testimony or of the time's fault. */
  readonly code?: string;
  readonly why?: string;
}
export interface Case {
  readonly block: Block;
  /** Offered before: it may be old, never ahead. */
  readonly again: boolean;
  readonly parent: Tip;
  readonly after: Records;
  /** When it came in, by this master's clock. */
  readonly arrived: number;
}
export interface JudgeOptions {
  readonly witness: Witness;
  /** T5's bound, milliseconds. */
  readonly clockBoundMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A world that can't tell now is asked so often; then the block is refused, and may come again. */
const LOOKS = 4;
const retry = { baseMs: 20, capMs: 150 };

/** The tip with this digest: decided, evaluated, or put together from offered blocks. */
const tipWith = (env: Environment, state: State, digest: string, depth = 0): Tip | undefined => {
  const { chain } = state;
  const known = [chain.certified, ...chain.decided].find(({ head }) => head.block === digest);
  if (known) return known;
  const result = state.evaluated.get(digest);
  if (result) return result.ok ? result.tip : undefined;
  const offered = state.blocks.get(digest);
  if (!offered || depth > env.limits.window || offered.height <= lastDecided(chain).head.height) return undefined;
  const block = blockOf(offered.bytes);
  const parent = block && tipWith(env, state, block.parent, depth + 1);
  const made = parent && evaluate(env, parent, offered.bytes);
  return made?.ok ? made.tip : undefined;
};

/** What `judge` needs of the state at the time it was asked; undefined when the block does not fit the rules here. */
export const caseOf = (
  env: Environment,
  state: State,
  digest: string,
  bytes: Uint8Array,
  again: boolean,
): Omit<Case, 'arrived'> | undefined => {
  const block = blockOf(bytes);
  const parent = block && tipWith(env, state, block.parent);
  if (!parent) return undefined;
  const result = state.evaluated.get(digest) ?? evaluated({ env, state, out: [] }, parent, digest, bytes);
  return result.ok ? { block, again, parent, after: result.tip.records } : undefined;
};

export const judge = async ({ witness, clockBoundMs, clock, random }: JudgeOptions, it: Case, signal: AbortSignal): Promise<Verdict> => {
  const { block } = it;
  const late = timeFault(block.time, it.parent.time, it.arrived, clockBoundMs, it.again);
  if (late) return { fits: false, code: late.code, why: late.code };
  for (let look = 1; ; look += 1) {
    const testimony = await witness.check(block, it.parent.records, it.after);
    if (testimony.kind === 'fits') return { fits: true };
    const code = testimony.kind === 'refused' ? testimony.code : 'Unavailable';
    const verdict = {
      fits: false,
      code,
      why: testimony.message,
      ...(testimony.command === undefined ? {} : { command: testimony.command }),
    };
    if (testimony.kind === 'refused' || look === LOOKS || signal.aborted) return verdict;
    await clock.sleep(backoffMs(look, retry, random), signal);
  }
};
