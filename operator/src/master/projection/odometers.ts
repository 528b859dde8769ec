/** The public odometers of a domain for people (rule B4): of each Vault and usage it offers, from state alone. Pure. */
import type { Domain, Policy, State, Usage, VaultRecord } from '@scs/protocol';
import { odometerOf, vaultLimit } from '@scs/protocol/rules/odometer.ts';
import { offeringIndex } from '@scs/protocol/rules/vault-selection.ts';

/** Rows that an object shows, at most; its size is bounded, the state's is not. */
const MAX_ROWS = 400;
const MAX_ACTORS = 100;

export interface OdometerRow {
  readonly vault: string;
  readonly usage: Usage;
  readonly limit: string;
  readonly reserved: string;
  readonly spent: string;
  readonly actorShare: string;
  readonly replenishEvery?: number;
  readonly actors: readonly { readonly actor: string; readonly taken: string }[];
}

const usagesOf = ({ domains }: VaultRecord, domain: string): readonly Usage[] =>
  [...new Set(domains.flatMap(({ name, usages }) => (name === domain ? usages : [])))].toSorted();

const rowOf = (state: State, { name, overlapBound }: Domain, policy: Policy, vault: string, usage: Usage): OdometerRow => {
  const most = vaultLimit(policy, usage, overlapBound);
  const { limit, reserved, spent, byActor, share, replenishEvery } = odometerOf(state, { vault, usage, domain: name }, most, policy);
  const actors = Object.entries(byActor)
    .filter(([, taken]) => taken > 0n)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MAX_ACTORS)
    .map(([actor, taken]) => ({ actor, taken: String(taken) }));
  return {
    vault,
    usage,
    limit: String(limit),
    reserved: String(reserved),
    spent: String(spent),
    actorShare: String(share),
    ...(replenishEvery > 1 && { replenishEvery }),
    actors,
  };
};

export const odometersOf = (state: State, domain: Domain, policy: Policy): readonly OdometerRow[] =>
  (state.get('index', offeringIndex(domain.name)) ?? [])
    .map((name) => state.must('vault', name))
    .flatMap((vault) => usagesOf(vault, domain.name).map((usage) => rowOf(state, domain, policy, vault.vault, usage)))
    .slice(0, MAX_ROWS);
