/**
 * The simulated enclave (rule A4): a chip whose key lies in a file, certified by a root that genesis names. Its reports have
 * AMD's layout, so all checks but the vendor's chain are the real ones. It proves nothing about the machine, and only a
 * genesis that says `simulated` accepts it.
 */
import { z } from 'zod';
import { reportData, type Attestation, type EnclaveIdentity } from './attestation.ts';
import { concat, fromHex, hex, utf8 } from './encoding/bytes.ts';
import { taggedHash } from './encoding/hash.ts';
import { publicKeyOf, sign } from './keys.ts';
import { encodeSnpReport, GUEST_POLICY, SNP_SIGNED_BYTES, snpReport, type SnpReport } from './snp-report.ts';

/** chip.json: `certificate` is the root's signature over `chipStatement`. */
export const SimulatedChip = z.strictObject({
  chipId: z.string().regex(/^[0-9a-f]{128}$/),
  seed: z.string().regex(/^[0-9a-f]{64}$/),
  certificate: z.string().regex(/^[0-9a-f]{128}$/),
});
export type SimulatedChip = z.infer<typeof SimulatedChip>;
export interface SimulatedRoot {
  readonly seed: string;
  /** For `genesis.enclave.root`. */
  readonly publicKey: string;
}

/** In AMD's table values above 1 are reserved, so a simulated report can't be taken for a real one. */
export const SIMULATED_ALGORITHM = 0x5343_5301;

export const chipStatement = (chipId: string, chipKey: string): Uint8Array => concat(utf8('SCS::chip'), fromHex(chipId), fromHex(chipKey));

/** `seed`: hex of 32 bytes. */
export const simulatedRoot = (seed: string): SimulatedRoot => ({ seed, publicKey: publicKeyOf(seed) });

/** The chip of one machine; `seed` (hex of 32 bytes) gives its key and its id. */
export const makeChip = (root: SimulatedRoot, seed: string): SimulatedChip => {
  const chipId = hex(concat(taggedHash('SCS::chip-id/0', fromHex(seed)), taggedHash('SCS::chip-id/1', fromHex(seed))));
  return { chipId, seed, certificate: sign(root.seed, chipStatement(chipId, publicKeyOf(seed))) };
};

/** What the simulated firmware signs; hex of 1,184 bytes. */
export const signReport = (chip: SimulatedChip, report: SnpReport): string => {
  const unsigned = encodeSnpReport({ ...report, signature: '0'.repeat(1024) }).subarray(0, SNP_SIGNED_BYTES);
  return hex(concat(unsigned, fromHex(sign(chip.seed, unsigned)), new Uint8Array(512 - 64)));
};

/** An attestation of `identity` by `chip`. `measurement`: hex of 48 bytes. `fields` overrides the report, for tests. */
export const attest = (chip: SimulatedChip, identity: EnclaveIdentity, measurement: string, fields: Partial<SnpReport> = {}): Attestation =>
  attestData(chip, reportData(identity), measurement, fields);

/** The same for any report_data, hex of 64 bytes. */
export const attestData = (chip: SimulatedChip, data: string, measurement: string, fields: Partial<SnpReport> = {}): Attestation => ({
  kind: 'simulated',
  report: signReport(
    chip,
    snpReport({
      policy: GUEST_POLICY.reservedOne,
      signatureAlgorithm: SIMULATED_ALGORITHM,
      reportData: data,
      measurement,
      chipId: chip.chipId,
      ...fields,
    }),
  ),
  collateral: [publicKeyOf(chip.seed), chip.certificate],
});
