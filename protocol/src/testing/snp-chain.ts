/** A vendor's chain as AMD's looks (ARK and ASK RSA-PSS, VCEK P-384 with AMD's extensions), made afresh for tests. */
import { constants, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { reportData, type Attestation, type EnclaveIdentity } from '../attestation.ts';
import { concat, fromHex, hex, utf8 } from '../encoding/bytes.ts';
import { snpSignatureField } from '../snp-chain.ts';
import { encodeSnpReport, GUEST_POLICY, SNP_SIGNED_BYTES, snpReport, type SnpReport } from '../snp-report.ts';

const der = (tag: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const value = concat(...parts);
  const length =
    value.length < 0x80 ? [value.length] : value.length < 0x100 ? [0x81, value.length] : [0x82, value.length >> 8, value.length & 0xff];
  return concat(Uint8Array.of(tag, ...length), value);
};
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const oid = (dotted: string): Uint8Array => {
  const [a = 0, b = 0, ...rest] = dotted.split('.').map(Number);
  const base128 = (n: number): number[] => (n < 128 ? [n] : [...base128(n >> 7).map((x) => x | 0x80), n & 0x7f]);
  return der(0x06, Uint8Array.from([a * 40 + b, ...rest.flatMap(base128)]));
};
const integer = (n: number) => der(0x02, Uint8Array.of(n));
const extension = (id: string, critical: boolean, value: Uint8Array) =>
  sequence(oid(id), ...(critical ? [der(0x01, Uint8Array.of(0xff))] : []), der(0x04, value));
const commonName = (name: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, utf8(name)))));

const sha384 = sequence(oid('2.16.840.1.101.3.4.2.2'), der(0x05));
/** RSASSA-PSS with SHA-384, MGF1 with SHA-384, salt of 48 bytes. */
const pss = sequence(
  oid('1.2.840.113549.1.1.10'),
  sequence(der(0xa0, sha384), der(0xa1, sequence(oid('1.2.840.113549.1.1.8'), sha384)), der(0xa2, integer(48))),
);

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
const pemOf = (raw: Uint8Array): string => new X509Certificate(raw).toString();
const certificate = (subject: string, key: KeyObject, issuer: string, issuerKey: KeyObject, extensions: readonly Uint8Array[]): string => {
  const body = sequence(
    der(0xa0, integer(2)),
    integer(1),
    pss,
    commonName(issuer),
    sequence(der(0x17, utf8('250101000000Z')), der(0x17, utf8('490101000000Z'))),
    commonName(subject),
    key.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(...extensions)),
  );
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 };
  const signature = sign('sha384', body, { key: issuerKey, ...padding });
  return pemOf(sequence(body, pss, der(0x03, Uint8Array.of(0), signature)));
};
const authority = extension('2.5.29.19', true, sequence(der(0x01, Uint8Array.of(0xff))));
const tcbExtensions = (tcb: bigint) =>
  [
    ['1', 0n],
    ['2', 8n],
    ['3', 48n],
    ['8', 56n],
  ].map(([suffix, shift]) => {
    const value = Number((tcb >> BigInt(shift!)) & 0xffn);
    return extension(`1.3.6.1.4.1.3704.1.3.${suffix}`, false, value < 128 ? integer(value) : der(0x02, Uint8Array.of(0, value)));
  });

export interface TestChain {
  readonly root: string;
  readonly collateral: readonly [vcek: string, ask: string];
  readonly chipId: string;
  readonly tcb: bigint;
  readonly key: KeyObject;
}

/** `bits` of the RSA keys: AMD's have 4096, tests need no more than 2048. */
export const testChain = (chipId: string, tcb: bigint, bits = 2048): TestChain => {
  const rsa = (): Keys => generateKeyPairSync('rsa', { modulusLength: bits });
  const ark = rsa();
  const ask = rsa();
  const vcek = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  const ids = [...tcbExtensions(tcb), extension('1.3.6.1.4.1.3704.1.4', false, fromHex(chipId))];
  return {
    root: certificate('ARK-Test', ark.publicKey, 'ARK-Test', ark.privateKey, [authority]),
    collateral: [
      certificate('SEV-VCEK', vcek.publicKey, 'SEV-Test', ask.privateKey, ids),
      certificate('SEV-Test', ask.publicKey, 'ARK-Test', ark.privateKey, [authority]),
    ],
    chipId,
    tcb,
    key: vcek.privateKey,
  };
};

/** A genuine-looking attestation by the chain's chip. */
export const attestSnp = (
  chain: TestChain,
  identity: EnclaveIdentity,
  measurement: string,
  fields: Partial<SnpReport> = {},
): Attestation => {
  const report = snpReport({
    policy: GUEST_POLICY.reservedOne,
    signatureAlgorithm: 1,
    reportData: reportData(identity),
    measurement,
    hostData: 'aa'.repeat(32),
    chipId: chain.chipId,
    reportedTcb: chain.tcb,
    currentTcb: chain.tcb,
    committedTcb: chain.tcb,
    launchTcb: chain.tcb,
    ...fields,
  });
  const unsigned = encodeSnpReport(report).subarray(0, SNP_SIGNED_BYTES);
  const signature = sign('sha384', unsigned, { key: chain.key, dsaEncoding: 'ieee-p1363' });
  return { kind: 'sev-snp', report: hex(unsigned) + snpSignatureField(hex(signature)), collateral: [...chain.collateral] };
};
