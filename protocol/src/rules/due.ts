/** What the masters themselves have to propose now, and when next (rules T5, M4, P1). Pure: every master comes to the same list. */
import type { Command } from '../commands.ts';
import type { Genesis } from '../genesis.ts';
import type { State } from '../state.ts';
import { NEXT } from './admission.ts';
import { policyOf } from './context.ts';
import { firstItems, queueLength } from './queue.ts';
import { nextWaiting } from './ready.ts';
import { nextTick } from './windows.ts';

const MAX_NEXT = 200;

const commandOf = ([kind, uid]: readonly string[]): Command =>
  kind === 'resolve' ? { type: 'task.resolve', uid: uid! } : { type: 'task.dispatch', uid: uid! };
/** Work that other commands did meanwhile (a cancel, a deadline) is passed over; `settleNext` removes it. */
export const isOpen = (state: Pick<State, 'get'>, [kind, uid]: readonly string[]): boolean =>
  state.get('task', uid!)?.state === (kind === 'resolve' ? 'accepted' : 'resolving');

/** Deterministic follow-ups due at `now` (log time, milliseconds), in the order to propose them. */
export const nextCommands = (state: State, now: number, genesis: Genesis): Command[] => {
  const { nextBatch, policyVersion } = state.must('meta');
  const commands = firstItems(state, NEXT, MAX_NEXT)
    .filter((item) => isOpen(state, item))
    .map(commandOf);
  if (nextTick(state, { genesis }, now) <= now) commands.push({ type: 'tick' });
  const waiting = nextWaiting(state, policyOf(genesis, policyVersion));
  if (waiting && waiting.due <= now) commands.push({ type: 'settlement.batch', number: nextBatch });
  return commands;
};

/** The earliest log time, milliseconds, at which `nextCommands` has something; undefined would mean never (an epoch always ends). */
export const nextDue = (state: State, genesis: Genesis): number | undefined => {
  const { time, policyVersion } = state.must('meta');
  if (queueLength(state, NEXT) > 0) return time;
  const waiting = nextWaiting(state, policyOf(genesis, policyVersion));
  const due = Math.min(nextTick(state, { genesis }, time), waiting?.due ?? Infinity);
  return Number.isFinite(due) ? due : undefined;
};
