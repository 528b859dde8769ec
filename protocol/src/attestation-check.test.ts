import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { attestationFault } from './attestation-check.ts';
import type { Attestation, EnclaveIdentity } from './attestation.ts';
import { fromHex, hex } from './encoding/bytes.ts';
import { certificateExtensions, derNodes } from './encoding/der.ts';
import type { Genesis } from './genesis.ts';
import type { Policy } from './policy.ts';
import { attest, makeChip, simulatedRoot } from './simulated-enclave.ts';
import { encodeSnpReport, GUEST_POLICY, parseSnpReport, SNP_REPORT_BYTES, snpReport, tcbReaches, type SnpReport } from './snp-report.ts';
import { attestSnp, testChain } from './testing/snp-chain.ts';

const key = (byte: string) => byte.repeat(32);
const address = `0x${key('0a')}`;
const measurement = '5c'.repeat(48);
const root = simulatedRoot(key('01'));
const chip = makeChip(root, key('02'));
const identity: EnclaveIdentity = {
  genesis: key('99'),
  task: 'uid-1',
  role: 'slice',
  subject: 'grocer-a/store',
  signKey: key('0b'),
  sealKey: key('0c'),
};
const chain = testChain('c1'.repeat(64), 0xd3_18_00_00_00_00_02_04n);

const policyWith = (enclave: Partial<Policy['enclave']> = {}): Policy => ({
  version: 1,
  fees: {
    query: { base: 1n, perVault: 1n, perSizeBand: [1n], perEpsilon: 1n },
    shares: { operators: 10_000, executors: 0, verifiers: 0, dividends: 0, treasury: 0 },
  },
  privacy: { minimumResultCardinality: 1, maxEpsilonPerTask: 1n, subjectLimitMicroRho: limits(), actorShareBasisPoints: 1 },
  windows: {
    answerMs: 100,
    executionMs: 100,
    verificationMs: 100,
    challengeMs: 100,
    clockBoundMs: 1,
    maxTaskMs: 100,
    aggregatorReplaceMs: 100,
  },
  settlement: { maxTasks: 1, maxDelayMs: 100, maxEscrowAgeMs: 100 },
  epoch: { lengthMs: 100 },
  enclave: { measurements: [measurement], minimumTcb: 0n, ...enclave },
});
const limits = () => ({ personal: 1n, marketing: 1n, analytics: 1n, training: 1n });
const genesisWith = (enclave: Genesis['enclave'], chips?: string[]): Genesis => ({
  protocolVersion: 1,
  name: 'test',
  time: 0,
  masters: [],
  recoveryKeys: [],
  policy: policyWith(),
  actors: [
    {
      address,
      publicKey: key('0d'),
      role: 'enterprise',
      name: 'grocer-a',
      state: 'active',
      kubernetesUsers: [],
      allocation: 0n,
      enterprise: { namespace: 'grocer-a', tlsAuthority: '', contributesCompute: true, ...(chips && { chips }) },
    },
  ],
  catalogue: { domains: [], canonicalAttributes: [], queryAttributes: [] },
  chain: { chainId: 4, contract: address, treasuryReserve: 0n, escrowDelaySeconds: 31_536_000n, escrowWindowSeconds: 3600n },
  enclave,
});
const simulated = genesisWith({ kind: 'simulated', root: root.publicKey });
const hardware = genesisWith({ kind: 'hardware', roots: [chain.root] }, [chain.chipId]);
const hardwarePolicy = policyWith({ hostData: ['aa'.repeat(32)], minimumTcb: 0xd0_10_00_00_00_00_01_04n });

const problem = (attestation: Attestation, genesis = simulated, policy = policyWith(), who = identity): string | undefined =>
  attestationFault(attestation, who, genesis, policy)?.problem;
const flipByte = (text: string, index: number): string => {
  const bytes = fromHex(text);
  bytes[index]! ^= 1;
  return hex(bytes);
};

describe('simulated enclaves', () => {
  test('A4: a simulated enclave holds where genesis says so, and nowhere else', () => {
    const attestation = attest(chip, identity, measurement);
    expect(problem(attestation)).toBeUndefined();
    expect(attestationFault(attestation, identity, hardware, policyWith())).toEqual({
      code: 'AttestationInvalid',
      subject: 'grocer-a/store',
      problem: 'a simulated enclave, but genesis asks for hardware',
    });
  });

  test('A1: the keys, task, role, subject and group are bound', () => {
    const attestation = attest(chip, identity, measurement);
    const others: Partial<EnclaveIdentity>[] = [
      { genesis: key('98') },
      { task: 'uid-2' },
      { role: 'aggregator' },
      { subject: 'grocer-b/store' },
      { signKey: key('0e') },
      { sealKey: key('0e') },
    ];
    for (const other of others) expect(problem(attestation, simulated, policyWith(), { ...identity, ...other })).toMatch(/does not bind/);
  });

  const cases: readonly [rule: string, what: string, fields: Partial<SnpReport>, expected: RegExp][] = [
    ['A2', 'debug', { policy: GUEST_POLICY.reservedOne | GUEST_POLICY.debug }, /allows debugging/],
    ['A2', 'migration', { policy: GUEST_POLICY.reservedOne | GUEST_POLICY.migration }, /allows migration/],
    ['A2', 'reserved policy bit clear', { policy: 0n }, /reserved bits/],
    ['A2', 'reserved policy bit set', { policy: GUEST_POLICY.reservedOne | (1n << 40n) }, /reserved bits/],
    ['A2', 'other privilege level', { vmpl: 1 }, /VMPL 1/],
    ['A5', 'other measurement', { measurement: '5d'.repeat(48) }, /measurement/],
    ['A2', 'host data', { hostData: 'bb'.repeat(32) }, /HOST_DATA/],
    ['A2', 'masked chip', { keyFlags: 2 }, /masked/],
    ['A2', 'no chip', { chipId: '0'.repeat(128) }, /masked/],
    ['A2', "another chip's id", { chipId: 'ee'.repeat(64) }, /certificate is not signed/],
    ['A5', 'claims the real algorithm', { signatureAlgorithm: 1 }, /not the simulated one/],
  ];
  test.each(cases)('%s: %s is refused', (_rule, _what, fields, expected) => {
    expect(problem(attest(chip, identity, measurement, fields))).toMatch(expected);
  });

  test('A5: each component of the TCB counts for itself, in all four places', () => {
    const policy = policyWith({ minimumTcb: 0x0200_0000_0000_0001n });
    const all = (tcb: bigint) => ({ reportedTcb: tcb, currentTcb: tcb, committedTcb: tcb, launchTcb: tcb });
    expect(problem(attest(chip, identity, measurement, all(0x0200_0000_0000_0001n)), simulated, policy)).toBeUndefined();
    expect(problem(attest(chip, identity, measurement, all(0xff00_0000_0000_0000n)), simulated, policy)).toMatch(/TCB/);
    const low = { ...all(0x0200_0000_0000_0001n), launchTcb: 0x0100_0000_0000_0001n };
    expect(problem(attest(chip, identity, measurement, low), simulated, policy)).toMatch(/TCB/);
  });

  test('A4: chip of another root, other chip key, more collateral', () => {
    const stranger = makeChip(simulatedRoot(key('05')), key('02'));
    expect(problem(attest(stranger, identity, measurement))).toMatch(/not signed by the simulated root/);
    const good = attest(chip, identity, measurement);
    expect(problem({ ...good, collateral: [key('00'), good.collateral[1]!] })).toMatch(/not signed by the simulated root/);
    expect(problem({ ...good, collateral: [...good.collateral, ''] })).toMatch(/collateral/);
    expect(problem({ ...good, collateral: [] })).toMatch(/collateral/);
  });

  test('A5: every altered byte of the report is refused', () => {
    const good = attest(chip, identity, measurement);
    for (let i = 0; i < SNP_REPORT_BYTES; i++) expect(problem({ ...good, report: flipByte(good.report, i) }), `byte ${i}`).toBeDefined();
  });

  test('A2: where chips are registered, only those count', () => {
    const registered = (chips: string[]) => genesisWith({ kind: 'simulated', root: root.publicKey }, chips);
    const good = attest(chip, identity, measurement);
    expect(problem(good, registered([chip.chipId]))).toBeUndefined();
    expect(problem(good, registered(['dd'.repeat(64)]))).toMatch(/not registered/);
  });
});

describe('SEV-SNP', () => {
  const good = attestSnp(chain, identity, measurement);

  test('A5: a full chain holds', () => {
    expect(problem(good, hardware, hardwarePolicy)).toBeUndefined();
  });

  test('A5: every altered byte of the report is refused', () => {
    for (let i = 0; i < SNP_REPORT_BYTES; i++)
      expect(problem({ ...good, report: flipByte(good.report, i) }, hardware, hardwarePolicy), `byte ${i}`).toBeDefined();
  });

  test.each([0, 1])('A5: every altered byte of certificate %i is refused, in DER and in PEM', (which) => {
    const pem = good.collateral[which]!;
    const replaced = (text: string): Attestation => ({ ...good, collateral: good.collateral.map((c, i) => (i === which ? text : c)) });
    const der = Buffer.from(new X509Certificate(pem).raw);
    for (let i = 0; i < der.length; i++) {
      const altered = Buffer.from(der);
      altered[i]! ^= 1;
      const body = altered.toString('base64').replace(/.{64}/g, '$&\n');
      const text = `-----BEGIN CERTIFICATE-----\n${body.replace(/\n$/, '')}\n-----END CERTIFICATE-----\n`;
      expect(problem(replaced(text), hardware, hardwarePolicy), `DER byte ${i}`).toBeDefined();
    }
    for (let i = 0; i < pem.length; i++) {
      const text = pem.slice(0, i) + String.fromCodePoint(pem.codePointAt(i)! ^ 1) + pem.slice(i + 1);
      expect(problem(replaced(text), hardware, hardwarePolicy), `PEM character ${i}`).toBeDefined();
    }
    expect(problem(replaced(`${pem}\n`), hardware, hardwarePolicy)).toMatch(/collateral/);
  });

  const other = testChain(chain.chipId, chain.tcb);
  const cases: readonly [what: string, attestation: Attestation, expected: RegExp][] = [
    ['another root', attestSnp(other, identity, measurement), /root that genesis pins/],
    ['ASK of another root', { ...good, collateral: [good.collateral[0]!, other.collateral[1]] }, /root that genesis pins/],
    ['VCEK of another ASK', { ...good, collateral: [other.collateral[0], good.collateral[1]!] }, /VCEK is not signed/],
    ['swapped certificates', { ...good, collateral: good.collateral.toReversed() }, /root that genesis pins/],
    ['no collateral', { ...good, collateral: [] }, /collateral/],
    ["another chip's VCEK", attestSnp({ ...chain, chipId: 'c2'.repeat(64) }, identity, measurement), /not registered/],
    ['a TCB not the VCEK’s', attestSnp(chain, identity, measurement, { reportedTcb: 0xd4_18_00_00_00_00_02_04n }), /TCB is not the report/],
    ['VLEK', attestSnp(chain, identity, measurement, { keyFlags: 1 << 2 }), /not signed by a VCEK/],
    ['the root as ASK', { ...good, collateral: [good.collateral[0]!, chain.root] }, /VCEK is not signed/],
    ['TDX', { ...good, kind: 'tdx' }, /TDX/],
    ['a short report', { ...good, report: good.report.slice(2) }, /1184/],
    ['an upper-case report', { ...good, report: good.report.toUpperCase() }, /1184/],
  ];
  test.each(cases)('A5: %s is refused', (_what, attestation, expected) => {
    expect(problem(attestation, hardware, hardwarePolicy)).toMatch(expected);
  });

  test("A2: another registered chip's report needs that chip's VCEK", () => {
    const both = genesisWith({ kind: 'hardware', roots: [chain.root] }, [chain.chipId, 'c2'.repeat(64)]);
    const lying = attestSnp({ ...chain, chipId: 'c2'.repeat(64) }, identity, measurement);
    expect(problem(lying, both, hardwarePolicy)).toMatch(/not this chip's/);
  });

  test('A2: hardware without pinned HOST_DATA or registered chips fails closed', () => {
    expect(problem(good, hardware, policyWith())).toMatch(/lists no HOST_DATA/);
    const nobody = genesisWith({ kind: 'hardware', roots: [chain.root] });
    expect(problem(good, nobody, hardwarePolicy)).toMatch(/no chips are registered/);
    expect(problem(good, simulated, hardwarePolicy)).toMatch(/simulated enclaves only/);
  });
});

describe('parsers', () => {
  test('A5: a report has one spelling', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: SNP_REPORT_BYTES, maxLength: SNP_REPORT_BYTES }),
        fc.integer({ min: 0, max: 6 }),
        (raw, version) => {
          raw.set([version, 0, 0, 0]);
          for (const [from, to] of [
            [0x4c, 0x50],
            [0x18b, 0x1a0],
            [0x1eb, 0x1ec],
            [0x1ef, 0x1f0],
            [0x208, 0x2a0],
          ] as const)
            raw.fill(0, from, to);
          const report = parseSnpReport(raw);
          if (version === 5) expect(report).toBeDefined();
          if (version < 2 || version > 5) expect(report).toBeUndefined();
          if (report) expect(encodeSnpReport(report)).toEqual(raw);
        },
      ),
    );
  });

  test('A5: arbitrary bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * SNP_REPORT_BYTES }), fc.constantFrom('simulated', 'sev-snp', 'tdx'), (raw, kind) => {
        expect(problem({ kind, report: hex(raw), collateral: [hex(raw.subarray(0, 32)), 'x'] })).toBeDefined();
        certificateExtensions(raw);
        const nodes = derNodes(raw);
        expect(nodes === undefined || nodes.every(({ value }) => value.length <= raw.length)).toBe(true);
      }),
    );
  });

  test('A5: encoding refuses what does not fit', () => {
    expect(() => encodeSnpReport(snpReport({ measurement: '00' }))).toThrow(RangeError);
    expect(() => encodeSnpReport(snpReport({ reportedTcb: 2n ** 64n }))).toThrow(RangeError);
    expect(() => encodeSnpReport(snpReport({ vmpl: -1 }))).toThrow(RangeError);
  });

  test('A5: TCB comparison is by component', () => {
    expect(tcbReaches(0x0102n, 0x0102n)).toBe(true);
    expect(tcbReaches(0x0201n, 0x0102n)).toBe(false);
    expect(tcbReaches(2n ** 64n - 1n, 0x0102n)).toBe(true);
  });
});
