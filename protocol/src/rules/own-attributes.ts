/**
 * Own attributes of a Vault in the log (rules S1, S3, S6, S7): its enterprise says them with the Vault's offer. What it says takes
 * effect with the next epoch, so that resolution depends on nothing but the epoch of admission; definitions never change, nothing is
 * removed, and lives only go onwards. Record `own/<namespace>/<name>`.
 */
import { attributeStates } from '../catalogue.ts';
import type { VaultOffer } from '../commands.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { ownDerived, type OwnAttributeRecord, type OwnAttributesRecord } from '../own-attributes.ts';
import type { OwnAttribute } from '../resources/own-attribute.ts';

/** Retired ones among them: they stay, so that no name gets another meaning. */
const MOST_EVER = 64;
const MAX_BYTES = 64 * 1024;

export type OwnAfter =
  { readonly ok: true; readonly record: OwnAttributesRecord | undefined } | { readonly ok: false; readonly problem: string };
const no = (problem: string): OwnAfter => ({ ok: false, problem });

const stepOf = (state: OwnAttribute['state']): number => attributeStates.indexOf(state);
const lastState = ({ life }: OwnAttributeRecord): OwnAttribute['state'] => life.at(-1)!.state;

/** What is said of it can change, what it means can't. */
const meaning = ({ successor: _successor, description: _description, ...rest }: OwnAttributeRecord['definition']): Uint8Array =>
  encodeCanonical(rest);

const lived = (record: OwnAttributeRecord, state: OwnAttribute['state'], epoch: number): OwnAttributeRecord =>
  lastState(record) === state ? record : { ...record, life: [...record.life, { state, epoch }] };
/** What took effect so far: what was said in this epoch may still be said otherwise. */
const inEffect = (known: OwnAttributesRecord | undefined, epoch: number): readonly OwnAttributeRecord[] =>
  (known?.attributes ?? []).flatMap((record) => {
    const life = record.life.filter((entry) => entry.epoch < epoch);
    return life.length === 0 ? [] : [{ ...record, life }];
  });

const withNext = (known: OwnAttributeRecord | undefined, said: OwnAttribute, epoch: number): OwnAttributeRecord | string => {
  const { state, ...definition } = said;
  if (!known) return { definition, life: [{ state, epoch }] };
  if (!equalBytes(meaning(known.definition), meaning(definition)))
    return `attribute ${said.name} keeps its meaning for good: give the new one another name`;
  const before = lastState(known);
  if (stepOf(state) < stepOf(before)) return `attribute ${said.name} is ${before}, and no life goes back to ${state}: give it another name`;
  return lived({ definition, life: known.life }, state, epoch);
};
/** Left out of the manifest: no longer served, its name taken for good. */
const leftOut = (known: OwnAttributeRecord, epoch: number): OwnAttributeRecord =>
  stepOf(lastState(known)) < stepOf('retired') ? lived(known, 'retired', epoch) : known;

const saidProblem = ({ vault, domains, attributes = [] }: VaultOffer): string | undefined => {
  const names = attributes.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return `attribute ${twice} is there twice`;
  for (const { state, ...definition } of attributes) {
    const { name, domain, successor } = definition;
    if (!domains.some((offered) => offered.name === domain)) return `attribute ${name} is of domain ${domain}, which is not offered`;
    if (successor !== undefined && (successor === name || !names.includes(successor)))
      return `attribute ${name} is succeeded by ${successor}, which there is not`;
    if (state === 'superseded' && successor === undefined) return `attribute ${name} is superseded by none`;
    const derived = ownDerived(vault, definition, state);
    if (typeof derived === 'string') return derived;
  }
  return undefined;
};

/** The record after an offer that is decided in the epoch before `epoch`; undefined while there is nothing to record. */
export const ownAfter = (known: OwnAttributesRecord | undefined, offer: VaultOffer, epoch: number): OwnAfter => {
  const said = offer.attributes ?? [];
  if (!known && said.length === 0) return { ok: true, record: undefined };
  const problem = saidProblem(offer);
  if (problem !== undefined) return no(problem);
  const before = new Map(inEffect(known, epoch).map((record) => [record.definition.name, record]));
  const attributes: OwnAttributeRecord[] = [];
  for (const attribute of said) {
    const next = withNext(before.get(attribute.name), attribute, epoch);
    if (typeof next === 'string') return no(next);
    attributes.push(next);
    before.delete(attribute.name);
  }
  for (const record of before.values()) attributes.push(leftOut(record, epoch));
  if (attributes.length > MOST_EVER) return no(`a Vault has at most ${MOST_EVER} attributes of its own, retired ones among them`);
  const record = { attributes: attributes.toSorted((a, b) => (a.definition.name < b.definition.name ? -1 : 1)) };
  return encodeCanonical(record).length <= MAX_BYTES
    ? { ok: true, record }
    : no(`the Vault's own attributes take more than ${MAX_BYTES} bytes`);
};
