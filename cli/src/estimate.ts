/** How many more tasks like this the public odometers allow now (rule B4): what the masters would go by. Pure; charges nothing. */
import type { DomainStatus, Plan } from '@scs/protocol';
import type { z } from 'zod';

export type Odometer = NonNullable<z.infer<typeof DomainStatus>['odometers']>[number];
export interface Estimate {
  /** Tasks for which at least the quorum of Vaults has room. */
  readonly tasks: bigint;
  readonly vaults: readonly { readonly vault: string; readonly left: bigint; readonly tasks: bigint; readonly replenishEvery?: number }[];
  /** Whether the submitter's share of the epoch was counted in. */
  readonly share: boolean;
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const leftOf = ({ limit, reserved, spent, actorShare, actors }: Odometer, submitter: string | undefined): bigint => {
  const left = BigInt(limit) - BigInt(reserved) - BigInt(spent);
  const taken = submitter === undefined ? 0n : BigInt(actors.find(({ actor }) => actor === submitter)?.taken ?? 0);
  const own = least(left, BigInt(actorShare) - taken);
  return own > 0n ? own : 0n;
};

/** What is left where the task is bounded by more than the odometer itself: a larger overlap bound of another domain (S4). */
export interface Bound {
  readonly limit: bigint;
  readonly share: bigint;
}
const bounded = (odometer: Odometer, { limit, share }: Bound): Odometer => ({
  ...odometer,
  limit: String(least(BigInt(odometer.limit), limit)),
  actorShare: String(least(BigInt(odometer.actorShare), share)),
});
/** Of the odometers of each domain that the plan reads: each Vault's with the least left; Vaults that lack a domain are not asked. */
export const leastOf = (
  domains: readonly (readonly Odometer[])[],
  usage: Plan['usage'],
  bound: Bound,
  submitter?: string,
): readonly Odometer[] => {
  const [home = [], ...others] = domains.map((of) => of.filter((odometer) => odometer.usage === usage).map((o) => bounded(o, bound)));
  return home.flatMap((own) => {
    const all = [own, ...others.flatMap((of) => of.filter(({ vault }) => vault === own.vault))];
    return all.length === domains.length ? [all.reduce((a, b) => (leftOf(b, submitter) < leftOf(a, submitter) ? b : a))] : [];
  });
};

export const estimate = (
  odometers: readonly Odometer[],
  plan: Pick<Plan, 'usage' | 'microRho'>,
  quorum: number,
  submitter?: string,
): Estimate => {
  const vaults = odometers
    .filter(({ usage }) => usage === plan.usage)
    .map((odometer) => {
      const left = leftOf(odometer, submitter);
      const { vault, replenishEvery } = odometer;
      return { vault, left, tasks: left / plan.microRho, ...(replenishEvery !== undefined && { replenishEvery }) };
    });
  const descending = vaults.map(({ tasks }) => tasks).toSorted((a, b) => (a < b ? 1 : -1));
  return { tasks: descending[quorum - 1] ?? 0n, vaults, share: submitter !== undefined };
};

export const estimateLines = ({ tasks, vaults, share }: Estimate): string[] => [
  `${'such tasks now'.padEnd(18)}${tasks} with the quorum${share ? '' : ", the submitter's share of the epoch not counted"}`,
  ...vaults.map(
    ({ vault, left, tasks: own, replenishEvery }) =>
      `${''.padEnd(18)}${vault}: ${left} micro-rho left, ${own} such tasks${replenishEvery === undefined ? '' : `; comes back with every ${replenishEvery} replenishments`}`,
  ),
];
/** Numbers as texts: they may exceed what JSON readers hold. */
export const estimateJson = ({ tasks, vaults, share }: Estimate): object => ({
  tasks: String(tasks),
  shareCounted: share,
  vaults: vaults.map(({ left, tasks: own, ...rest }) => ({ ...rest, left: String(left), tasks: String(own) })),
});
