/**
 * Which Vaults a query asks (rules C1, N3, B4): those that offer domain, usage and class, permit the actor, belong to an active
 * enterprise, and whose public odometer has room. Each step that leaves fewer than the quorum names its own reason.
 */
import { domainsRead, type Plan } from '../plan.ts';
import type { Policy } from '../policy.ts';
import type { Rejection } from '../rejection.ts';
import type { TaskRecord, VaultRecord } from '../state.ts';
import { isActiveEnterprise } from './active.ts';
import type { Readable } from './draft.ts';
import { leastRoom, vaultLimit, type Room } from './odometer.ts';

export type Selection =
  { readonly ok: true; readonly vaults: readonly VaultRecord[] } | { readonly ok: false; readonly rejection: Rejection };

/** Name of the index of the Vaults that offer a domain now, and of all that ever did (B1). */
export const offeringIndex = (domain: string): string => `vaults/${domain}`;
export const joinedIndex = (domain: string): string => `joined/${domain}`;

interface Wanted {
  readonly task: TaskRecord;
  readonly plan: Plan;
  readonly policy: Policy;
  readonly quorum: number;
}

const vaultsOf = (state: Readable, domain: string): readonly VaultRecord[] =>
  (state.get('index', offeringIndex(domain)) ?? []).map((name) => state.must('vault', name));
const offersOn = (domain: string, { domains }: VaultRecord, { task, plan }: Wanted): boolean =>
  domains.some((d) => d.name === domain && d.usages.includes(plan.usage) && d.classes.includes(task.spec.class));
/** C1: for each record touched. */
const offers = (vault: VaultRecord, wanted: Wanted): boolean => domainsRead(wanted.plan).every((domain) => offersOn(domain, vault, wanted));

const room = (state: Readable, { vault }: VaultRecord, { task, plan, policy }: Wanted): Room => {
  const limit = vaultLimit(policy, plan.usage, plan.overlapBound);
  return leastRoom(state, { vault, plan }, task.spec.submitter, limit, policy);
};

/** Names the first domain that none of them offers for the usage; where each is offered by some, that none has all. */
const notOffered = (vaults: readonly VaultRecord[], wanted: Wanted): Rejection => {
  const { plan, quorum } = wanted;
  const domain = domainsRead(plan).find((name) => !vaults.some((vault) => offersOn(name, vault, wanted)));
  if (domain === undefined) return { code: 'QuorumUnreachable', quorum, possible: 0, why: tooFew(plan) };
  const inDomain = vaults.flatMap(({ domains }) => domains.filter(({ name }) => name === domain));
  const offered = [...new Set(inDomain.flatMap(({ usages }) => usages))].toSorted();
  return { code: 'UsageNotOffered', usage: plan.usage, domain, offered };
};
/** Why no quorum above one can be reached, when a query uses a Vault's own attributes (S3). */
export const oneVault = (vault: string): string => `the query uses attributes of Vault ${vault} alone; set spec.coordination.quorum to 1`;
const tooFew = (plan: Plan): string => `no more Vaults offer ${plan.usage} on ${domainsRead(plan).join(' and ')}`;
const budgetExhausted = (exhausted: readonly { vault: VaultRecord; room: Room }[], { plan }: Wanted): Rejection => {
  const fullest = exhausted.reduce((best, next) => (next.room.left > best.room.left ? next : best));
  const { limit, left } = fullest.room;
  const asked = plan.microRho;
  return { code: 'BudgetExhausted', vault: fullest.vault.vault, usage: plan.usage, limit, asked, left: left > 0n ? left : 0n };
};

const no = (rejection: Rejection): Selection => ({ ok: false, rejection });

/** The Vaults to ask, ascending by name; all that can serve, at least the quorum. */
export const selectVaults = (state: Readable, task: TaskRecord, plan: Plan, policy: Policy): Selection => {
  const wanted: Wanted = { task, plan, policy, quorum: task.spec.coordination.quorum };
  const { quorum } = wanted;
  // S3: of whose own the query asks, alone.
  if (plan.vault !== undefined && quorum > 1) return no({ code: 'QuorumUnreachable', quorum, possible: 1, why: oneVault(plan.vault) });
  const inDomain = vaultsOf(state, plan.domain).filter(({ vault }) => plan.vault === undefined || vault === plan.vault);
  const offering = inDomain.filter((vault) => offers(vault, wanted));
  if (offering.length === 0) return no(notOffered(inDomain, wanted));
  if (offering.length < quorum)
    return no({
      code: 'QuorumUnreachable',
      quorum,
      possible: offering.length,
      why: tooFew(plan),
    });

  const permitting = offering.filter(({ actors }) => actors.includes(task.spec.submitter));
  const denying = offering.filter((vault) => !permitting.includes(vault)).map(({ vault }) => vault);
  if (permitting.length < quorum) return no({ code: 'ActorNotPermitted', submitter: task.spec.submitter, vaults: denying });

  const active = permitting.filter(({ enterprise }) => isActiveEnterprise(state, enterprise, policy));
  if (active.length < quorum) return no({ code: 'EnterpriseNotActive', vault: permitting.find((v) => !active.includes(v))!.vault });

  const rooms = active.map((vault) => ({ vault, room: room(state, vault, wanted) }));
  const roomy = rooms.filter((v) => v.room.left >= plan.microRho);
  if (roomy.length < quorum)
    return no(
      budgetExhausted(
        rooms.filter((v) => !roomy.includes(v)),
        wanted,
      ),
    );
  return { ok: true, vaults: roomy.map(({ vault }) => vault) };
};
