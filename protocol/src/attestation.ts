/**
 * Attestation (rules A1, A2, A4, A5): what an enclave proves of itself. The report is in AMD's SEV-SNP layout (1,184 bytes,
 * SEV-SNP ABI 1.55, table 22) for the simulated enclave too, so that parsing and binding checks are the real ones.
 */
import { z } from 'zod';
import { encodeCanonical } from './encoding/canonical.ts';
import { taggedHash } from './encoding/hash.ts';
import { hex, concat } from './encoding/bytes.ts';

export const Attestation = z.strictObject({
  kind: z.enum(['simulated', 'sev-snp', 'tdx']),
  /** Hex of the raw report. */
  report: z
    .string()
    .regex(/^([0-9a-f]{2})*$/)
    .max(32_768),
  /**
   * simulated: [hex Ed25519 public key of the chip, hex signature of the simulated root over SCS::chip || chip id || key];
   * sev-snp: PEM of VCEK, ASK. Collateral is part of the command (A5).
   */
  collateral: z.array(z.string().max(8192)).max(8),
});
export type Attestation = z.infer<typeof Attestation>;

export const enclaveRoles = ['slice', 'aggregator', 'review'] as const;
/** What report_data binds: the enclave's keys to the task, role and group it serves. */
export interface EnclaveIdentity {
  readonly genesis: string;
  readonly task: string;
  readonly role: (typeof enclaveRoles)[number];
  /** `namespace/name` of the Vault for a slice; the enterprise's address for an aggregator. */
  readonly subject: string;
  /** Ed25519 key that signs evidence, X25519 key that outputs are sealed to; hex. */
  readonly signKey: string;
  readonly sealKey: string;
}

/** What report_data binds of a master's trusted counter (N2, N8): its key to group, master and the log as it stood when it asked. */
export interface CounterIdentity {
  readonly genesis: string;
  readonly master: number;
  /** Ed25519 key of the counter, hex. */
  readonly key: string;
  /** A certified head that the master knew: an attestation from before it can't exist. Height 0 and the genesis digest at the start. */
  readonly height: bigint;
  readonly block: string;
}

/** 64 bytes of report_data: SHA3-256 of the identity, then 32 zero bytes. Hex. */
export const reportData = (identity: EnclaveIdentity): string =>
  hex(concat(taggedHash('SCS::enclave', encodeCanonical({ ...identity })), new Uint8Array(32)));
/** The same for a counter; hex. The tag keeps it apart from every slice's and aggregator's. */
export const counterReportData = ({ genesis, master, key, height, block }: CounterIdentity): string =>
  hex(concat(taggedHash('SCS::counter', encodeCanonical({ genesis, master, key, height, block })), new Uint8Array(32)));
