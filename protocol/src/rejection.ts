/** Why not (rule T6): a stable code, the figures, and one sentence that says what to change. A code is written once, here. */
import { formatEpsilon, formatSym } from './amounts.ts';

export type Rejection =
  | { readonly code: 'SignatureInvalid'; readonly submitter: string }
  | { readonly code: 'AuthorizationMissing' }
  | { readonly code: 'AuthorizationExpired'; readonly expiry: string }
  | { readonly code: 'NonceReused'; readonly nonce: string }
  | { readonly code: 'ActorUnknown'; readonly submitter: string }
  | { readonly code: 'ActorNotActive'; readonly submitter: string }
  | { readonly code: 'RoleNotAllowed'; readonly submitter: string; readonly role: string }
  | { readonly code: 'PresenterNotAllowed'; readonly user: string; readonly submitter: string }
  | { readonly code: 'ClassNotSupported'; readonly class: string }
  | { readonly code: 'SpecInvalid'; readonly problem: string }
  | { readonly code: 'EscrowInsufficient'; readonly free: bigint; readonly locked: bigint; readonly needed: bigint }
  | { readonly code: 'EscrowReadingStale'; readonly ageMs: number; readonly limitMs: number }
  | { readonly code: 'FeeAboveMaximum'; readonly quote: bigint; readonly maximum: bigint }
  | { readonly code: 'EpsilonAboveMaximum'; readonly asked: bigint; readonly maximum: bigint }
  | { readonly code: 'UnknownDomain'; readonly domain: string; readonly nearest?: string }
  | { readonly code: 'UnknownAttribute'; readonly attribute: string; readonly nearest?: string }
  | { readonly code: 'UnknownBucket'; readonly attribute: string; readonly bucket: string; readonly known: readonly string[] }
  | { readonly code: 'AttributeRetired'; readonly attribute: string; readonly successor?: string }
  | { readonly code: 'CrossDomainNotApproved'; readonly attribute: string; readonly domain: string; readonly wanted: string }
  | { readonly code: 'VaultScopeMixed'; readonly attribute: string; readonly vault: string; readonly other: string }
  | { readonly code: 'PredicateInvalid'; readonly attribute: string; readonly problem: string }
  | { readonly code: 'GranularityExceeded'; readonly attribute: string; readonly asked: string; readonly finest: string }
  | { readonly code: 'NotGroupable'; readonly attribute: string }
  | { readonly code: 'NotMeasurable'; readonly attribute: string; readonly problem: string }
  | { readonly code: 'UsageNotOffered'; readonly usage: string; readonly domain: string; readonly offered: readonly string[] }
  | {
      readonly code: 'VaultRefused';
      readonly vaults: readonly { readonly vault: string; readonly code: string; readonly message: string }[];
    }
  | { readonly code: 'ActorNotPermitted'; readonly submitter: string; readonly vaults: readonly string[] }
  | {
      readonly code: 'BudgetExhausted';
      readonly vault: string;
      readonly usage: string;
      readonly limit: bigint;
      readonly asked: bigint;
      readonly left: bigint;
    }
  | { readonly code: 'QuorumUnreachable'; readonly quorum: number; readonly possible: number; readonly why: string }
  | { readonly code: 'NoAggregator' }
  | { readonly code: 'EnterpriseNotActive'; readonly vault: string }
  | { readonly code: 'AttestationInvalid'; readonly subject: string; readonly problem: string }
  | { readonly code: 'EvidenceInvalid'; readonly problem: string }
  | { readonly code: 'Cancelled' }
  | { readonly code: 'DeadlineExceeded'; readonly waitingFor: string };
export type RejectionCode = Rejection['code'];

const hint = (nearest: string | undefined): string => (nearest ? ` Did you mean ${nearest}?` : ' See kubectl get queryattributes.');

/** One sentence for a person: what is wrong, and what to change. Shown in conditions, events and the plugin. */
const explanations: { readonly [C in RejectionCode]: (r: Extract<Rejection, { code: C }>) => string } = {
  SignatureInvalid: (r) =>
    `The signature does not fit this spec, name and namespace for actor ${r.submitter}. Sign again with that actor's key: kubectl symphony submit -f.`,
  AuthorizationMissing: () => 'The task costs SYM but carries no authorization. Sign it: kubectl symphony sign -f task.yaml.',
  AuthorizationExpired: (r) => `The authorization expired at ${r.expiry}. Sign the task again.`,
  NonceReused: (r) => `The authorization's nonce ${r.nonce} was used before. Sign the task again; each signature works once.`,
  ActorUnknown: (r) => `No actor is registered at ${r.submitter}. Check spec.submitter, or register first.`,
  ActorNotActive: (r) => `Actor ${r.submitter} is not active. Ask governance to reinstate it.`,
  RoleNotAllowed: (r) => `Actor ${r.submitter} is a ${r.role}; only submitters and enterprises submit tasks. Name another spec.submitter.`,
  PresenterNotAllowed: (r) =>
    `Kubernetes user ${r.user || '(none)'} may not present tasks of actor ${r.submitter}. Use one of the users registered for that actor.`,
  ClassNotSupported: (r) => `Tasks of class ${r.class} are not served by this protocol version. Use class query.`,
  SpecInvalid: (r) => `The spec is not valid: ${r.problem}.`,
  EscrowInsufficient: (r) =>
    `maxFee needs ${formatSym(r.needed)} SYM, but the escrow has ${formatSym(r.free)} SYM free (${formatSym(r.locked)} locked by other tasks). Fund it: kubectl symphony fund, or lower spec.maxFee.`,
  EscrowReadingStale: (r) =>
    `The last decided escrow reading is ${r.ageMs} ms old, over the limit of ${r.limitMs} ms: the settlement chain is away. Submit again when kubectl get settlements moves.`,
  FeeAboveMaximum: (r) =>
    `The quote is ${formatSym(r.quote)} SYM, above spec.maxFee ${formatSym(r.maximum)} SYM. Raise maxFee or ask fewer Vaults.`,
  EpsilonAboveMaximum: (r) =>
    `spec.privacy.epsilon ${formatEpsilon(r.asked)} is above the policy's ${formatEpsilon(r.maximum)} a task. Lower epsilon.`,
  UnknownDomain: (r) => `There is no domain ${r.domain}.${hint(r.nearest)}`,
  UnknownAttribute: (r) => `There is no query attribute ${r.attribute}.${hint(r.nearest)}`,
  UnknownBucket: (r) => `Attribute ${r.attribute} has no bucket ${r.bucket}; it has ${r.known.slice(0, 20).join(', ')}.`,
  AttributeRetired: (r) => `Attribute ${r.attribute} is no longer served.${r.successor ? ` Use ${r.successor}.` : ''}`,
  CrossDomainNotApproved: (r) =>
    `Attribute ${r.attribute} needs values of domain ${r.domain} in a query of ${r.wanted}, and governance has not approved that. Leave it out, ask ${r.domain} itself, or propose it (approveCrossDomain).`,
  VaultScopeMixed: (r) =>
    `Attribute ${r.attribute} is Vault ${r.vault}'s own, and the query uses one of ${r.other} too; each can be asked by itself alone. Make two tasks.`,
  PredicateInvalid: (r) => `The predicate on ${r.attribute} is not valid: ${r.problem}.`,
  GranularityExceeded: (r) => `The predicate on ${r.attribute} asks for ${r.asked}; the finest allowed is ${r.finest}. Widen it.`,
  NotGroupable: (r) =>
    `Attribute ${r.attribute} can't be grouped by. Choose one whose GROUPABLE column is true: kubectl get queryattributes.`,
  NotMeasurable: (r) => `Attribute ${r.attribute} can't be measured so: ${r.problem}.`,
  UsageNotOffered: (r) =>
    `No Vault offers usage ${r.usage} for domain ${r.domain}; offered: ${r.offered.join(', ') || 'none'}. Change spec.usage.`,
  VaultRefused: (r) => `Vaults refused: ${r.vaults.map((v) => `${v.vault} (${v.code}: ${v.message})`).join('; ')}.`,
  ActorNotPermitted: (r) =>
    `Vaults ${r.vaults.join(', ')} do not permit actor ${r.submitter}. Ask their operators to list it in spec.actors.`,
  BudgetExhausted: (r) =>
    `Vault ${r.vault} has ${r.left} of ${r.limit} micro-rho left for ${r.usage}; the task asks for ${r.asked}. Lower epsilon, or wait for replenishment at an epoch boundary.`,
  QuorumUnreachable: (r) => `Only ${r.possible} Vaults can deliver, the quorum is ${r.quorum}: ${r.why}.`,
  NoAggregator: () => 'No enterprise other than the submitter contributes compute, so nobody may aggregate.',
  EnterpriseNotActive: (r) => `The enterprise of Vault ${r.vault} is not active.`,
  AttestationInvalid: (r) => `The attestation of ${r.subject} does not hold: ${r.problem}.`,
  EvidenceInvalid: (r) => `The evidence does not hold: ${r.problem}.`,
  Cancelled: () =>
    'The submitter deleted the task before enough Vaults had released output for a result; only what was released before is charged.',
  DeadlineExceeded: (r) => `The deadline passed while waiting for ${r.waitingFor}.`,
};
export const explain = <R extends Rejection>(rejection: R): string => (explanations[rejection.code] as (r: R) => string)(rejection);
export const rejectionCodes = Object.keys(explanations) as readonly RejectionCode[];
