/** What a task keeps of its enclaves' attestations, each some kilobytes (rules A3, A5, X1): all while it is dispatched, digests afterwards. */
import type { Attestation } from '../attestation.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { digest } from '../encoding/hash.ts';
import type { EnclaveRecord, TaskRecord } from '../state.ts';

const attestationDigest = (attestation: Attestation): string => digest('attestation', encodeCanonical(attestation));

const digested = ({ attestation, ...rest }: EnclaveRecord): EnclaveRecord =>
  attestation ? { ...rest, attested: attestationDigest(attestation) } : rest;

/** Whether this is the attestation that was decided with the enclave. */
export const isAttestedBy = (enclave: EnclaveRecord, attestation: Attestation): boolean => {
  const decided = enclave.attestation ? attestationDigest(enclave.attestation) : enclave.attested;
  return decided === attestationDigest(attestation);
};

/** For a task that is not dispatched any more. */
export const withoutAttestations = (task: TaskRecord): TaskRecord => ({
  ...task,
  parts: task.parts.map((part) => (part.enclave ? { ...part, enclave: digested(part.enclave) } : part)),
  ...(task.aggregatorEnclave && { aggregatorEnclave: digested(task.aggregatorEnclave) }),
});
