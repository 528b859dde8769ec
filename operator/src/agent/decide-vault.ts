/** What to tell of a Vault, and whether to register it: pure (rules C5, N3). */
import {
  encodeCanonical,
  equalBytes,
  VaultSpec,
  type LocalAttribute,
  type Vault,
  type VaultOffer,
  type VaultRecord,
  type VaultStatus,
} from '@scs/protocol';
import { wholeMicroRho } from '@scs/protocol/rules/ledger.ts';
import type { Pod } from '../kube/objects.ts';
import { setCondition, type Condition, type NewCondition } from '../kube/conditions.ts';
import { podTrouble } from './pod-trouble.ts';
import { rightsObjectName } from './rights-objects.ts';

/** What the Vault process says of itself. */
export interface VaultHealth {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
  readonly publicKey: string;
  readonly noiseKeyCommitment: string;
  readonly journal: { readonly sequence: bigint; readonly head: string };
  /** S3: what its sources' mappings let it report. */
  readonly localAttributes?: readonly LocalAttribute[];
}
export interface VaultInput {
  readonly vault: Vault;
  readonly enterprise: string;
  readonly pod: Pod | undefined;
  readonly health: VaultHealth | undefined;
  readonly certified: VaultRecord | undefined;
  /** False while no master answers: then `certified` says nothing. */
  readonly mastersReachable: boolean;
  /** Last refusal of the masters, if they refused the registration. */
  readonly refusal: { readonly code: string; readonly message: string } | undefined;
  /** May this agent's Vaults serve their subjects over HTTPS? */
  readonly subjectRights: boolean;
}
export interface VaultDecision {
  readonly status: VaultStatus;
  readonly register: VaultOffer | undefined;
}

export const decideVault = (input: VaultInput, now: number): VaultDecision => {
  const { vault, health, certified } = input;
  const offer = health && offerOf(input, health);
  const registered = offer !== undefined && certified !== undefined && sameOffer(offer, certified);
  const { state, reason, message } = finding(input, registered);
  const observedGeneration = vault.metadata.generation ?? 0;
  const ready: NewCondition = { type: 'Ready', status: state === 'Ready' ? 'True' : 'False', reason, message };
  const said = [ready, journalCopied(vault), ...subjectsServed(input)];
  // what is said no longer goes
  const before = (vault.status?.conditions as Condition[] | undefined)?.filter((c) => said.some(({ type }) => type === c.type));
  const conditions = said.reduce<Condition[]>((all, next) => setCondition(all, { ...next, observedGeneration }, now), before ?? []);
  return {
    status: {
      observedGeneration,
      state,
      ...(health?.publicKey && { publicKey: health.publicKey }),
      ...(certified && { registeredAtHeight: Number(certified.registeredAt) }),
      ...(health?.localAttributes?.length && { localAttributes: [...health.localAttributes] }),
      conditions,
    },
    register:
      offer && health?.ready && !registered && input.mastersReachable && vault.spec.enterprise === input.enterprise ? offer : undefined,
  };
};

/** C4: whether subjects reach this Vault; nothing is said where nobody asked for it. */
const subjectsServed = ({ vault, subjectRights }: VaultInput): NewCondition[] => {
  const { rights } = vault.spec;
  if (!rights) return [];
  const type = 'SubjectsServed';
  if (!subjectRights)
    return [{ type, status: 'False', reason: 'NotAllowed', message: 'Install the agent with subjectRights.enabled=true.' }];
  const message = `Subjects are served on port 443 of Service ${rightsObjectName(vault.metadata.name)}, with the certificate in Secret ${rights.tlsSecret}.`;
  return [{ type, status: 'True', reason: 'Configured', message }];
};

/** B8: where the journal is, so that nobody takes a local chain for a copy. */
const journalCopied = ({ spec }: Vault): NewCondition => {
  const type = 'JournalCopied';
  const kept = 'encrypted, before it takes effect; a restored Vault catches up first.';
  if (spec.journal?.s3) return { type, status: 'True', reason: 'Bucket', message: `Each entry of the journal is in a bucket, ${kept}` };
  if (spec.journal)
    return { type, status: 'True', reason: 'SecondVolume', message: `Each entry of the journal is on a second volume, ${kept}` };
  return {
    type,
    status: 'False',
    reason: 'LocalOnly',
    message: "The journal lies on the Vault's own volume alone: only the masters would notice a restored one. Set spec.journal for a copy.",
  };
};

const finding = (input: VaultInput, registered: boolean): { state: NonNullable<VaultStatus['state']>; reason: string; message: string } => {
  const { vault, enterprise, pod, health, refusal } = input;
  if (vault.spec.enterprise !== enterprise)
    return {
      state: 'Degraded',
      reason: 'WrongEnterprise',
      message: `spec.enterprise is not the enterprise of this namespace. Set it to ${enterprise}.`,
    };
  const trouble = podTrouble(pod);
  if (!health)
    return {
      state: registered ? 'Degraded' : 'Provisioning',
      reason: trouble?.reason ?? 'Starting',
      message: trouble?.message ?? 'The Vault is starting.',
    };
  if (!health.ready)
    return { state: 'Importing', reason: health.reason || 'NotReady', message: health.message || 'The Vault is not ready yet.' };
  if (!input.mastersReachable)
    return {
      state: 'Degraded',
      reason: 'MastersUnavailable',
      message: 'No master answers. Check the masters and the network between; the agent tries on.',
    };
  if (registered) return { state: 'Ready', reason: 'Registered', message: 'The Vault is registered with the masters and serves tasks.' };
  if (refusal) return { state: 'Degraded', reason: refusal.code, message: refusal.message };
  return { state: 'Registering', reason: 'Registering', message: 'The registration is waiting for the masters.' };
};

/** The manifest's generation is the revision: an older manifest can't be registered over a newer one. */
const offerOf = ({ vault, enterprise, certified }: VaultInput, health: VaultHealth): VaultOffer => {
  const spec = VaultSpec.parse(vault.spec);
  return {
    vault: `${vault.metadata.namespace}/${vault.metadata.name}`,
    uid: vault.metadata.uid!,
    enterprise,
    publicKey: health.publicKey,
    noiseKeyCommitment: health.noiseKeyCommitment,
    domains: spec.domains,
    actors: spec.actors,
    sizeBand: spec.sizeBand,
    revision: Math.max(
      vault.metadata.generation ?? 0,
      (certified?.revision ?? 0) + (certified && isAnother(certified, vault, health) ? 1 : 0),
    ),
    journal: health.journal,
    ...(spec.limits.length > 0 && { limits: spec.limits.map(publicLimit) }),
    ...(spec.attributes.length > 0 && { attributes: spec.attributes }),
    ...(health.localAttributes?.length && { localAttributes: [...health.localAttributes] }),
  };
};
/** C5: so that the public odometers say what the Vault will (B4). */
const publicLimit = ({ usage, microRho, replenishEvery }: VaultSpec['limits'][number]): NonNullable<VaultOffer['limits']>[number] => ({
  usage,
  ...(microRho !== undefined && { microRho: wholeMicroRho(microRho) }),
  ...(replenishEvery !== undefined && { replenishEvery }),
});
/** What no generation counts: a Vault made anew under its name, and local attributes that imports brought or changed (S3). */
const isAnother = (certified: VaultRecord, vault: Vault, health: VaultHealth): boolean =>
  certified.uid !== vault.metadata.uid || !sameLocal(health.localAttributes, certified.localAttributes);
const sameLocal = (a: readonly LocalAttribute[] = [], b: readonly LocalAttribute[] = []): boolean =>
  a.length === b.length && a.every((one, i) => equalBytes(encodeCanonical(one), encodeCanonical(b[i])));

/** The journal moves on with every task; it is no reason to register again. */
const sameOffer = (offer: VaultOffer, certified: VaultRecord): boolean =>
  offer.uid === certified.uid &&
  offer.publicKey === certified.publicKey &&
  offer.noiseKeyCommitment === certified.noiseKeyCommitment &&
  offer.revision === certified.revision;
