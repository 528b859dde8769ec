/**
 * Replacing a master (rules G5, P5, N8): two masters approve another durable key for one of the three seats. At the end of the epoch the
 * committee hands over: the block that closes it is the last of its generation, the next one is the first of the next, by another
 * committee. That block's state names both: the record `succession/<generation>` for programs, the leaf `committee/<generation>` for the
 * contracts. Nothing else may be above it, so the certificate of that one block is all that anyone needs (succession.ts).
 */
import type { Block } from '../block.ts';
import type { Command } from '../commands.ts';
import { statementFits } from '../evidence.ts';
import type { Genesis } from '../genesis.ts';
import { committeeKey, encodeCommittee } from '../settlement-layout.ts';
import type { State } from '../state.ts';
import { committeeOf } from '../succession.ts';
import { approvalFault } from './approvals.ts';
import { fault, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';

type Replace = Extract<Command, { type: 'master.replace' }>;

/** A key that signed for this group before, or may: it can't be a new master's. */
const isUsed = (genesis: Genesis, key: string): boolean => {
  const { keys, former = [] } = committeeOf(genesis);
  return [...keys, ...former.flatMap((f) => f.keys), ...genesis.recoveryKeys].includes(key);
};

/** master.replace: noted for the end of the epoch; one at a time. */
export const replaceMaster = (draft: Draft, command: Replace, ctx: RuleContext): Fault | undefined => {
  const unapproved = approvalFault('master.replace', command, ctx);
  if (unapproved) return unapproved;
  const { terms, signature } = command.statement;
  const next = committeeOf(ctx.genesis).generation + 1n;
  if (terms.generation !== next) return fault('Conflicts', `generation ${next} is next, the seat is for ${terms.generation}`);
  if (draft.get('succession', String(next))) return fault('TooLate', `generation ${next} is appointed`);
  const staged = draft.get('replacement');
  if (staged?.terms.generation === next)
    return staged.terms.publicKey === terms.publicKey && staged.terms.master === terms.master
      ? fault('AlreadyDecided', `master ${terms.master} is replaced at the end of the epoch`)
      : fault('Conflicts', `master ${staged.terms.master} is replaced at the end of the epoch; one at a time`);
  if (isUsed(ctx.genesis, terms.publicKey)) return fault('Conflicts', 'that key is, or was, a master’s or a recovery key; make another');
  if (!statementFits(terms.publicKey, 'master.seat', ctx.genesisDigest, terms, signature))
    return fault('SignatureInvalid', 'the new master did not sign for its seat');
  draft.put('replacement', '', command.statement);
  return undefined;
};

/** At the end of an epoch. What was approved before a recovery took its generation's number is void. */
export const handOver = (draft: Draft, ctx: RuleContext): void => {
  const seat = draft.get('replacement');
  if (!seat) return;
  draft.drop('replacement', '');
  const { generation, keys } = committeeOf(ctx.genesis);
  const { generation: next, master, publicKey } = seat.terms;
  if (next !== generation + 1n) return;
  const after = keys.with(master, publicKey);
  draft.put('succession', String(next), { seat, keys: after, last: ctx.height });
  draft.putRaw(committeeKey(next), encodeCommittee({ generation: next, keys: after }));
};

/** Whether the state, of a block of that generation, ends it. */
export const isOver = (state: Pick<State, 'get'>, generation: bigint): boolean =>
  state.get('succession', String(generation + 1n)) !== undefined;

/** undefined when a block of this generation may be on the state. */
export const generationFault = (state: Pick<State, 'get'>, { generation }: Pick<Block, 'generation'>): Fault | undefined =>
  isOver(state, generation) ? fault('GenerationOver', `generation ${generation} has handed over; the next block is another’s`) : undefined;
