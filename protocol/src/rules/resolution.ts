/**
 * Resolution (rules S2, S4, S5, S6, S7, S8): a query in the catalogue's words becomes a plan in canonical terms. A pure function
 * of terms, catalogue and policy; neither the catalogue's order nor the order of predicates changes the plan's digest.
 */
import { parseEpsilon, rhoOfEpsilon } from '../amounts.ts';
import type { CanonicalAttribute, Catalogue, Domain, QueryAttribute } from '../catalogue.ts';
import type { Plan } from '../plan.ts';
import type { Policy } from '../policy.ts';
import type { Rejection } from '../rejection.ts';
import type { Query, TaskTerms } from '../resources/task.ts';
import { groupOf, predicateOf } from './derivation.ts';
import { nearestName } from './nearest-name.ts';
import { refused, resolved, type Resolved } from './resolved.ts';

/** An attribute of the query with the canonical one behind it. */
export interface Derived {
  readonly attribute: QueryAttribute;
  readonly canonical: CanonicalAttribute;
}
export interface Resolution {
  readonly plan: Plan;
  /** Deprecated attributes (S7), as sentences. */
  readonly warnings: readonly string[];
}

/** The domain and its ancestors, nearest first (S4). */
const lineage = (catalogue: Catalogue, name: string): readonly string[] => {
  const names: string[] = [];
  let domain: Domain | undefined = catalogue.domains.find((d) => d.name === name);
  while (domain && !names.includes(domain.name)) {
    names.push(domain.name);
    const { parent } = domain;
    domain = catalogue.domains.find((d) => d.name === parent);
  }
  return names;
};

const stateRejection = (named: string, { state, successor }: QueryAttribute | CanonicalAttribute): Rejection | undefined => {
  if (state === 'proposed' || state === 'registered') return { code: 'UnknownAttribute', attribute: named };
  if (state !== 'retired' && state !== 'superseded') return undefined;
  return { code: 'AttributeRetired', attribute: named, ...(successor === undefined ? {} : { successor }) };
};
const unknownAttribute = (catalogue: Catalogue, attribute: string): Rejection => {
  const served = catalogue.queryAttributes.filter(({ state }) => state === 'active' || state === 'deprecated');
  const nearest = nearestName(
    attribute,
    served.map(({ name }) => name),
  );
  return { code: 'UnknownAttribute', attribute, ...(nearest === undefined ? {} : { nearest }) };
};

/** S4, S7: the attribute exists, is served, and it and its source belong to the query's domain or one above it. */
const derive = (catalogue: Catalogue, wanted: string, name: string): Resolved<Derived> => {
  const attribute = catalogue.queryAttributes.find((a) => a.name === name);
  if (!attribute) return refused(unknownAttribute(catalogue, name));
  const canonical = catalogue.canonicalAttributes.find((a) => a.name === attribute.derivation.from);
  if (!canonical) return refused({ code: 'UnknownAttribute', attribute: attribute.derivation.from });
  const retired = stateRejection(name, attribute) ?? stateRejection(name, canonical);
  if (retired) return refused(retired);
  const foreign = [attribute.domain, canonical.domain].find((domain) => !lineage(catalogue, wanted).includes(domain));
  if (foreign !== undefined) return refused({ code: 'CrossDomainNotApproved', attribute: name, domain: foreign, wanted });
  return resolved({ attribute, canonical });
};

/** S2: two predicates on one source could meet in a range finer than either may be. */
const combinedRejection = (derived: readonly Derived[]): Rejection | undefined => {
  const columns = derived.map(({ canonical }) => canonical.name);
  const twice = derived.find(({ canonical }, i) => columns.indexOf(canonical.name) !== i);
  if (!twice) return undefined;
  const problem = `${twice.canonical.name} is constrained twice, and their overlap could be finer than allowed; use one predicate`;
  return { code: 'PredicateInvalid', attribute: twice.attribute.name, problem };
};

const byColumn = (a: Plan['where'][number], b: Plan['where'][number]): number => (a[0]!.column < b[0]!.column ? -1 : 1);

/** All values, or the first rejection in order. */
const all = <T>(results: readonly Resolved<T>[]): Resolved<readonly T[]> => {
  const values: T[] = [];
  for (const result of results) {
    if (!result.ok) return result;
    values.push(result.value);
  }
  return resolved(values);
};

const resolveWhere = (catalogue: Catalogue, query: Query): Resolved<{ where: Plan['where']; used: readonly Derived[] }> => {
  const used = all(query.where.map(({ attribute }) => derive(catalogue, query.domain, attribute)));
  if (!used.ok) return used;
  const combined = combinedRejection(used.value);
  if (combined) return refused(combined);
  const where = all(query.where.map((predicate, i) => predicateOf(used.value[i]!.attribute, predicate)));
  return where.ok ? resolved({ where: where.value.toSorted(byColumn), used: used.value }) : where;
};

const ALL: Plan['group'] = { cells: [{ label: 'all' }] };
const resolveGroup = (catalogue: Catalogue, query: Query): Resolved<{ group: Plan['group']; used: readonly Derived[] }> => {
  if (query.groupBy === undefined) return resolved({ group: ALL, used: [] });
  const derived = derive(catalogue, query.domain, query.groupBy);
  if (!derived.ok) return derived;
  const group = groupOf(derived.value.attribute);
  return group.ok ? resolved({ group: group.value, used: [derived.value] }) : group;
};

const warningsOf = (used: readonly Derived[]): readonly string[] =>
  [...new Set(used.flatMap(({ attribute, canonical }) => [attribute, canonical]))]
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

/** `terms` are of a valid query (`specProblem`). A subject enters one cell (S8: k = 1): the slice clips to its first. */
export const resolveQuery = (terms: TaskTerms, catalogue: Catalogue, policy: Policy): Resolved<Resolution> => {
  const query = terms.query!;
  const domain = catalogue.domains.find(({ name }) => name === query.domain);
  if (!domain) return refused(unknownDomain(catalogue, query.domain));
  const where = resolveWhere(catalogue, query);
  if (!where.ok) return where;
  const group = resolveGroup(catalogue, query);
  if (!group.ok) return group;
  const epsilon = parseEpsilon(terms.privacy.epsilon);
  const plan: Plan = {
    domain: query.domain,
    usage: terms.usage,
    count: 'subjects',
    where: [...where.value.where],
    group: group.value.group,
    cellsPerSubject: 1,
    epsilon,
    microRho: rhoOfEpsilon(epsilon),
    // S5: the larger of the task's and the policy's.
    minimumResultCardinality: Math.max(terms.privacy.minimumResultCardinality, policy.privacy.minimumResultCardinality),
    overlapBound: domain.overlapBound,
  };
  return resolved({ plan, warnings: warningsOf([...where.value.used, ...group.value.used]) });
};
