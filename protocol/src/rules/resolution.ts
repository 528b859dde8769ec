/**
 * Resolution (rules S2, S3, S4, S5, S6, S7, S8): a query in the catalogue's words becomes a plan in canonical terms. A pure function
 * of terms, catalogue, policy and epoch; neither the catalogue's order nor the order of predicates changes the plan's digest.
 */
import { parseEpsilon } from '../amounts.ts';
import { lineageOf, semanticVersion, type CanonicalAttribute, type Catalogue, type QueryAttribute } from '../catalogue.ts';
import { hex } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { rhoOfParts } from '../mechanisms/output-noise.ts';
import { ownDerived, ownName, ownNameOf, stateIn, type OwnAttributesOf } from '../own-attributes.ts';
import { domainsRead, type Plan, type PlanMeasure } from '../plan.ts';
import type { Policy } from '../policy.ts';
import type { Rejection } from '../rejection.ts';
import type { Predicate, Query, TaskTerms } from '../resources/task.ts';
import { semanticHashKey } from '../semantic-hash.ts';
import { directPredicateOf, groupOf, predicateOf, type HashKeyOf } from './derivation.ts';
import { measureOf, measuresRejection } from './measures.ts';
import { nearestName } from './nearest-name.ts';
import { refused, resolved, type Derived, type Resolved } from './resolved.ts';

/** What resolution sees of the world (S6). */
interface Semantics {
  readonly catalogue: Catalogue;
  readonly own: OwnAttributesOf;
  /** Of admission. */
  readonly epoch: number;
  readonly keyOf: HashKeyOf;
}
export interface Resolution {
  readonly plan: Plan;
  /** Deprecated attributes (S7), as sentences. */
  readonly warnings: readonly string[];
}

const stateRejection = (named: string, { state, successor }: QueryAttribute | CanonicalAttribute): Rejection | undefined => {
  if (state === 'proposed' || state === 'registered') return { code: 'UnknownAttribute', attribute: named };
  if (state !== 'retired' && state !== 'superseded') return undefined;
  return { code: 'AttributeRetired', attribute: named, ...(successor === undefined ? {} : { successor }) };
};
const unknownAttribute = (catalogue: Catalogue, attribute: string): Rejection => {
  const served = catalogue.queryAttributes.filter(({ state }) => state === 'active' || state === 'deprecated');
  const direct = catalogue.canonicalAttributes.filter(({ state, directlyQueryable }) => directlyQueryable && state === 'active');
  const nearest = nearestName(attribute, [...served.map(({ name }) => name), ...direct.map(({ name }) => name)]);
  return { code: 'UnknownAttribute', attribute, ...(nearest === undefined ? {} : { nearest }) };
};

/** S1, S4, S7: the attribute exists, is served, and it and its source belong to the query's domain or one above it. */
const derive = (semantics: Semantics, wanted: string, name: string): Resolved<Derived> => {
  const scoped = ownNameOf(name);
  if (scoped) return deriveOwn(semantics, wanted, name, scoped);
  const { catalogue } = semantics;
  const attribute = catalogue.queryAttributes.find((a) => a.name === name);
  const source = attribute ? attribute.derivation.from : name;
  const canonical = catalogue.canonicalAttributes.find((a) => a.name === source && (attribute !== undefined || a.directlyQueryable));
  if (!canonical) return refused(attribute ? { code: 'UnknownAttribute', attribute: source } : unknownAttribute(catalogue, name));
  const retired = (attribute && stateRejection(name, attribute)) ?? stateRejection(name, canonical);
  if (retired) return refused(retired);
  const lineage = lineageOf(catalogue, wanted);
  const foreign = [attribute?.domain ?? canonical.domain, canonical.domain].find((domain) => !lineage.includes(domain));
  const crosses = foreign !== undefined && isApproved(attribute, lineage, canonical);
  if (foreign !== undefined && !crosses) return refused({ code: 'CrossDomainNotApproved', attribute: name, domain: foreign, wanted });
  return resolved({ attribute, canonical, crosses });
};
/** S3: of the Vault that the name begins with, as it was in the epoch of admission (S6). */
const deriveOwn = (
  { own, epoch }: Semantics,
  wanted: string,
  name: string,
  { vault, own: ofVault }: { readonly vault: string; readonly own: string },
): Resolved<Derived> => {
  const { attributes = [] } = own(vault) ?? {};
  const found = attributes.find(({ definition }) => definition.name === ofVault);
  const state = found && stateIn(found, epoch);
  const derived = found && state && ownDerived(vault, found.definition, state);
  if (derived === undefined || typeof derived === 'string') {
    const nearest = nearestName(
      name,
      attributes.map(({ definition }) => ownName(vault, definition.name)).filter((known) => known !== name),
    );
    return refused({ code: 'UnknownAttribute', attribute: name, ...(nearest === undefined ? {} : { nearest }) });
  }
  const { attribute, canonical } = derived;
  const retired = stateRejection(name, attribute);
  if (retired) return refused(retired);
  if (attribute.domain !== wanted) return refused({ code: 'CrossDomainNotApproved', attribute: name, domain: attribute.domain, wanted });
  return resolved({ attribute, canonical, crosses: false, vault });
};
/** S3: the Vault whose own attributes are used, if any; of one alone. */
const scopeOf = (used: readonly Derived[]): Resolved<string | undefined> => {
  const [first, ...rest] = used.filter(({ vault }) => vault !== undefined);
  const other = rest.find(({ vault }) => vault !== first!.vault);
  if (!other) return resolved(first?.vault);
  return refused({ code: 'VaultScopeMixed', attribute: nameOf(other), vault: other.vault!, other: first!.vault! });
};
/** S4: only the input may be of another domain, and only of the one that was approved. */
const isApproved = (attribute: QueryAttribute | undefined, lineage: readonly string[], { domain }: CanonicalAttribute): boolean =>
  attribute?.crossDomain?.approved === true && attribute.crossDomain.from === domain && lineage.includes(attribute.domain);

const nameOf = ({ attribute, canonical }: Derived): string => attribute?.name ?? canonical.name;

/** A condition: alternatives, of which one must hold. */
type Condition = readonly Predicate[];
const conditionsOf = ({ where, anyOf = [] }: Query): readonly Condition[] => [...where.map((predicate) => [predicate]), ...anyOf];

/** S2: two conditions on one source could meet in a range finer than either may be; alternatives of one can only be wider. */
const combinedRejection = (conditions: readonly (readonly Derived[])[]): Rejection | undefined => {
  const twice = conditions.flatMap((derived, i) =>
    derived.filter(({ canonical }) => conditions.slice(0, i).some((before) => before.some((d) => d.canonical.name === canonical.name))),
  )[0];
  if (!twice) return undefined;
  const problem = `${twice.canonical.name} is constrained twice, and their overlap could be finer than allowed; use one predicate`;
  return { code: 'PredicateInvalid', attribute: nameOf(twice), problem };
};

const byText = (a: unknown, b: unknown): number => {
  const [first, second] = [hex(encodeCanonical(a)), hex(encodeCanonical(b))];
  if (first === second) return 0;
  return first < second ? -1 : 1;
};

/** All values, or the first rejection in order. */
const all = <T>(results: readonly Resolved<T>[]): Resolved<readonly T[]> => {
  const values: T[] = [];
  for (const result of results) {
    if (!result.ok) return result;
    values.push(result.value);
  }
  return resolved(values);
};

/** Alternatives in one order, each once, whatever the order they were asked in (S6). */
const alternativesOf = (derived: readonly Derived[], condition: Condition, keyOf: HashKeyOf): Resolved<Plan['where'][number]> => {
  const one = (predicate: Predicate, { attribute, canonical }: Derived) =>
    attribute ? predicateOf(attribute, predicate, keyOf) : directPredicateOf(canonical, predicate);
  const found = all(condition.map((predicate, i) => one(predicate, derived[i]!)));
  if (!found.ok) return found;
  if (found.value.length === 1) return resolved(found.value[0]!);
  const sorted = found.value.flat().toSorted(byText);
  return resolved(sorted.filter((p, i) => i === 0 || byText(p, sorted[i - 1]) !== 0));
};
const byColumn = (a: Plan['where'][number], b: Plan['where'][number]): number => {
  if (a[0]!.column === b[0]!.column) return byText(a, b);
  return a[0]!.column < b[0]!.column ? -1 : 1;
};

const resolveWhere = (semantics: Semantics, query: Query): Resolved<{ where: Plan['where']; used: readonly Derived[] }> => {
  const conditions = conditionsOf(query);
  const used = all(conditions.map((condition) => all(condition.map(({ attribute }) => derive(semantics, query.domain, attribute)))));
  if (!used.ok) return used;
  const combined = combinedRejection(used.value);
  if (combined) return refused(combined);
  const where = all(conditions.map((condition, i) => alternativesOf(used.value[i]!, condition, semantics.keyOf)));
  return where.ok ? resolved({ where: where.value.toSorted(byColumn), used: used.value.flat() }) : where;
};

const resolveMeasures = (
  semantics: Semantics,
  { domain, measures = [] }: Query,
): Resolved<{ measures: readonly PlanMeasure[]; used: readonly Derived[] }> => {
  const used = all(measures.map(({ attribute }) => derive(semantics, domain, attribute)));
  if (!used.ok) return used;
  const found = all(measures.map((measure, i) => measureOf(used.value[i]!, measure)));
  return found.ok ? resolved({ measures: found.value, used: used.value }) : found;
};

const ALL: Plan['group'] = { cells: [{ label: 'all' }] };
const resolveGroup = (semantics: Semantics, query: Query): Resolved<{ group: Plan['group']; used: readonly Derived[] }> => {
  if (query.groupBy === undefined) return resolved({ group: ALL, used: [] });
  const derived = derive(semantics, query.domain, query.groupBy);
  if (!derived.ok) return derived;
  const { attribute } = derived.value;
  const group = attribute ? groupOf(attribute) : refused<Plan['group']>({ code: 'NotGroupable', attribute: query.groupBy });
  return group.ok ? resolved({ group: group.value, used: [derived.value] }) : group;
};

/** S4: what the Vault has to fetch from other domains' records. */
const crossedBy = (used: readonly Derived[]): NonNullable<Plan['crossed']> => {
  const columns = new Map(used.filter(({ crosses }) => crosses).map(({ canonical }) => [canonical.name, canonical.domain]));
  return [...columns].map(([column, domain]) => ({ domain, column })).toSorted((a, b) => (a.column < b.column ? -1 : 1));
};
/** B1: limits are divided, and counts too, by the largest bound of the domains read. */
const largestBound = ({ domains }: Catalogue, read: readonly string[]): number =>
  Math.max(...domains.filter(({ name }) => read.includes(name)).map(({ overlapBound }) => overlapBound));

const warningsOf = (used: readonly Derived[]): readonly string[] =>
  [...new Set(used.flatMap(({ attribute, canonical }) => [...(attribute ? [attribute] : []), canonical]))]
    .filter(({ state }) => state === 'deprecated')
    .map(({ name, successor }) => `Attribute ${name} is deprecated.${successor ? ` Use ${successor}.` : ''}`)
    .toSorted();

const unknownDomain = (catalogue: Catalogue, domain: string): Rejection => {
  const nearest = nearestName(
    domain,
    catalogue.domains.map(({ name }) => name),
  );
  return { code: 'UnknownDomain', domain, ...(nearest === undefined ? {} : { nearest }) };
};

/**
 * `terms` are of a valid query (`specProblem`); `epoch` is that of admission; `own` gives the Vaults' own attributes. A subject enters k
 * cells (S8), one if the task doesn't say: the slice clips to its first.
 */
export const resolveQuery = (
  terms: TaskTerms,
  catalogue: Catalogue,
  policy: Policy,
  epoch: number,
  own: OwnAttributesOf = () => undefined,
): Resolved<Resolution> => {
  const query = terms.query!;
  const keyOf: HashKeyOf = (attribute) => semanticHashKey(semanticVersion(catalogue), epoch, attribute);
  if (!catalogue.domains.some(({ name }) => name === query.domain)) return refused(unknownDomain(catalogue, query.domain));
  const semantics: Semantics = { catalogue, keyOf, own, epoch };
  const where = resolveWhere(semantics, query);
  if (!where.ok) return where;
  const group = resolveGroup(semantics, query);
  if (!group.ok) return group;
  const measured = resolveMeasures(semantics, query);
  if (!measured.ok) return measured;
  const measures = [...measured.value.measures];
  const budget = { epsilon: parseEpsilon(terms.privacy.epsilon), ...(measures.length > 0 && { measures }) };
  const used = [...where.value.used, ...group.value.used, ...measured.value.used];
  const scope = scopeOf(used);
  if (!scope.ok) return scope;
  const crossed = crossedBy(used);
  const place = { domain: query.domain, ...(crossed.length > 0 && { crossed }) };
  const plan: Plan = {
    ...place,
    ...(scope.value !== undefined && { vault: scope.value }),
    usage: terms.usage,
    count: 'subjects',
    where: [...where.value.where],
    group: group.value.group,
    ...budget,
    ...(query.audience && { audience: { expiresSeconds: query.audience.expiresSeconds } }),
    cellsPerSubject: Math.min(query.cellsPerSubject ?? 1, group.value.group.cells.length),
    microRho: rhoOfParts(budget),
    // S5: the larger of the task's and the policy's.
    minimumResultCardinality: Math.max(terms.privacy.minimumResultCardinality, policy.privacy.minimumResultCardinality),
    overlapBound: largestBound(catalogue, domainsRead(place)),
  };
  const rejection = measuresRejection(plan, query.measures ?? []);
  if (rejection) return refused(rejection);
  return resolved({ plan, warnings: warningsOf(used) });
};
