/** Whom a Vault gives data to (rules A2, A5, C5): the enclave that the certified record names, verified again by the Vault itself. */
import { attestationFault, fromHex, identityOf, parseSnpReport, type TaskRecord } from '@scs/protocol';
import { partOf } from './duty.ts';
import type { Judge } from './judge.ts';
import { refusal, type Refusal } from './refusal.ts';

export const enclaveRefusal = (
  record: TaskRecord,
  sealKey: string,
  { genesis, genesisDigest, manifest }: Judge,
  vault: string,
): Refusal | undefined => {
  const part = partOf(record, vault);
  if (record.state !== 'dispatched') return refusal('TooLate', `the task is ${record.state}`);
  if (!part || (part.state !== 'reserved' && part.state !== 'ready' && part.state !== 'released'))
    return refusal('TooLate', "this Vault's part of the task is not open");
  const { enclave } = part;
  if (!enclave) return refusal('EnclaveMissing', 'no enclave of this slice is certified yet');
  if (enclave.sealKey !== sealKey) return refusal('EnclaveReplaced', 'another enclave of this slice is certified');
  if (enclave.role !== 'slice' || enclave.task !== record.uid || enclave.subject !== vault)
    return refusal('AttestationInvalid', 'the certified enclave is of another slice');
  const { attestation } = enclave;
  if (!attestation) return refusal('AttestationInvalid', 'the certified enclave has no attestation');
  const bad = attestationFault(attestation, identityOf(enclave, genesisDigest), genesis, genesis.policy);
  if (bad) return refusal(bad.code, bad.problem);
  const measurement = parseSnpReport(fromHex(attestation.report))?.measurement;
  return manifest.measurements.length === 0 || (measurement !== undefined && manifest.measurements.includes(measurement))
    ? undefined
    : refusal(
        'AttestationInvalid',
        "the measurement is not in this Vault's spec.measurements: its operator may add it, once it is known to be the right program",
      );
};
