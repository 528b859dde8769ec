/**
 * What a Vault thinks of a certified task (rules C1, C5, N5): it believes that the masters decided it, and still goes by its own
 * rules. Pure, and of public state only (B4): record, genesis and manifest.
 */
import {
  addressOf,
  authorizationMessage,
  domainsRead,
  encodePlan,
  equalBytes,
  instantMs,
  ownNameOf,
  ownOfManifest,
  parseSym,
  resolveQuery,
  termsOf,
  verifySignature,
  type Genesis,
  type Plan,
  type TaskRecord,
  type VaultSpec,
} from '@scs/protocol';
import { subjectLimit, wholeMicroRho } from '@scs/protocol/rules/ledger.ts';
import { ownReplenishments } from '@scs/protocol/rules/replenishment.ts';
import { useRefusal } from '@scs/protocol/rules/consent.ts';
import type { Catalogues } from './catalogues.ts';
import { refusal, type Refusal } from './refusal.ts';

export interface Judge {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly manifest: VaultSpec;
  /** Whose manifest it is: `namespace/name`. */
  readonly store: { readonly vault: string };
  /** Beside the genesis' catalogue, those that governance has made since. */
  readonly catalogues?: Pick<Catalogues, 'of' | 'learn'>;
}

/** N5: whoever administers the API server can spend nobody's escrow, nor anybody's privacy. */
const authorizationRefusal = ({ namespace, name, spec }: TaskRecord, { genesis, genesisDigest }: Judge): Refusal | undefined => {
  const { authorization } = spec;
  if (!authorization)
    return parseSym(spec.maxFee) === 0n
      ? undefined
      : refusal('AuthorizationMissing', 'a paid task must carry its actor’s signature: make it with kubectl symphony sign');
  const { publicKey, nonce, expiry, signature } = authorization;
  const expiryMs = instantMs(expiry);
  if (expiryMs === undefined) return refusal('SignatureInvalid', 'the authorization’s expiry is not a time: sign the task again');
  const { chainId } = genesis.chain;
  const message = authorizationMessage({ genesis: genesisDigest, chainId, namespace, name, spec, nonce, expiryMs: BigInt(expiryMs) });
  return addressOf(publicKey) === spec.submitter && verifySignature(publicKey, message, signature)
    ? undefined
    : refusal(
        'SignatureInvalid',
        'the signature does not fit the task and its submitter: sign the task as it is, by the key of spec.submitter',
      );
};

/** S3, C5: an attribute of this Vault's own is served while the manifest has it. */
const ownRefusal = ({ spec }: TaskRecord, { manifest, store }: Judge): Refusal | undefined => {
  const { where = [], anyOf = [], measures = [], groupBy } = spec.query ?? {};
  const asked = [...where, ...anyOf.flat(), ...measures].map(({ attribute }) => attribute);
  const missing = [...asked, ...(groupBy === undefined ? [] : [groupBy])].find((name) => {
    const scoped = ownNameOf(name);
    return scoped && !(scoped.vault === store.vault && manifest.attributes.some((kept) => kept.name === scoped.own));
  });
  return missing === undefined
    ? undefined
    : refusal('AttributeNotOffered', `this Vault serves no attribute ${missing}; its operator may, in spec.attributes`);
};

/** S6: the plan follows from the terms, the catalogue and the policy; the Vault resolves it by itself. */
const planRefusal = (record: TaskRecord, plan: Plan, { genesis, catalogues, manifest, store }: Judge): Refusal | undefined => {
  if (record.policyVersion !== genesis.policy.version)
    return refusal(
      'PolicyUnknown',
      `policy version ${record.policyVersion} is not known here: this Vault's operator must bring it up to date`,
    );
  const version = record.semanticVersion;
  const catalogue = catalogues ? catalogues.of(version) : genesis.catalogue;
  if (!catalogue)
    return refusal(
      'CatalogueUnknown',
      `semantic version ${version} is not known here: submit the task again once this Vault has heard of it`,
    );
  const attributes = ownOfManifest(manifest.attributes);
  const own = resolveQuery(termsOf(record.spec), catalogue, genesis.policy, record.epoch, (vault) =>
    vault === store.vault ? attributes : undefined,
  );
  return own.ok && equalBytes(encodePlan(own.value.plan), encodePlan(plan))
    ? undefined
    : refusal(
        'PlanMismatch',
        'the certified plan does not follow from the task’s terms by this Vault’s own resolution: do masters and Vault run the same version?',
      );
};

/** undefined when the Vault may answer with a reservation; what budget is left is asked of the store. */
export const taskRefusal = (record: TaskRecord, judge: Judge): Refusal | undefined => {
  const { plan, spec } = record;
  if (!plan) return refusal('PlanMissing', 'the task is not resolved');
  if (spec.class !== 'query') return refusal('ClassNotOffered', `this Vault serves no tasks of class ${spec.class}, only query`);
  const use = { submitter: spec.submitter, class: spec.class, usage: plan.usage };
  // C1: for each record touched, so of each domain read (S4).
  const unfit = domainsRead(plan).map((domain) => useRefusal(judge.manifest, { ...use, domain }));
  return (
    unfit.find((refused) => refused !== undefined) ??
    authorizationRefusal(record, judge) ??
    ownRefusal(record, judge) ??
    planRefusal(record, plan, judge)
  );
};

/** B1, C5: micro-rho that a subject may lose of the usage here. */
export const limitOf = (plan: Pick<Plan, 'usage' | 'overlapBound'>, { genesis, manifest }: Pick<Judge, 'genesis' | 'manifest'>): bigint => {
  const own = manifest.limits.find(({ usage }) => usage === plan.usage)?.microRho;
  return subjectLimit(genesis.policy, plan.usage, plan.overlapBound, own === undefined ? undefined : wholeMicroRho(own));
};
/** B2, C5: how often budgets of the usage came back here, of the `count` times that the masters certified. */
export const replenishedHere = (usage: string, count: number, { limits }: Pick<VaultSpec, 'limits'>): number =>
  ownReplenishments(count, limits.find((own) => own.usage === usage)?.replenishEvery);
