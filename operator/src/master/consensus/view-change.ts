/**
 * When to ask for another primary, and when to move (MinBFT section 4.4, REQ-VIEW-CHANGE and VIEW-CHANGE; rule N7). One master's wish
 * moves nobody: two are needed, of whom one is correct.
 */
import { QUORUM } from '@scs/protocol';
import { decidedHeight } from './chain.ts';
import { countsAt } from './roster.ts';
import { broadcast, type Discontent, type Intent, leaderOf, ownStream, set, type State, type Turn } from './state.ts';
import { with1 } from './stream.ts';

const DOUBLINGS_MOST = 4;
const patience = ({ env, state }: Turn): number => env.limits.patienceMs * 2 ** Math.min(state.attempts, DOUBLINGS_MOST);

/** The highest view that two masters want at least. */
const agreedView = (state: State): number => [...state.requests.values()].toSorted((a, b) => b - a)[QUORUM - 1] ?? 0;

export const takeRequest = (turn: Turn, from: number, view: number): void => {
  if (!Number.isSafeInteger(view) || view <= (turn.state.requests.get(from) ?? 0)) return;
  set(turn, { requests: with1(turn.state.requests, from, view) });
};

const want = (turn: Turn, view: number, wantedFor: Discontent): void => {
  if (view <= turn.state.wanted) return;
  set(turn, { wanted: view, wantedFor, requests: with1(turn.state.requests, turn.env.index, view) });
};

/** The view rests on somebody who no longer counts, or is led by nobody who does: N8, see docs/adr/0015. */
const outlived = ({ state }: Turn): boolean => {
  const next = decidedHeight(state.chain) + 1n;
  const leader = leaderOf(state, next);
  if (!leader) return [...state.streams.values()].some((s) => s.lead?.view === state.view);
  return !(leader.lead?.quorum ?? []).every((key) => countsAt(state.chain.roster, key, next));
};

const stalled = (turn: Turn): boolean => {
  const { state, env } = turn;
  const next = decidedHeight(state.chain) + 1n;
  const identityWaits = state.chain.roster.some((i) => i.from > next);
  const working = state.pool.size > 0 || identityWaits;
  const led = leaderOf(state, next) !== undefined;
  if (!working && led) return false;
  const oldest = [...state.pool.values()][0]?.since ?? state.progressAt;
  // a primary that decides other things, but never this, is no better than a silent one
  const neglected = led && state.now - oldest > patience(turn) * 4 && state.now - state.progressAt > env.limits.patienceMs;
  return state.now - Math.max(state.progressAt, led ? oldest : 0) > patience(turn) || neglected;
};

/** On every tick. */
export const watchPrimary = (turn: Turn): void => {
  const why = outlived(turn) ? 'outlived' : stalled(turn) ? 'stalled' : undefined;
  if (why) want(turn, turn.state.view + 1, why);
  if (turn.state.wanted > turn.state.view) broadcast(turn, { kind: 'request-view', view: turn.state.wanted });
};

/** Its effects are not done: of a view that has ended meanwhile nothing is held against the next (rule N6). */
export const noteNeglect = (turn: Turn, view: number): void => {
  if (view === turn.state.view) want(turn, view + 1, 'neglected');
};

export const viewChangeDue = (state: State): Intent | undefined => {
  const own = ownStream(state);
  const view = agreedView(state);
  return own && view > state.view ? { body: { kind: 'view-change', view } } : undefined;
};

/** The own view change is made: patience doubles. */
export const moved = (turn: Turn): void => set(turn, { attempts: turn.state.attempts + 1, progressAt: turn.state.now });
