/** A refused statement may itself be the proof of an offence (rule G3): then its penalty is proposed, for every master to judge. */
import type { Command } from '@scs/protocol';
import { accusationIn } from '@scs/protocol/rules/offences.ts';
import type { Decision, Log } from '../log/log.ts';

/** Faults of statements that contradict what was decided. */
const contradictions: ReadonlySet<string> = new Set(['Conflicts', 'EvidenceInvalid']);

/** Proposes the command, and the report that its refusal gives cause for. The decision is the command's. */
export const proposeOrAccuse = async (log: Pick<Log, 'propose'>, command: Command): Promise<Decision> => {
  const decision = await log.propose(command);
  const report = !decision.ok && contradictions.has(decision.code) ? accusationIn(command) : undefined;
  if (report) await log.propose(report);
  return decision;
};
