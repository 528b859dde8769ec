/**
 * Quotas of the manifest (rule C5): what an actor may ask of this Vault, beside the privacy budget. They look at who asked for what and
 * when by the masters' log, which is public (B4): never at who was eligible or how much was left.
 */
import type { Quota } from '@scs/protocol';

export interface Asked {
  readonly task: string;
  readonly submitter: string;
  readonly usage: string;
  readonly ask: bigint;
  /** Of the task's admission, by the masters' log; milliseconds. */
  readonly time: number;
}
const DAY_MS = 86_400_000;

/** Quotas that name the actor; if none does, those that name nobody. */
export const quotasFor = (quotas: readonly Quota[], submitter: string, usage: string): readonly Quota[] => {
  const own = quotas.filter(({ actor }) => actor === submitter);
  const fitting = own.length > 0 ? own : quotas.filter(({ actor }) => actor === undefined);
  return fitting.filter((quota) => quota.usage === undefined || quota.usage === usage);
};

/** A reservation that was asked for with a time. */
export interface Use extends Asked {
  readonly state: 'reserved' | 'committed' | 'released';
}
interface Uses {
  readonly open: bigint;
  readonly tasks: bigint;
  readonly microRho: bigint;
}
const usesOf = (uses: readonly Use[], usage: string | undefined, now: number): Uses => {
  const of = uses.filter((use) => usage === undefined || use.usage === usage);
  const recent = of.filter(({ time }) => time > now - DAY_MS);
  return {
    open: BigInt(of.filter(({ state }) => state === 'reserved').length),
    tasks: BigInt(recent.length),
    microRho: recent.reduce((sum, { state, ask }) => (state === 'released' ? sum : sum + ask), 0n),
  };
};

const faultOf = (quota: Quota, uses: Uses, ask: bigint): string | undefined => {
  const { openTasks, tasksPerDay, microRhoPerDay } = quota;
  // B5: a limit rounds down.
  const microRho = microRhoPerDay === undefined ? undefined : BigInt(microRhoPerDay.split('.')[0]!);
  if (openTasks !== undefined && uses.open >= BigInt(openTasks))
    return `this actor may hold ${openTasks} reservations at a time here: wait until a task has ended`;
  if (tasksPerDay !== undefined && uses.tasks >= BigInt(tasksPerDay))
    return `this actor may reserve for ${tasksPerDay} tasks in 24 hours here: try later`;
  if (microRho !== undefined && uses.microRho + ask > microRho)
    return `this actor may reserve ${microRho} micro-rho in 24 hours here, has taken ${uses.microRho} and asks for ${ask}: try later, or ask for a smaller epsilon`;
  return undefined;
};

/** What is asked beyond a quota, as a sentence; undefined when all is within. `before`: the actor's own uses. */
export const quotaFault = (quotas: readonly Quota[], asked: Asked, before: readonly Use[]): string | undefined => {
  for (const quota of quotasFor(quotas, asked.submitter, asked.usage)) {
    const fault = faultOf(quota, usesOf(before, quota.usage, asked.time), asked.ask);
    if (fault !== undefined) return quota.usage === undefined ? fault : `${quota.usage}: ${fault}`;
  }
  return undefined;
};
