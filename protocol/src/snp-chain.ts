/**
 * From an SEV-SNP report to the vendor's root (rule A5): report <- VCEK (P-384, one chip at one TCB) <- ASK <- ARK, which
 * genesis pins. Validity dates are not read: the rules have no clock of their own here, and what withdraws a platform is the
 * policy's minimum TCB. VLEK-signed reports are refused: they name no chip.
 */
import { verify, X509Certificate } from 'node:crypto';
import { fromHex, hex } from './encoding/bytes.ts';
import { certificateExtensions, derOctets, derSmallInteger } from './encoding/der.ts';
import { SNP_SIGNED_BYTES, type SnpReport } from './snp-report.ts';

/** ECDSA P-384 with SHA-384, the only algorithm that the ABI defines. */
const ECDSA_P384 = 1;
/** VCEK certificate extensions (AMD, VCEK Certificate and KDS Interface Specification 1.00, table 8). */
const HARDWARE_ID = '1.3.6.1.4.1.3704.1.4';
const TCB = '1.3.6.1.4.1.3704.1.3';
/** Object identifier suffix -> byte of TCB_VERSION (Milan, Genoa: boot loader, TEE, SNP, microcode). */
const COMPONENTS: readonly (readonly [string, number])[] = [
  [`${TCB}.1`, 0],
  [`${TCB}.2`, 1],
  [`${TCB}.3`, 6],
  [`${TCB}.8`, 7],
];

/** One certificate in its one spelling: exactly what OpenSSL would write, so that no byte may differ unseen. */
const readCertificate = (pem: string): X509Certificate | undefined => {
  try {
    const certificate = new X509Certificate(pem);
    return certificate.toString() === pem ? certificate : undefined;
  } catch {
    return undefined; // Not a certificate: the caller says so.
  }
};

const issuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean => {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // A key that can't verify this signature has not made it.
  }
};

/** r and s: 72 bytes each, little endian, of which 48 are used; what follows them is zero. -> r || s, big endian. */
const rawSignature = (field: Uint8Array): Uint8Array | undefined => {
  const unused = [field.subarray(48, 72), field.subarray(120, 144), field.subarray(144)];
  if (unused.some((part) => part.some((byte) => byte !== 0))) return undefined;
  return Uint8Array.from([...field.subarray(0, 48).toReversed(), ...field.subarray(72, 120).toReversed()]);
};

const reportSignatureFits = (raw: Uint8Array, vcek: X509Certificate): boolean => {
  const signature = rawSignature(raw.subarray(SNP_SIGNED_BYTES));
  if (!signature) return false;
  try {
    return verify('sha384', raw.subarray(0, SNP_SIGNED_BYTES), { key: vcek.publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false; // A signature out of range does not fit.
  }
};

/** The VCEK is derived for one chip and one TCB: both must be the report's. */
const vcekProblem = (vcek: X509Certificate, report: SnpReport): string | undefined => {
  const extensions = certificateExtensions(vcek.raw);
  if (!extensions) return "the VCEK's extensions can't be read";
  const hardwareId = derOctets(extensions.get(HARDWARE_ID) ?? new Uint8Array(), 64);
  if (!hardwareId || hex(hardwareId) !== report.chipId) return "the VCEK is not this chip's";
  const differs = COMPONENTS.some(
    ([name, index]) =>
      derSmallInteger(extensions.get(name) ?? new Uint8Array()) !== Number((report.reportedTcb >> BigInt(8 * index)) & 0xffn),
  );
  return differs ? "the VCEK's TCB is not the report's" : undefined;
};

const isP384 = ({ publicKey }: X509Certificate): boolean =>
  publicKey.asymmetricKeyType === 'ec' && publicKey.asymmetricKeyDetails?.namedCurve === 'secp384r1';

/** undefined when `raw` is signed by the VCEK in `collateral` ([VCEK, ASK], PEM) under one of the pinned `roots` (ARK, PEM). Never throws. */
export const snpChainProblem = (
  raw: Uint8Array,
  report: SnpReport,
  collateral: readonly string[],
  roots: readonly string[],
): string | undefined => {
  if (report.signatureAlgorithm !== ECDSA_P384) return `signature algorithm ${report.signatureAlgorithm} is not ECDSA P-384`;
  if (report.keyFlags >> 2 !== 0) return 'the report is not signed by a VCEK';
  const [vcek, ask] = collateral.map(readCertificate);
  if (collateral.length !== 2 || !vcek || !ask) return 'collateral is not the VCEK and ASK certificates in PEM';
  const pinned = roots.map(readCertificate).filter((root) => root !== undefined);
  const trusted = pinned.some((ark) => issuedBy(ark, ark) && issuedBy(ask, ark));
  if (!trusted) return 'the ASK is not signed by a root that genesis pins';
  if (!issuedBy(vcek, ask)) return 'the VCEK is not signed by the ASK';
  if (!isP384(vcek)) return "the VCEK's key is not P-384";
  return vcekProblem(vcek, report) ?? (reportSignatureFits(raw, vcek) ? undefined : "the report's signature does not fit the VCEK");
};

/** For tests and tools: r || s (big endian, 96 bytes, hex) as AMD lays it out, hex of 512 bytes. */
export const snpSignatureField = (signature: string): string => {
  const both = fromHex(signature);
  const part = (from: number): string => hex(both.slice(from, from + 48).toReversed()) + '0'.repeat(48);
  return part(0) + part(48) + '0'.repeat(368 * 2);
};
