/** What a catalogue must be so that every task resolves by it, or is refused with a reason (rules S1, S2, S4, S7, S8). */
import { lineageOf, type CanonicalAttribute, type Catalogue, type Domain, type QueryAttribute } from './catalogue.ts';

/** Global domain, family, concrete domain, sub-domain (S4). */
const MOST_LEVELS = 4;

const twice = (names: readonly string[]): string | undefined => names.find((name, i) => names.indexOf(name) !== i);

const domainProblem = ({ domains }: Catalogue): string | undefined => {
  const known = new Map(domains.map((domain) => [domain.name, domain]));
  const roots = domains.filter(({ parent }) => parent === undefined);
  if (domains.length > 0 && roots.length !== 1) return `one domain, the global one, has no parent: not ${roots.length}`;
  const levels = (domain: Domain): number => {
    let count = 1;
    for (let at = domain; at.parent !== undefined && count <= MOST_LEVELS; count += 1) {
      const above = known.get(at.parent);
      if (!above) return Infinity;
      at = above;
    }
    return count;
  };
  const orphan = domains.find(({ parent }) => parent !== undefined && !known.has(parent));
  if (orphan) return `domain ${orphan.name} is below ${orphan.parent}, which there is not`;
  const deep = domains.find((domain) => levels(domain) > MOST_LEVELS);
  return deep && `domain ${deep.name} is below more than global domain, family and concrete domain, or below itself`;
};

const groupNames = ({ derivation }: QueryAttribute): readonly string[] => {
  switch (derivation.kind) {
    case 'bucket':
      return [...derivation.buckets.map(({ name }) => name), ...(derivation.otherwise === undefined ? [] : [derivation.otherwise])];
    case 'boolean':
      return ['true', 'false'];
    case 'threshold':
      return [derivation.below, ...derivation.bands.map(({ name }) => name)];
    case 'hash':
      return Array.from({ length: derivation.groups }, (_, i) => `${i}`);
    case 'aggregate':
      return [];
  }
};
/** Which kinds of values a derivation can begin from. */
const sourceTypes: { readonly [K in QueryAttribute['derivation']['kind']]: readonly CanonicalAttribute['type'][] } = {
  bucket: ['string', 'integer', 'date'],
  boolean: ['string', 'integer', 'date'],
  hash: ['string', 'integer', 'date'],
  threshold: ['integer'],
  aggregate: ['date', 'integer'],
};

/** What is wrong with a derivation from this source, as the end of a sentence. */
export const derivationProblem = (attribute: QueryAttribute, source: CanonicalAttribute): string | undefined => {
  const { derivation, granularity, groupable, measure } = attribute;
  const { kind } = derivation;
  if (!sourceTypes[kind].includes(source.type)) return `${kind} does not begin from a ${source.type}`;
  if (kind === 'aggregate' && (derivation.unit === 'day') !== (source.type === 'date'))
    return `unit ${derivation.unit} is not of a ${source.type}`;
  const bounds = kind === 'threshold' ? derivation.bands.map(({ atLeast }) => atLeast) : [];
  if (bounds.some((bound, i) => i > 0 && bound <= bounds[i - 1]!)) return 'its bands do not ascend';
  const groups = groupNames(attribute);
  const same = twice(groups);
  if (same !== undefined) return `two of its groups are named ${same}`;
  if (groups.length > 0 && (granularity.minimumBuckets ?? 1) > groups.length) return 'its granularity asks for more groups than it has';
  if (groupable && kind !== 'bucket' && kind !== 'boolean') return `kind ${kind} can't be grouped by`;
  return measure && !(kind === 'aggregate' && derivation.unit === 'number') ? 'only numbers are measured' : undefined;
};

/** S4: an approval is of the domain that the values are of, and of one that is not above anyway. */
const crossingProblem = (catalogue: Catalogue, { domain, crossDomain }: QueryAttribute, source: CanonicalAttribute): string | undefined => {
  if (!crossDomain) return undefined;
  if (crossDomain.from !== source.domain) return `it derives from domain ${source.domain}, its approval is for ${crossDomain.from}`;
  return lineageOf(catalogue, domain).includes(source.domain)
    ? `${source.domain} is its own domain or one above: no approval is needed`
    : undefined;
};

/** First problem, as a sentence; undefined when the catalogue is sound. */
export const catalogueProblem = (catalogue: Catalogue): string | undefined => {
  const { domains, canonicalAttributes, queryAttributes } = catalogue;
  const attributes = [...canonicalAttributes, ...queryAttributes];
  const same = twice(domains.map(({ name }) => name)) ?? twice(attributes.map(({ name }) => name));
  if (same !== undefined) return `two objects are named ${same}`;
  const domain = domainProblem(catalogue);
  if (domain !== undefined) return domain;
  const homeless = attributes.find((a) => !domains.some(({ name }) => name === a.domain));
  if (homeless) return `attribute ${homeless.name} is of domain ${homeless.domain}, which there is not`;
  const sources = new Map(canonicalAttributes.map((a) => [a.name, a]));
  for (const attribute of queryAttributes) {
    const source = sources.get(attribute.derivation.from);
    if (!source) return `attribute ${attribute.name} derives from ${attribute.derivation.from}, which there is not`;
    const problem = derivationProblem(attribute, source) ?? crossingProblem(catalogue, attribute, source);
    if (problem !== undefined) return `attribute ${attribute.name}: ${problem}`;
  }
  return successorProblem(canonicalAttributes) ?? successorProblem(queryAttributes);
};

/** S7: a successor is of the same layer, and following them ends. */
const successorProblem = (layer: readonly (CanonicalAttribute | QueryAttribute)[]): string | undefined => {
  const known = new Map<string, CanonicalAttribute | QueryAttribute>(layer.map((a) => [a.name, a]));
  for (const attribute of layer) {
    if (attribute.state === 'superseded' && attribute.successor === undefined) return `attribute ${attribute.name} is superseded by none`;
    const seen = new Set<string>();
    for (let at = attribute; at.successor !== undefined;) {
      const next = known.get(at.successor);
      if (!next) return `attribute ${at.name} is succeeded by ${at.successor}, which there is not`;
      if (seen.has(next.name)) return `attribute ${attribute.name} succeeds itself`;
      seen.add(next.name);
      at = next;
    }
  }
  return undefined;
};
