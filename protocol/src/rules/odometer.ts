/**
 * The public odometer of a Vault, usage and domain (rules B1, B2, B4, C5), micro-rho: an upper bound of what any subject there
 * may have lost. Refusals and estimates read only this, never a subject's own ledger.
 */
import { domainsRead, type Plan } from '../plan.ts';
import type { Policy, Usage } from '../policy.ts';
import type { OdometerRecord } from '../state.ts';
import type { Draft, Readable } from './draft.ts';
import { ownReplenishments, replenishments } from './replenishment.ts';

export interface OdometerKey {
  readonly vault: string;
  readonly usage: Usage;
  readonly domain: string;
}
const nameOf = ({ vault, usage, domain }: OdometerKey): string => `${vault}/${usage}/${domain}`;
const EMPTY: OdometerRecord = { reserved: 0n, spent: 0n, byActor: {}, epoch: 0 };

/** As much of a policy as says what a subject may lose. */
export type PrivacyLimits = { readonly privacy: Pick<Policy['privacy'], 'subjectLimitMicroRho'> };
/** B1: a Vault holds the limit divided by the domain's overlap bound, rounded down (B5: outward). */
export const vaultLimit = (policy: PrivacyLimits, usage: Usage, overlapBound: number): bigint =>
  (policy.privacy.subjectLimitMicroRho[usage] ?? 0n) / BigInt(overlapBound);

export interface Room {
  readonly limit: bigint;
  readonly left: bigint;
}
/** C5: what the Vault's enterprise narrows. */
const ownLimit = (state: Readable, { vault, usage }: OdometerKey) => state.get('vault', vault)?.limits?.find((own) => own.usage === usage);

/** As it counts now: a replenishment since takes away what was spent, a new epoch the actors' shares (B2, B4). */
const currentOf = (state: Readable, { usage, ...rest }: OdometerKey): OdometerRecord => {
  const record = state.get('odometer', nameOf({ usage, ...rest })) ?? EMPTY;
  const own = ownReplenishments(replenishments(state, usage), ownLimit(state, { usage, ...rest })?.replenishEvery);
  const counted = record.replenished ?? 0;
  const { epoch } = state.must('meta');
  // A Vault that comes to follow fewer of them has lost none of what it followed before.
  const [spent, count] = own > counted ? [0n, own] : [record.spent, counted];
  return {
    reserved: record.reserved,
    spent,
    byActor: record.epoch === epoch ? record.byActor : {},
    epoch,
    ...(count > 0 && { replenished: count }),
  };
};

export interface Usable {
  readonly limit: bigint;
  readonly reserved: bigint;
  readonly spent: bigint;
  /** Micro-rho that each actor has taken in this epoch, and the most that one may. */
  readonly byActor: Readonly<Record<string, bigint>>;
  readonly share: bigint;
  /** C5: it follows every so many replenishments of the masters. */
  readonly replenishEvery: number;
}
/** The odometer for people: public state only (B4). */
export const odometerOf = (state: Readable, key: OdometerKey, most: bigint, policy: Policy): Usable => {
  const { reserved, spent, byActor } = currentOf(state, key);
  const { microRho, replenishEvery = 1 } = ownLimit(state, key) ?? {};
  const limit = microRho !== undefined && microRho < most ? microRho : most;
  return { limit, reserved, spent, byActor, share: shareOf(limit, policy), replenishEvery };
};
const shareOf = (limit: bigint, policy: Policy): bigint => (limit * BigInt(policy.privacy.actorShareBasisPoints)) / 10_000n;

/** The smaller of what the odometer and the actor's share of this epoch (B4) leave. */
export const roomFor = (state: Readable, key: OdometerKey, actor: string, most: bigint, policy: Policy): Room => {
  const { limit, reserved, spent, byActor, share } = odometerOf(state, key, most, policy);
  const all: Room = { limit, left: limit - reserved - spent };
  const own: Room = { limit: share, left: share - (byActor[actor] ?? 0n) };
  return own.left < all.left ? own : all;
};

/** A task's use of a Vault: the odometer of each domain that it reads is charged (S4). */
export interface OdometerUse {
  readonly vault: string;
  readonly plan: Pick<Plan, 'usage' | 'domain' | 'crossed' | 'microRho'>;
}
const keysOf = ({ vault, plan }: OdometerUse): readonly OdometerKey[] =>
  domainsRead(plan).map((domain) => ({ vault, usage: plan.usage, domain }));

/** The least room of the domains read. */
export const leastRoom = (state: Readable, use: OdometerUse, actor: string, limit: bigint, policy: Policy): Room =>
  keysOf(use)
    .map((key) => roomFor(state, key, actor, limit, policy))
    .reduce((least, next) => (next.left < least.left ? next : least));
export const reserveOdometers = (draft: Draft, use: OdometerUse, actor: string): void => {
  for (const key of keysOf(use)) reserveOdometer(draft, key, actor, use.plan.microRho);
};
export const settleOdometers = (draft: Draft, use: OdometerUse, by: Parameters<typeof settleOdometer>[2]): void => {
  for (const key of keysOf(use)) settleOdometer(draft, key, by);
};

const reserveOdometer = (draft: Draft, key: OdometerKey, actor: string, microRho: bigint): void => {
  const record = currentOf(draft, key);
  const byActor = { ...record.byActor, [actor]: (record.byActor[actor] ?? 0n) + microRho };
  draft.put('odometer', nameOf(key), { ...record, byActor, reserved: record.reserved + microRho });
};

/** Ends a reservation made in `epoch`: `spent` of it is committed, the rest goes back, to the actor's share too. */
const settleOdometer = (
  draft: Draft,
  key: OdometerKey,
  by: { readonly actor: string; readonly epoch: number; readonly reserved: bigint; readonly spent: bigint },
): void => {
  const record = currentOf(draft, key);
  const back = by.epoch === record.epoch ? by.reserved - by.spent : 0n;
  const byActor = back === 0n ? record.byActor : { ...record.byActor, [by.actor]: (record.byActor[by.actor] ?? 0n) - back };
  draft.put('odometer', nameOf(key), {
    ...record,
    byActor,
    reserved: record.reserved - by.reserved,
    spent: record.spent + by.spent,
  });
};
