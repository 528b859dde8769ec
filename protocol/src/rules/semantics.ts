/**
 * The registry in the log (rules S1, S3, S6, G5): the catalogue in force, the one staged for the next epoch, and every one before,
 * as records `catalogue/<semantic version>`; and each of its objects as a leaf of its own, for projections. Two masters approve a
 * change; it takes effect at the end of the epoch. A task is resolved by the catalogue that it was admitted under.
 */
import { semanticVersion, sortedCatalogue, type Catalogue } from '../catalogue.ts';
import { changed, type CatalogueChange } from '../catalogue-change.ts';
import type { Command } from '../commands.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import type { State, VaultRecord } from '../state.ts';
import { approvalFault } from './approvals.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft, Readable } from './draft.ts';
import { offeringIndex } from './vault-selection.ts';

type Change = Extract<Command, { type: 'catalogue.change' }>;
type Promotion = Extract<CatalogueChange, { kind: 'promote' }>;

/** Enterprises that must report a local attribute before it can be promoted, where the policy names no number (S3). */
const PROMOTION_ENTERPRISES = 2;

/** It is one leaf, which Vaults fetch whole. */
const MAX_CATALOGUE_BYTES = 1024 * 1024;

/** Throws if no such version was ever in force or staged: for versions that records of the state name. */
export const catalogueOf = (state: Readable, version: string): Catalogue => state.must('catalogue', version);
export const catalogueInForce = (state: Readable): Catalogue => catalogueOf(state, state.must('meta').semanticVersion);

type Objects = Pick<Draft, 'put' | 'get'>;
const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
/** Only what is new or differs is written, so that only it is projected. */
const putObjects = (draft: Objects, { domains, canonicalAttributes, queryAttributes }: Catalogue, before: Catalogue | undefined): void => {
  const isNew = <T extends { readonly name: string }>(known: readonly T[] = []) => {
    const byName = new Map(known.map((object) => [object.name, object]));
    return (object: T) => !sameJson(byName.get(object.name), object);
  };
  for (const domain of domains.filter(isNew(before?.domains))) draft.put('domain', domain.name, domain);
  for (const attribute of canonicalAttributes.filter(isNew(before?.canonicalAttributes))) draft.put('canonical', attribute.name, attribute);
  for (const attribute of queryAttributes.filter(isNew(before?.queryAttributes))) draft.put('attribute', attribute.name, attribute);
};

/** At height 0. */
export const withCatalogue = (state: State, catalogue: Catalogue): State => {
  const sorted = sortedCatalogue(catalogue);
  let next = state.put('catalogue', semanticVersion(sorted), sorted).put('semantics', '', { first: semanticVersion(sorted), changes: 0 });
  const writer = { get: next.get.bind(next), put: (...args: Parameters<State['put']>) => void (next = next.put(...args)) } as Objects;
  putObjects(writer, sorted, undefined);
  return next;
};

/** S3: Vaults of so many enterprises that serve the domain report it by this name, as this type. */
const promotionFault = (draft: Draft, { local, attribute }: Promotion, ctx: RuleContext): Fault | undefined => {
  const needed = policyOf(ctx.genesis, draft.must('meta').policyVersion).semantics?.promotionEnterprises ?? PROMOTION_ENTERPRISES;
  const reports = ({ localAttributes = [] }: VaultRecord) =>
    localAttributes.some(({ domain, name, type }) => domain === attribute.domain && name === local && type === attribute.type);
  const vaults = (draft.get('index', offeringIndex(attribute.domain)) ?? []).map((name) => draft.must('vault', name));
  const agreeing = new Set(vaults.filter(reports).map(({ enterprise }) => enterprise)).size;
  return agreeing >= needed
    ? undefined
    : fault('NotAgreed', `${agreeing} enterprises report ${local} as a ${attribute.type} of ${attribute.domain}; ${needed} must`);
};

/** catalogue.change: staged for the end of the epoch; several in one epoch build on each other. */
export const changeCatalogue = (draft: Draft, command: Change, ctx: RuleContext): Fault | undefined => {
  const unapproved = approvalFault('catalogue.change', command, ctx);
  if (unapproved) return unapproved;
  const { number, base, changes } = command.statement;
  const { first, changes: decided, staged } = draft.must('semantics');
  if (number !== decided + 1)
    return fault(number <= decided ? 'AlreadyDecided' : 'Conflicts', `change ${decided + 1} of the catalogue is next`);
  const present = staged ?? draft.must('meta').semanticVersion;
  if (base !== present) return fault('Conflicts', `the change is of version ${base}; the next one builds on ${present}`);
  for (const change of changes) {
    const found = change.kind === 'promote' ? promotionFault(draft, change, ctx) : undefined;
    if (found) return found;
  }
  const result = changed(catalogueOf(draft, present), changes);
  if (!result.ok) return fault('ChangeInvalid', result.problem);
  const catalogue = sortedCatalogue(result.catalogue);
  if (encodeCanonical(catalogue).length > MAX_CATALOGUE_BYTES)
    return fault('ChangeInvalid', `the catalogue would be above ${MAX_CATALOGUE_BYTES} bytes`);
  const version = semanticVersion(catalogue);
  draft.put('catalogue', version, catalogue);
  draft.put('semantics', '', { first, changes: number, staged: version });
  return undefined;
};

/** At the end of an epoch. */
export const adoptCatalogue = (draft: Draft): void => {
  const { staged, ...semantics } = draft.must('semantics');
  if (staged === undefined) return;
  const before = catalogueInForce(draft);
  draft.put('semantics', '', semantics);
  draft.put('meta', '', { ...draft.must('meta'), semanticVersion: staged });
  putObjects(draft, catalogueOf(draft, staged), before);
};
