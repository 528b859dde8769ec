/** What a rule may see besides state and command (rule X2), and why a command may not be in a block. */
import type { Genesis } from '../genesis.ts';
import type { Policy } from '../policy.ts';

export interface RuleContext {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  /** Log time in milliseconds: the time of the block (T5). */
  readonly time: number;
  readonly height: bigint;
  /** Newest version of the protocol that the build carries, where that is not what this one says of itself. */
  readonly newest?: number;
}

export type FaultCode =
  | 'AlreadyDecided'
  | 'Conflicts'
  | 'TaskUnknown'
  | 'TaskNotInState'
  | 'TooLate'
  | 'NotDue'
  | 'SignatureInvalid'
  | 'VaultUnknown'
  | 'ActorUnknown'
  | 'EnterpriseNotActive'
  | 'NamespaceMismatch'
  | 'DomainUnknown'
  | 'DomainFull'
  | 'OfferInvalid'
  | 'RevisionNotNewer'
  | 'NotAsked'
  | 'ReservationMismatch'
  | 'JournalBehind'
  | 'EnvelopeMismatch'
  | 'EnclaveMissing'
  | 'EnclaveReplaced'
  | 'TooManyEnclaves'
  | 'AttestationInvalid'
  | 'EvidenceInvalid'
  | 'NotTheAggregator'
  | 'BatchMismatch'
  | 'ChangeInvalid'
  | 'NotAgreed'
  | 'ReadingBehind'
  | 'ProtocolVersionUnknown'
  | 'GenerationOver'
  | 'HeightMismatch'
  | 'ParentMismatch'
  | 'TimeBackwards';
/** A command with a fault may not be in a block: the proposer drops it, voters refuse the block. */
export interface Fault {
  readonly code: FaultCode;
  readonly message: string;
}
export const fault = (code: FaultCode, message: string): Fault => ({ code, message });

/**
 * The policy that a version number names (G1). Genesis holds the only version until proposals can add one; a state that names
 * another was not made by these rules, so this throws.
 */
export const policyOf = (genesis: Genesis, version: number): Policy => {
  if (genesis.policy.version !== version) throw new Error(`no policy version ${version}`);
  return genesis.policy;
};
