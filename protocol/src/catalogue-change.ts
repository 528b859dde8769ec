/**
 * Changes of the semantic catalogue (rules S1, S3, S4, S7, G5): what masters approve, and what becomes of the catalogue. Nothing is ever
 * removed, and nothing that is in force changes its meaning: another meaning is another attribute, and a successor.
 *
 *     proposed -> registered -> active -> deprecated -> retired -> superseded
 */
import { z } from 'zod';
import { attributeStates, CanonicalAttribute, Domain, QueryAttribute, type Catalogue } from './catalogue.ts';
import { catalogueProblem } from './catalogue-problem.ts';

const name = z.string().min(1).max(100);
export const CatalogueChange = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('addDomain'), domain: Domain }),
  z.strictObject({ kind: z.literal('addCanonical'), attribute: CanonicalAttribute }),
  z.strictObject({ kind: z.literal('addQuery'), attribute: QueryAttribute }),
  /** S3: a local attribute becomes a canonical one, once enough Vaults of its domain report it by this name and type. */
  z.strictObject({ kind: z.literal('promote'), local: name, attribute: CanonicalAttribute }),
  /** S4: the query attribute may derive from a canonical one of domain `from`; said of the input's domain, so that approvers see it. */
  z.strictObject({ kind: z.literal('approveCrossDomain'), name, from: name, why: z.string().min(1).max(500) }),
  /** From then on it is refused again; tasks admitted before go on. */
  z.strictObject({ kind: z.literal('withdrawCrossDomain'), name, why: z.string().min(1).max(500) }),
  /** One step onwards in its life. To superseded it names what comes instead. */
  z.strictObject({
    kind: z.literal('move'),
    layer: z.enum(['canonical', 'query']),
    name,
    to: z.enum(attributeStates),
    successor: name.exactOptional(),
  }),
]);
export type CatalogueChange = z.infer<typeof CatalogueChange>;
type Move = Extract<CatalogueChange, { kind: 'move' }>;

/** Which state follows which (S1). */
export const nextState = (state: (typeof attributeStates)[number]): (typeof attributeStates)[number] | undefined =>
  attributeStates[attributeStates.indexOf(state) + 1];

export type Changed = { readonly ok: true; readonly catalogue: Catalogue } | { readonly ok: false; readonly problem: string };
const no = (problem: string): Changed => ({ ok: false, problem });

const moveIn = <A extends CanonicalAttribute | QueryAttribute>(
  layer: readonly A[],
  { name: of, to, successor }: Move,
): readonly A[] | string => {
  const found = layer.find((a) => a.name === of);
  if (!found) return `there is no attribute ${of} to move`;
  if (nextState(found.state) !== to)
    return `attribute ${of} is ${found.state}: ${nextState(found.state) ?? 'nothing'} comes next, not ${to}`;
  const names = successor ?? found.successor;
  return layer.map((a) => (a === found ? { ...a, state: to, ...(names !== undefined && { successor: names }) } : a));
};

type Crossing = Extract<CatalogueChange, { kind: 'approveCrossDomain' | 'withdrawCrossDomain' }>;
/** S4. What else an approval must be, `catalogueProblem` says. */
const withCrossing = (catalogue: Catalogue, change: Crossing): Changed => {
  const found = catalogue.queryAttributes.find(({ name: of }) => of === change.name);
  if (!found) return no(`there is no query attribute ${change.name} to approve`);
  const approved = change.kind === 'approveCrossDomain';
  const before = found.crossDomain;
  if ((before?.approved ?? false) === approved)
    return no(`attribute ${change.name} is ${approved ? 'approved already' : 'not approved, so nothing can be withdrawn'}`);
  const crossDomain = { from: approved ? change.from : before!.from, approved, why: change.why };
  const queryAttributes = catalogue.queryAttributes.map((a) => (a === found ? { ...a, crossDomain } : a));
  return { ok: true, catalogue: { ...catalogue, queryAttributes } };
};

const withChange = (catalogue: Catalogue, change: CatalogueChange): Changed => {
  switch (change.kind) {
    case 'addDomain':
      return { ok: true, catalogue: { ...catalogue, domains: [...catalogue.domains, change.domain] } };
    case 'addCanonical':
    case 'promote':
      if (change.attribute.state !== 'proposed') return no(`attribute ${change.attribute.name} begins as proposed`);
      return { ok: true, catalogue: { ...catalogue, canonicalAttributes: [...catalogue.canonicalAttributes, change.attribute] } };
    case 'addQuery':
      if (change.attribute.state !== 'proposed') return no(`attribute ${change.attribute.name} begins as proposed`);
      if (change.attribute.crossDomain)
        return no(`attribute ${change.attribute.name} begins unapproved: approveCrossDomain is a change of its own`);
      return { ok: true, catalogue: { ...catalogue, queryAttributes: [...catalogue.queryAttributes, change.attribute] } };
    case 'approveCrossDomain':
    case 'withdrawCrossDomain':
      return withCrossing(catalogue, change);
    case 'move': {
      const canonical = change.layer === 'canonical' ? moveIn(catalogue.canonicalAttributes, change) : catalogue.canonicalAttributes;
      const query = change.layer === 'query' ? moveIn(catalogue.queryAttributes, change) : catalogue.queryAttributes;
      if (typeof canonical === 'string') return no(canonical);
      if (typeof query === 'string') return no(query);
      return { ok: true, catalogue: { ...catalogue, canonicalAttributes: [...canonical], queryAttributes: [...query] } };
    }
  }
};

/** All changes in order, or why the catalogue would not be sound. Whether enough Vaults agree is for the rules to say. */
export const changed = (catalogue: Catalogue, changes: readonly CatalogueChange[]): Changed => {
  let next = catalogue;
  for (const change of changes) {
    const step = withChange(next, change);
    if (!step.ok) return step;
    next = step.catalogue;
  }
  const problem = catalogueProblem(next);
  return problem === undefined ? { ok: true, catalogue: next } : no(problem);
};
