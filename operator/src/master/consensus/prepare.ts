/**
 * The primary offers blocks, one after the other without waiting, as far as the window goes (MinBFT section 4.2; rule T5). First what
 * its view must offer again, then batches of what waits, cut by size or delay.
 */
import type { Block } from '@scs/protocol';
import { decidedHeight, lastDecided, madeBlock, type Tip } from './chain.ts';
import { believed } from './commit.ts';
import { evaluated } from './decide.ts';
import { commandsFor } from './pool.ts';
import { countsAt } from './roster.ts';
import { type Intent, leaderOf, ownStream, set, type State, type Turn } from './state.ts';
import { horizon, type Stream, with1 } from './stream.ts';

/** A draft older than this gets a new time before it is offered. */
const STALE_MS = 20;
/** So long nothing is expected to become due by the passing of time alone. */
const BARREN_MS = 50;

const offer = (view: number, height: bigint, block: string, bytes: Uint8Array): Intent => ({
  body: { kind: 'prepare', view, height, block },
  bytes,
});

/** The state below `next`, through own blocks that are not decided yet. */
const parentOf = (turn: Turn, own: Stream, next: bigint): Tip | undefined => {
  let tip = lastDecided(turn.state.chain);
  for (let height = tip.head.height + 1n; height < next; height += 1n) {
    const digest = own.entries.get(height)?.block;
    const offered = digest === undefined ? undefined : turn.state.blocks.get(digest);
    const result = digest !== undefined && offered ? evaluated(turn, tip, digest, offered.bytes) : undefined;
    if (!result?.ok) return undefined;
    ({ tip } = result);
  }
  return tip;
};

/** An identity that is to begin needs heights to pass, even empty ones (N8). */
const identityWaits = (turn: Turn, next: bigint): boolean => turn.state.chain.roster.some((i) => i.from >= next);

/** A master offers nothing that it would not take: it looks at its own block too. */
const looked = (turn: Turn, parent: Tip, draft: NonNullable<State['draft']>): Intent | undefined => {
  const fits = believed(turn, draft.digest, draft.bytes, new Set(), false);
  if (fits === undefined) return undefined;
  const { draft: _, ...rest } = turn.state;
  turn.state = rest;
  const { block, digest, bytes } = fits ? stamped(turn, parent, draft) : draft;
  return fits ? offer(turn.state.view, block.height, digest, bytes) : undefined;
};

/**
 * The look took time, and voters hold a first proposal against their clocks (T5): what was found true of the commands is true of the
 * same commands at a later time, as long as the rules still take them.
 */
const stamped = (turn: Turn, parent: Tip, draft: NonNullable<State['draft']>): NonNullable<State['draft']> => {
  if (turn.state.now - draft.block.time <= STALE_MS) return draft;
  const made = madeBlock({ ...draft.block, time: Math.max(parent.time, turn.state.now) });
  if (!evaluated(turn, parent, made.digest, made.bytes).ok) return draft;
  set(turn, { judged: with1(turn.state.judged, made.digest, 'fits') });
  return made;
};

const fresh = (turn: Turn, own: Stream, next: bigint): Intent | undefined => {
  const { env, state } = turn;
  const parent = parentOf(turn, own, next);
  if (!parent || env.ended?.(parent.records)) return undefined;
  const { draft } = state;
  if (draft?.block.height === next && draft.block.parent === parent.head.block) return looked(turn, parent, draft);
  const time = Math.max(parent.time, state.now);
  const oldest = state.pool.values().next().value?.since ?? state.now;
  const full = state.pool.size >= env.limits.batchCommands || state.now - oldest >= env.limits.batchDelayMs;
  const commands = full && !isBarren(turn, parent) ? commandsFor(turn, parent, time) : [];
  if (commands.length === 0 && !identityWaits(turn, next)) {
    if (full && !isBarren(turn, parent)) set(turn, { barren: { pool: state.pool, parent: parent.head.block, at: state.now } });
    return undefined;
  }
  const { generation } = env;
  const block: Block = { height: next, generation, parent: parent.head.block, time, proposer: env.index, commands: [...commands] };
  const made = madeBlock(block);
  set(turn, { draft: made });
  return looked(turn, parent, made);
};

/** These commands came to nothing on this parent a moment ago: asked at every input, the rules would do little else. */
const isBarren = ({ state }: Turn, parent: Tip): boolean => {
  const { barren, pool, now } = state;
  return barren !== undefined && barren.pool === pool && barren.parent === parent.head.block && now - barren.at < BARREN_MS;
};

export const prepareDue = (turn: Turn): Intent | undefined => {
  const { state, env } = turn;
  const own = ownStream(state);
  const lead = own?.lead;
  if (!own || lead?.view !== state.view || own.view !== state.view) return undefined;
  const { next } = lead;
  const { roster, certified } = state.chain;
  const top = certified.head.height + BigInt(env.limits.window);
  if (leaderOf(state, next) !== own || next > top || next > horizon(own.low, env.limits.checkpointEvery)) return undefined;
  if (!lead.quorum.every((key) => countsAt(roster, key, next))) return undefined;
  const again = lead.plan.get(next) ?? (next <= decidedHeight(state.chain) ? state.chain.digests.get(next) : undefined);
  if (again === undefined) return fresh(turn, own, next);
  const bytes = state.blocks.get(again)?.bytes;
  return bytes && offer(state.view, next, again, bytes);
};
