/**
 * The SEV-SNP attestation report (SEV-SNP firmware ABI 1.55, table 22): 1,184 bytes, little endian. Parsing is strict: every
 * reserved byte is zero and `encodeSnpReport(parseSnpReport(b))` gives b again, so that one report has one spelling (A5).
 */
import { concat, hex, fromHex } from './encoding/bytes.ts';

export const SNP_REPORT_BYTES = 0x4a0;
/** What the signature covers: the bytes before it. */
export const SNP_SIGNED_BYTES = 0x2a0;

export interface SnpReport {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: bigint;
  readonly familyId: string;
  readonly imageId: string;
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  readonly currentTcb: bigint;
  readonly platformInfo: bigint;
  /** Bit 0 author key, 1 masked chip key, 2-4 signing key (0 = VCEK). */
  readonly keyFlags: number;
  readonly reportData: string;
  readonly measurement: string;
  readonly hostData: string;
  readonly idKeyDigest: string;
  readonly authorKeyDigest: string;
  readonly reportId: string;
  readonly reportIdMa: string;
  readonly reportedTcb: bigint;
  /** Family, model, stepping; zero before version 3. */
  readonly cpuid: string;
  readonly chipId: string;
  readonly committedTcb: bigint;
  /** Build, minor, major of the running and of the committed firmware. */
  readonly currentVersion: string;
  readonly committedVersion: string;
  readonly launchTcb: bigint;
  /** Mitigation vectors at launch and now; zero before version 5. */
  readonly launchMitigations: bigint;
  readonly currentMitigations: bigint;
  /** The 512 bytes of the signature field. */
  readonly signature: string;
}

type Field =
  | { readonly kind: 'bytes' | 'u64' | 'u32'; readonly name: keyof SnpReport; readonly length: number }
  | { readonly kind: 'zero'; readonly length: number };
const bytes = (name: keyof SnpReport, length: number): Field => ({ kind: 'bytes', name, length });
const u32 = (name: keyof SnpReport): Field => ({ kind: 'u32', name, length: 4 });
const u64 = (name: keyof SnpReport): Field => ({ kind: 'u64', name, length: 8 });
const zero = (length: number): Field => ({ kind: 'zero', length });

/** The table, in order, without a gap. */
const layout: readonly Field[] = [
  u32('version'),
  u32('guestSvn'),
  u64('policy'),
  bytes('familyId', 16),
  bytes('imageId', 16),
  u32('vmpl'),
  u32('signatureAlgorithm'),
  u64('currentTcb'),
  u64('platformInfo'),
  u32('keyFlags'),
  zero(4),
  bytes('reportData', 64),
  bytes('measurement', 48),
  bytes('hostData', 32),
  bytes('idKeyDigest', 48),
  bytes('authorKeyDigest', 48),
  bytes('reportId', 32),
  bytes('reportIdMa', 32),
  u64('reportedTcb'),
  bytes('cpuid', 3),
  zero(21),
  bytes('chipId', 64),
  u64('committedTcb'),
  bytes('currentVersion', 3),
  zero(1),
  bytes('committedVersion', 3),
  zero(1),
  u64('launchTcb'),
  u64('launchMitigations'),
  u64('currentMitigations'),
  zero(152),
  bytes('signature', 512),
];

const readInteger = (at: Uint8Array): bigint => at.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n);
const writeInteger = (value: bigint, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

const readField = (field: Exclude<Field, { kind: 'zero' }>, at: Uint8Array): string | number | bigint => {
  if (field.kind === 'bytes') return hex(at);
  return field.kind === 'u64' ? readInteger(at) : Number(readInteger(at));
};

/** undefined for anything that is not exactly one report in its one spelling, versions 2 to 5. Never throws. */
export const parseSnpReport = (raw: Uint8Array): SnpReport | undefined => {
  if (raw.length !== SNP_REPORT_BYTES) return undefined;
  const fields: [string, string | number | bigint][] = [];
  let offset = 0;
  for (const field of layout) {
    const at = raw.subarray(offset, offset + field.length);
    offset += field.length;
    if (field.kind !== 'zero') fields.push([field.name, readField(field, at)]);
    else if (at.some((byte) => byte !== 0)) return undefined;
  }
  const report = Object.fromEntries(fields) as unknown;
  return isReport(report) && fitsItsVersion(report) ? report : undefined;
};

const isReport = (value: unknown): value is SnpReport =>
  typeof value === 'object' && value !== null && layout.every((f) => f.kind === 'zero' || f.name in value);

/** Fields that a version does not have are zero in it. */
const fitsItsVersion = (report: SnpReport): boolean => {
  if (report.version < 2 || report.version > 5) return false;
  if (report.version < 3 && report.cpuid !== '000000') return false;
  return report.version >= 5 || (report.launchMitigations === 0n && report.currentMitigations === 0n);
};

/** Throws RangeError when a field does not fit its place. */
export const encodeSnpReport = (report: SnpReport): Uint8Array =>
  concat(
    ...layout.map((field) => {
      if (field.kind === 'zero') return new Uint8Array(field.length);
      const value = report[field.name];
      const part = typeof value === 'string' ? fromHex(value) : writeInteger(BigInt(value), field.length);
      if (part.length !== field.length || (typeof value !== 'string' && readInteger(part) !== BigInt(value)))
        throw new RangeError(`${field.name} does not fit ${field.length} bytes`);
      return part;
    }),
  );

/** A report of zeros at version 2 with the given fields: for the simulated enclave and for tests. */
export const snpReport = (fields: Partial<SnpReport>): SnpReport => {
  const parsed = parseSnpReport(concat(Uint8Array.of(2), new Uint8Array(SNP_REPORT_BYTES - 1)));
  if (!parsed) throw new Error('the zero report parses');
  return { ...parsed, ...fields };
};

/** TCB_VERSION component by component (byte by byte): none may be below, whatever the others are. */
export const tcbReaches = (tcb: bigint, minimum: bigint): boolean =>
  Array.from({ length: 8 }, (_, i) => BigInt(8 * i)).every((shift) => ((tcb >> shift) & 0xffn) >= ((minimum >> shift) & 0xffn));

const bit = (n: number): bigint => 1n << BigInt(n);
/** Guest policy: bits 0-15 ABI version, 16 SMT, 17 always 1, 18 migration agent, 19 debug, 20 single socket, 21-25 features. */
export const GUEST_POLICY = { reservedOne: bit(17), migration: bit(18), debug: bit(19), defined: bit(26) - 1n } as const;
