/**
 * counter.admit (rules N2, N7, N8): a master's new trusted counter, attested, bound to a certified head, signed by the master's durable
 * key. The rules judge what is in the command; that the head is the log's own, and recent, each master checks before it takes the
 * block. From which height the identity counts, and what ends with it, is the agreement's (operator/src/master/consensus/roster.ts).
 */
import type { CounterIdentity } from '../attestation.ts';
import { counterAttestationFault } from '../attestation-check.ts';
import type { Command, CounterStatement } from '../commands.ts';
import { statementFits } from '../evidence.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';

type Admit = Extract<Command, { type: 'counter.admit' }>;

/** Heights from an admission to the last one at which the identity before it counts: the agreement's pipeline. */
export const COUNTER_WINDOW = 8;
/** Between two admissions of one master the first must have begun: its roster takes no other before. */
const ADMISSION_EVERY = BigInt(COUNTER_WINDOW) + 1n;

export const counterIdentityOf = ({ master, key, height, block }: CounterStatement, genesis: string): CounterIdentity => ({
  genesis,
  master,
  key,
  height,
  block,
});

export const admitCounter = (draft: Draft, { statement, signature }: Admit, ctx: RuleContext): Fault | undefined => {
  const { master, key, sequence, height } = statement;
  const meta = draft.must('meta');
  const last = draft.get('counter', String(master));
  if (last?.key === key) return fault('AlreadyDecided', `this counter of master ${master} is admitted`);
  if (sequence !== (last?.sequence ?? 0) + 1)
    return fault('Conflicts', `admission ${(last?.sequence ?? 0) + 1} of master ${master} is next`);
  if (last && ctx.height < last.height + ADMISSION_EVERY)
    return fault(
      'NotDue',
      `master ${master} had a counter admitted at height ${last.height}; the next may come ${ADMISSION_EVERY} heights later`,
    );
  if (height > meta.height) return fault('Conflicts', `height ${height} is not decided`);
  const durable = ctx.genesis.masters[master]?.publicKey ?? '';
  if (!statementFits(durable, 'counter.admit', ctx.genesisDigest, statement, signature))
    return fault('SignatureInvalid', `master ${master} did not sign for this counter`);
  const policy = policyOf(ctx.genesis, meta.policyVersion);
  const bad = counterAttestationFault(statement.attestation, counterIdentityOf(statement, ctx.genesisDigest), ctx.genesis, policy);
  if (bad) return fault('AttestationInvalid', `the attestation of the counter of ${bad.subject} does not hold: ${bad.problem}`);
  draft.put('counter', String(master), { key, sequence, height: ctx.height });
  return undefined;
};
