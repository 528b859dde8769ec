/**
 * What a Vault's own attribute is in the catalogue's terms (rules S2, S3, S8), so that it derives, groups and measures as any other:
 * its name begins with the Vault's, its source is a column `local/<type>/<name>` that no canonical attribute can be named like.
 */
import { MeasureBounds, type CanonicalAttribute, type DerivationRule, type QueryAttribute } from './catalogue.ts';
import { derivationProblem } from './catalogue-problem.ts';
import type { OwnAttribute } from './resources/own-attribute.ts';

/** An attribute of a Vault as its definition stands for good, and its states with the epoch that each begins with (S1). */
export interface OwnAttributeRecord {
  readonly definition: Omit<OwnAttribute, 'state'>;
  readonly life: readonly { readonly state: OwnAttribute['state']; readonly epoch: number }[];
}
/** By name. */
export interface OwnAttributesRecord {
  readonly attributes: readonly OwnAttributeRecord[];
}
/** Own attributes of a Vault, `namespace/name`; undefined when it has none. */
export type OwnAttributesOf = (vault: string) => OwnAttributesRecord | undefined;

/** Longest name that a query can say. */
const MAX_NAME = 100;

export const ownName = (vault: string, name: string): string => `${vault}/${name}`;
/** `namespace/vault/name` in its parts; undefined for a name of the catalogue, which has no slash. */
export const ownNameOf = (name: string): { readonly vault: string; readonly own: string } | undefined => {
  const at = name.lastIndexOf('/');
  return name.indexOf('/') === at ? undefined : { vault: name.slice(0, at), own: name.slice(at + 1) };
};
export const localColumn = ({ local, type }: Pick<OwnAttribute, 'local' | 'type'>): string => `local/${type}/${local}`;

const ruleOf = (definition: Omit<OwnAttribute, 'state'>): DerivationRule | undefined => {
  const { kind, buckets, otherwise, values, below, bands, groups, unit } = definition;
  const from = localColumn(definition);
  if (kind === 'bucket') return buckets && { kind, from, buckets, ...(otherwise !== undefined && { otherwise }) };
  if (kind === 'boolean') return values && { kind, from, values };
  if (kind === 'threshold') return below !== undefined && bands ? { kind, from, below, bands } : undefined;
  if (kind === 'hash') return groups === undefined ? undefined : { kind, from, groups };
  return unit && { kind, from, unit };
};
const NEEDS: { readonly [K in OwnAttribute['kind']]: string } = {
  bucket: 'buckets',
  boolean: 'values',
  threshold: 'below and bands',
  hash: 'groups',
  aggregate: 'unit',
};

export interface OwnDerived {
  readonly attribute: QueryAttribute;
  readonly canonical: CanonicalAttribute;
}
/** In the catalogue's terms, or what is wrong with it, as a sentence. */
export const ownDerived = (vault: string, definition: Omit<OwnAttribute, 'state'>, state: OwnAttribute['state']): OwnDerived | string => {
  const { name, domain, type, kind, groupable, minimumDays, minimumBuckets, measure, successor, description } = definition;
  const full = ownName(vault, name);
  if (full.length > MAX_NAME) return `attribute ${full} has a longer name than ${MAX_NAME} letters`;
  const derivation = ruleOf(definition);
  if (!derivation) return `attribute ${full}: kind ${kind} needs ${NEEDS[kind]}`;
  const bounds = measure && MeasureBounds.safeParse(measure);
  if (bounds && !bounds.success) return `attribute ${full}: measure: ${bounds.error.issues[0]?.message ?? 'it is not valid'}`;
  const canonical: CanonicalAttribute = { name: derivation.from, domain, type, state: 'active', directlyQueryable: false, description: '' };
  const attribute: QueryAttribute = {
    name: full,
    domain,
    state,
    derivation,
    granularity: { ...(minimumDays !== undefined && { minimumDays }), ...(minimumBuckets !== undefined && { minimumBuckets }) },
    groupable,
    ...(measure && { measure }),
    ...(successor !== undefined && { successor: ownName(vault, successor) }),
    description,
  };
  const problem = derivationProblem(attribute, canonical);
  return problem === undefined ? { attribute, canonical } : `attribute ${full}: ${problem}`;
};

/** S6: where it was in its life in that epoch; undefined before its first. */
export const stateIn = ({ life }: OwnAttributeRecord, epoch: number): OwnAttribute['state'] | undefined =>
  life.findLast((entry) => entry.epoch <= epoch)?.state;

/** C5: what a manifest itself says, whatever its state: when an attribute's life ends is for the masters to say, by epochs. */
export const ownOfManifest = (attributes: readonly OwnAttribute[]): OwnAttributesRecord => ({
  attributes: attributes.map(({ state: _state, ...definition }) => ({ definition, life: [{ state: 'active', epoch: 0 }] })),
});
