/**
 * The public odometer of a Vault, usage and domain (rules B1, B2, B4), micro-rho: an upper bound of what any subject there
 * may have lost. Refusals and estimates read only this, never a subject's own ledger.
 */
import type { Policy, Usage } from '../policy.ts';
import type { OdometerRecord } from '../state.ts';
import type { Draft, Readable } from './draft.ts';

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
/** The smaller of what the odometer and the actor's share of this epoch (B4) leave. */
export const roomFor = (state: Readable, key: OdometerKey, actor: string, limit: bigint, policy: Policy): Room => {
  const { reserved, spent, byActor, epoch } = state.get('odometer', nameOf(key)) ?? EMPTY;
  const share = (limit * BigInt(policy.privacy.actorShareBasisPoints)) / 10_000n;
  const used = epoch === state.must('meta').epoch ? (byActor[actor] ?? 0n) : 0n;
  const all: Room = { limit, left: limit - reserved - spent };
  const own: Room = { limit: share, left: share - used };
  return own.left < all.left ? own : all;
};

/** Replenishment is governance's (B2), so a new epoch resets only the actors' shares. */
const inEpoch = (record: OdometerRecord, epoch: number): OdometerRecord =>
  record.epoch === epoch ? record : { ...record, byActor: {}, epoch };

export const reserveOdometer = (draft: Draft, key: OdometerKey, actor: string, microRho: bigint): void => {
  const record = inEpoch(draft.get('odometer', nameOf(key)) ?? EMPTY, draft.must('meta').epoch);
  const byActor = { ...record.byActor, [actor]: (record.byActor[actor] ?? 0n) + microRho };
  draft.put('odometer', nameOf(key), { ...record, byActor, reserved: record.reserved + microRho });
};

/** Ends a reservation made in `epoch`: `spent` of it is committed, the rest goes back, to the actor's share too. */
export const settleOdometer = (
  draft: Draft,
  key: OdometerKey,
  by: { readonly actor: string; readonly epoch: number; readonly reserved: bigint; readonly spent: bigint },
): void => {
  const record = inEpoch(draft.must('odometer', nameOf(key)), draft.must('meta').epoch);
  const back = by.epoch === record.epoch ? by.reserved - by.spent : 0n;
  const byActor = back === 0n ? record.byActor : { ...record.byActor, [by.actor]: (record.byActor[by.actor] ?? 0n) - back };
  draft.put('odometer', nameOf(key), {
    ...record,
    byActor,
    reserved: record.reserved - by.reserved,
    spent: record.spent + by.spent,
  });
};
