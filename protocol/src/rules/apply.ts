/**
 * The whole protocol: `apply(state, command) -> state` (rules X1, X2). No clock, randomness, I/O, float or locale. A command with
 * a fault may not be in a block; a legitimate "no", such as FeeAboveMaximum, is a task moved to rejected.
 */
import { blockDigest, type Block } from '../block.ts';
import type { Command, CommandType } from '../commands.ts';
import { FIRST_PROTOCOL } from '../protocol-version.ts';
import type { State } from '../state.ts';
import { genesisAt } from '../succession.ts';
import { admit, NEXT } from './admission.ts';
import { aggregateEvidence, replaceAggregator } from './aggregation.ts';
import { admitCounter } from './admit-counter.ts';
import { cancelTask } from './cancel.ts';
import { chainObserved } from './chain.ts';
import { fault, type Fault, type RuleContext } from './context.ts';
import { dispatchTask } from './dispatch.ts';
import { publishDividends } from './dividend-pots.ts';
import { Draft } from './draft.ts';
import { isOpen } from './due.ts';
import { enclaveReady } from './enclave-ready.ts';
import { reportOffence } from './offences.ts';
import { dequeue, firstItems } from './queue.ts';
import { registerVault } from './registration.ts';
import { releaseSlice } from './release.ts';
import { generationFault, replaceMaster } from './replacement.ts';
import { approveReplenishment } from './replenishment.ts';
import { answerOfVault } from './reservation.ts';
import { resolveTask } from './resolving.ts';
import { changeCatalogue } from './semantics.ts';
import { settleBatch } from './settle.ts';
import { activateVersion, announceVersion, versionFault } from './versions.ts';
import { tick } from './windows.ts';

/** `touched`: keys of the records written, such as task/<uid>; the rules' own indexes are not among them. */
export type Applied =
  { readonly ok: true; readonly state: State; readonly touched: readonly string[] } | { readonly ok: false; readonly fault: Fault };

type CommandOf<T extends CommandType> = Extract<Command, { type: T }>;
type Rule<C> = (draft: Draft, command: C, ctx: RuleContext) => Fault | undefined;

type Rules = { readonly [T in CommandType]: Rule<CommandOf<T>> };
const first: Rules = {
  'vault.register': registerVault,
  'task.admit': admit,
  'task.resolve': (draft, { uid }, ctx) => resolveTask(draft, uid, ctx),
  'task.cancel': (draft, { uid }, ctx) => cancelTask(draft, uid, ctx),
  'vault.answer': answerOfVault,
  'task.dispatch': (draft, { uid }, ctx) => dispatchTask(draft, uid, ctx),
  'enclave.ready': enclaveReady,
  'slice.release': releaseSlice,
  'vault.dividends': publishDividends,
  'offence.report': reportOffence,
  'aggregator.replace': (draft, { uid, failed }, ctx) => replaceAggregator(draft, uid, failed, ctx),
  'aggregate.evidence': aggregateEvidence,
  'counter.admit': admitCounter,
  'budget.replenish': approveReplenishment,
  'catalogue.change': changeCatalogue,
  'version.announce': announceVersion,
  'version.activate': activateVersion,
  'master.replace': replaceMaster,
  tick: (draft, _, ctx) => tick(draft, ctx),
  'settlement.batch': (draft, { number }, ctx) => settleBatch(draft, number, ctx),
  'chain.observed': chainObserved,
};
/** The rules from each version on (X4). One that changes a rule has a row of its own: `[2, { ...first, 'task.admit': admitOf2 }]`. */
const versions: readonly (readonly [from: number, rules: Rules])[] = [[FIRST_PROTOCOL, first]];
const rulesOf = (version: number): Rules => versions.findLast(([from]) => from <= version)?.[1] ?? first;

const write = (draft: Draft, command: Command, ctx: RuleContext): Fault | undefined => {
  const rules = rulesOf(draft.must('meta').protocolVersion);
  return versionFault(draft, ctx) ?? (rules[command.type] as Rule<Command>)(draft, command, ctx);
};

/** Work that is done leaves the queue from its front; at most a few items a command, so the cost stays bounded. */
const trimNext = (draft: Draft): void => {
  const items = firstItems(draft, NEXT, 8);
  const open = items.findIndex((item) => isOpen(draft, item));
  const done = open === -1 ? items.length : open;
  if (done > 0) dequeue(draft, NEXT, done);
};

export const apply = (state: State, command: Command, ctx: RuleContext): Applied => {
  const draft = new Draft(state);
  const found = write(draft, command, ctx);
  if (found) return { ok: false, fault: found };
  trimNext(draft);
  return { ok: true, state: draft.state, touched: draft.touched };
};

const blockFault = (state: State, block: Block): Fault | undefined => {
  const meta = state.must('meta');
  if (block.height !== meta.height + 1n) return fault('HeightMismatch', `height ${meta.height + 1n} is next, not ${block.height}`);
  if (block.parent !== meta.block) return fault('ParentMismatch', `the parent of height ${block.height} is ${meta.block}`);
  return block.time >= meta.time ? undefined : fault('TimeBackwards', `log time stands at ${meta.time}, the block says ${block.time}`);
};

export type GroupContext = Pick<RuleContext, 'genesis' | 'genesisDigest' | 'newest'>;
/** All commands in order, or the first fault and the index of its command; then height, time and the block's digest (T5). */
export const applyBlock = (state: State, block: Block, ctx: GroupContext): Applied & { readonly command?: number } => {
  const found = versionFault(state, ctx) ?? generationFault(state, block) ?? blockFault(state, block);
  if (found) return { ok: false, fault: found };
  const touched = new Set<string>();
  let next = state;
  const group = { ...ctx, genesis: genesisAt(ctx.genesis, block.generation) };
  for (const [i, command] of block.commands.entries()) {
    const applied = apply(next, command, { ...group, time: block.time, height: block.height });
    if (!applied.ok) return { ...applied, command: i };
    next = applied.state;
    for (const key of applied.touched) touched.add(key);
  }
  const meta = { ...next.must('meta'), height: block.height, time: block.time, block: blockDigest(block) };
  return { ok: true, state: next.put('meta', '', meta), touched: [...touched.add('meta/')] };
};
