/** How many more tasks like this the public odometers allow now (rule B4): what the masters would go by. Pure; charges nothing. */
import type { DomainStatus, Plan } from '@scs/protocol';
import type { z } from 'zod';

export type Odometer = NonNullable<z.infer<typeof DomainStatus>['odometers']>[number];
export interface Estimate {
  /** Tasks for which at least the quorum of Vaults has room. */
  readonly tasks: bigint;
  readonly vaults: readonly { readonly vault: string; readonly left: bigint; readonly tasks: bigint }[];
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
      return { vault: odometer.vault, left, tasks: left / plan.microRho };
    });
  const descending = vaults.map(({ tasks }) => tasks).toSorted((a, b) => (a < b ? 1 : -1));
  return { tasks: descending[quorum - 1] ?? 0n, vaults, share: submitter !== undefined };
};

export const estimateLines = ({ tasks, vaults, share }: Estimate): string[] => [
  `${'such tasks now'.padEnd(18)}${tasks} with the quorum${share ? '' : ", the submitter's share of the epoch not counted"}`,
  ...vaults.map(({ vault, left, tasks: own }) => `${''.padEnd(18)}${vault}: ${left} micro-rho left, ${own} such tasks`),
];
/** Numbers as texts: they may exceed what JSON readers hold. */
export const estimateJson = ({ tasks, vaults, share }: Estimate): object => ({
  tasks: String(tasks),
  shareCounted: share,
  vaults: vaults.map(({ vault, left, tasks: own }) => ({ vault, left: String(left), tasks: String(own) })),
});
