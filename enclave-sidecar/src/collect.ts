/** What the aggregator takes from a slice (rules A5, B3, M2): only an output that opens the released commitment, with the released evidence. */
import {
  attestationFault,
  decodeSlicePayload,
  outputCommitment,
  outputLength,
  sliceBlobName,
  sliceEvidenceDigest,
  sliceOutputAad,
  statementFits,
  type Plan,
  type SlicePayload,
  type VaultPart,
} from '@scs/protocol';
import { open, unpackSealed } from '@scs/proto';
import { backOff } from './clock.ts';
import { EnclaveFault, errorKind } from './fault.ts';
import type { Session } from './session.ts';

export interface Collecting {
  readonly session: Session;
  readonly envelope: string;
  readonly plan: Plan;
}
/** A wrong blob is asked for again: its Vault may send a right one. After so many the Vault is named aloud. */
const PATIENCE = 6;

/** undefined when the payload is the one that the part's decided release speaks of. */
export const payloadProblem = (
  { output, evidence: signed }: SlicePayload,
  part: VaultPart,
  { session, envelope, plan }: Collecting,
): string | undefined => {
  const { evidence, signature } = signed;
  if (!part.release) return 'an output that was not released';
  if (outputCommitment(output) !== part.release.outputCommitment) return 'an output that does not open its released commitment';
  if (sliceEvidenceDigest(signed) !== part.release.evidence) return 'other evidence than its receipt names';
  if (evidence.vault !== part.vault || evidence.envelope !== envelope) return 'evidence of another slice';
  if (output.cells.length !== outputLength(plan)) return 'another number of cells than the plan has';
  if (!statementFits(evidence.signKey, 'slice.evidence', session.genesisDigest, evidence, signature))
    return 'evidence with a wrong signature';
  const { signKey, sealKey } = evidence;
  const identity = { genesis: session.genesisDigest, task: session.task, role: 'slice', subject: part.vault, signKey, sealKey } as const;
  return attestationFault(evidence.attestation, identity, session.genesis, session.genesis.policy)?.problem;
};

const openBlob = async (blob: Uint8Array, part: VaultPart, collecting: Collecting): Promise<SlicePayload> => {
  const { session, envelope } = collecting;
  const aad = sliceOutputAad(envelope, part.vault);
  const payload = decodeSlicePayload(await open(session.keys.sealPrivateKey(), 'slice-output', unpackSealed(blob), aad));
  const problem = payloadProblem(payload, part, collecting);
  if (problem) throw new EnclaveFault('EvidenceInvalid', `Vault ${part.vault} delivered ${problem}.`);
  return payload;
};

const unreadable = (vault: string, error: unknown): EnclaveFault =>
  error instanceof EnclaveFault
    ? error
    : new EnclaveFault('EvidenceInvalid', `Vault ${vault} delivered what does not open (${errorKind(error)}).`);

/** Waits for the part's blob; undefined when `wanted` aborts. Throws EnclaveFault EvidenceInvalid, naming the Vault. */
export const collectPart = async (part: VaultPart, collecting: Collecting, wanted: AbortSignal): Promise<SlicePayload | undefined> => {
  const { session } = collecting;
  const name = sliceBlobName(part.vault, session.keys.sealKey);
  let wrong = 0;
  for (let failures = 0; !wanted.aborted; failures++) {
    try {
      const blob = await session.masters.getBlob(session.task, name, { signal: wanted });
      if (blob) return await openBlob(blob, part, collecting);
    } catch (error) {
      if (wanted.aborted) return undefined;
      session.log.warn({ code: errorKind(error), vault: part.vault }, "a slice's output could not be taken; asking again");
      if (errorKind(error) !== 'MastersUnavailable' && ++wrong >= PATIENCE) throw unreadable(part.vault, error);
    }
    await backOff(failures, { ...session, capMs: 2_000 }, wanted);
  }
  return undefined;
};
