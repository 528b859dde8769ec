/**
 * vault.register (rules N3, S3, B1, B6, C5): what an enterprise's agent says of a Vault, signed by the enterprise's actor key. A
 * revision counts upwards, so that an old offer can't come back; the noise key's commitment and the enterprise never change.
 */
import type { Command, VaultOffer } from '../commands.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { statementFits } from '../evidence.ts';
import type { VaultRecord } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { journalFault, noteJournal } from './journal.ts';
import { ownAfter } from './own-attributes.ts';
import { catalogueInForce } from './semantics.ts';
import { joinedIndex, offeringIndex } from './vault-selection.ts';

type Register = Extract<Command, { type: 'vault.register' }>;

const enterpriseFault = (draft: Draft, { offer, signature }: Register, ctx: RuleContext): Fault | undefined => {
  const actor = draft.get('actor', offer.enterprise);
  if (!actor?.enterprise) return fault('ActorUnknown', `${offer.enterprise} is no registered enterprise`);
  if (actor.state !== 'active') return fault('EnterpriseNotActive', `enterprise ${offer.enterprise} is ${actor.state}`);
  const namespace = offer.vault.split('/')[0];
  if (namespace !== actor.enterprise.namespace)
    return fault('NamespaceMismatch', `Vault ${offer.vault} is outside its enterprise's namespace ${actor.enterprise.namespace}`);
  return statementFits(actor.publicKey, 'vault.register', ctx.genesisDigest, offer, signature)
    ? undefined
    : fault('SignatureInvalid', `the offer of ${offer.vault} is not signed by its enterprise`);
};

/** The journal moves on by itself, so it doesn't tell two offers apart. */
const offerBytes = (offer: VaultOffer | VaultRecord): Uint8Array => encodeCanonical({ ...offer, journal: null, registeredAt: null });
const sameOffer = (known: VaultRecord, offer: VaultOffer): boolean => equalBytes(offerBytes(known), offerBytes(offer));
const revisionFault = (known: VaultRecord, offer: VaultOffer): Fault | undefined => {
  if (offer.revision > known.revision) {
    const kept = offer.enterprise === known.enterprise && offer.noiseKeyCommitment === known.noiseKeyCommitment;
    return kept ? undefined : fault('OfferInvalid', `enterprise and noise key of ${offer.vault} can't change; register another Vault`);
  }
  if (offer.revision < known.revision) return fault('RevisionNotNewer', `revision ${known.revision} of ${offer.vault} is decided`);
  return sameOffer(known, offer)
    ? fault('AlreadyDecided', `revision ${offer.revision} of ${offer.vault} is decided`)
    : fault('Conflicts', `revision ${offer.revision} of ${offer.vault} was decided with another offer`);
};

/** B1: a Vault beyond the overlap bound does not join. One that left keeps its place: its subjects' budgets were spent there. */
const domainFault = (draft: Draft, vault: string, name: string): Fault | undefined => {
  const domain = catalogueInForce(draft).domains.find((d) => d.name === name);
  if (!domain) return fault('DomainUnknown', `there is no domain ${name}`);
  const joined = draft.get('index', joinedIndex(name)) ?? [];
  return joined.includes(vault) || joined.length < domain.overlapBound
    ? undefined
    : fault('DomainFull', `domain ${name} takes at most ${domain.overlapBound} Vaults`);
};
const offerFault = (draft: Draft, offer: VaultOffer, ctx: RuleContext): Fault | undefined => {
  const names = domainNames(offer);
  if (new Set(names).size !== names.length) return fault('OfferInvalid', `${offer.vault} names a domain twice`);
  const limited = (offer.limits ?? []).map(({ usage }) => usage);
  if (new Set(limited).size !== limited.length) return fault('OfferInvalid', `${offer.vault} limits a usage twice`);
  const { perSizeBand } = policyOf(ctx.genesis, draft.must('meta').policyVersion).fees.query;
  if (offer.sizeBand >= perSizeBand.length) return fault('OfferInvalid', `size band ${offer.sizeBand} has no price`);
  for (const name of names) {
    const found = domainFault(draft, offer.vault, name);
    if (found) return found;
  }
  return undefined;
};

const indexed = (list: readonly string[], name: string): readonly string[] => (list.includes(name) ? list : [...list, name].toSorted());
const changeIndex = (draft: Draft, vault: string, before: readonly string[], now: readonly string[]): void => {
  for (const name of before.filter((n) => !now.includes(n)))
    draft.put(
      'index',
      offeringIndex(name),
      draft.must('index', offeringIndex(name)).filter((v) => v !== vault),
    );
  for (const name of now)
    for (const index of [offeringIndex(name), joinedIndex(name)])
      draft.put('index', index, indexed(draft.get('index', index) ?? [], vault));
};

const domainNames = (offer: VaultOffer | undefined): readonly string[] => (offer?.domains ?? []).map(({ name }) => name);

export const registerVault = (draft: Draft, command: Register, ctx: RuleContext): Fault | undefined => {
  const { offer } = command;
  const known = draft.get('vault', offer.vault);
  const found =
    enterpriseFault(draft, command, ctx) ??
    (known && revisionFault(known, offer)) ??
    offerFault(draft, offer, ctx) ??
    journalFault(draft, offer.vault, offer.journal);
  if (found) return found;
  const own = ownAfter(draft.get('own', offer.vault), offer, draft.must('meta').epoch + 1);
  if (!own.ok) return fault('OfferInvalid', own.problem);
  if (own.record) draft.put('own', offer.vault, own.record);
  changeIndex(draft, offer.vault, domainNames(known), domainNames(offer));
  draft.put('vault', offer.vault, { ...offer, registeredAt: ctx.height });
  noteJournal(draft, offer.vault, offer.journal);
  return undefined;
};
