/**
 * Whether an attestation proves what a command claims of an enclave (rules A1, A2, A4, A5). A pure function of the command,
 * the genesis and the policy: every master, Vault and verifier runs it by itself and comes to the same answer.
 */
import { counterReportData, reportData, type Attestation, type CounterIdentity, type EnclaveIdentity } from './attestation.ts';
import { fromHex } from './encoding/bytes.ts';
import type { Genesis } from './genesis.ts';
import { verifySignature, isPublicKey } from './keys.ts';
import type { Policy } from './policy.ts';
import { chipStatement, SIMULATED_ALGORITHM } from './simulated-enclave.ts';
import { snpChainProblem } from './snp-chain.ts';
import { GUEST_POLICY, parseSnpReport, SNP_SIGNED_BYTES, tcbReaches, type SnpReport } from './snp-report.ts';

export interface AttestationFault {
  readonly code: 'AttestationInvalid';
  /** Whose: `namespace/name` of a Vault, or an enterprise's address. */
  readonly subject: string;
  readonly problem: string;
}
/** What a check sees. Each check gives a sentence when it fails. */
interface Claim {
  readonly attestation: Attestation;
  /** What report_data must be, hex, and whose chip it must be: an enterprise's or its Vault's; undefined where none is registered. */
  readonly expected: string;
  readonly owner?: string;
  readonly genesis: Genesis;
  readonly policy: Policy;
  readonly raw: Uint8Array;
  readonly report: SnpReport;
}
type Check = (claim: Claim) => string | undefined;

/** A4: what genesis says, no policy or command can change. */
const kindFitsGenesis = ({ kind }: Attestation, genesis: Genesis): string | undefined => {
  const simulated = genesis.enclave.kind === 'simulated';
  if (kind === 'simulated' && !simulated) return 'a simulated enclave, but genesis asks for hardware';
  if (kind !== 'simulated' && simulated) return `${kind} hardware, but genesis names simulated enclaves only`;
  return kind === 'tdx' ? 'TDX quotes are not verified by this protocol version; use SEV-SNP' : undefined;
};

const noDebugNoMigration: Check = ({ report: { policy } }) => {
  if ((policy & GUEST_POLICY.reservedOne) === 0n || policy > GUEST_POLICY.defined) return 'the guest policy has reserved bits set wrongly';
  if ((policy & GUEST_POLICY.debug) !== 0n) return 'the guest policy allows debugging';
  return (policy & GUEST_POLICY.migration) === 0n ? undefined : 'the guest policy allows migration';
};
/** The guest itself asked, at the most privileged level: no other software in it can have. */
const fromTheGuest: Check = ({ report }) => (report.vmpl === 0 ? undefined : `the report is from VMPL ${report.vmpl}, not 0`);
const measured: Check = ({ report, policy }) =>
  policy.enclave.measurements.includes(report.measurement) ? undefined : `measurement ${report.measurement} is not in the policy`;
const bound: Check = ({ report, expected }) =>
  report.reportData === expected ? undefined : 'report_data does not bind these keys, task, role and group';
const upToDate: Check = ({ report, policy }) => {
  const { minimumTcb } = policy.enclave;
  const low = [report.reportedTcb, report.currentTcb, report.committedTcb, report.launchTcb].find((tcb) => !tcbReaches(tcb, minimumTcb));
  return low === undefined ? undefined : `TCB ${low.toString(16)} is below the policy's ${minimumTcb.toString(16)}`;
};
const hostDataPinned: Check = ({ report, policy, attestation }) => {
  const listed = policy.enclave.hostData;
  if (!listed && attestation.kind !== 'simulated') return 'the policy lists no HOST_DATA, which hardware needs';
  return (listed ?? ['0'.repeat(64)]).includes(report.hostData) ? undefined : `HOST_DATA ${report.hostData} is not in the policy`;
};
const chipIsTheActors: Check = ({ report, owner, genesis, attestation }) => {
  if (/^0*$/.test(report.chipId) || (report.keyFlags & 2) !== 0) return 'the chip is masked';
  if (owner === undefined) return undefined; // a counter may run on any genuine chip: its master's signature says whose it is
  const actor = genesis.actors.find(
    ({ address, enterprise }) => enterprise && (address === owner || enterprise.namespace === owner.split('/')[0]),
  );
  const chips = actor?.enterprise?.chips;
  if (!chips) return attestation.kind === 'simulated' ? undefined : 'no chips are registered to the enterprise';
  return chips.includes(report.chipId) ? undefined : 'the chip is not registered to the enterprise';
};
const genuine: Check = (claim) => (claim.attestation.kind === 'simulated' ? simulatedProblem(claim) : hardwareProblem(claim));

const simulatedProblem: Check = ({ attestation, report, raw, genesis }) => {
  const [chipKey, certificate, ...more] = attestation.collateral;
  if (!chipKey || !certificate || more.length > 0 || !isPublicKey(chipKey)) return 'collateral is not the chip key and its certificate';
  if (report.signatureAlgorithm !== SIMULATED_ALGORITHM) return `signature algorithm ${report.signatureAlgorithm} is not the simulated one`;
  if (genesis.enclave.kind !== 'simulated') return 'genesis asks for hardware';
  if (!verifySignature(genesis.enclave.root, chipStatement(report.chipId, chipKey), certificate))
    return "the chip's certificate is not signed by the simulated root of genesis";
  const rest = report.signature.slice(128);
  if (!/^0*$/.test(rest) || !verifySignature(chipKey, raw.subarray(0, SNP_SIGNED_BYTES), report.signature.slice(0, 128)))
    return "the report's signature does not fit the chip's key";
  return undefined;
};
const hardwareProblem: Check = ({ attestation, report, raw, genesis }) =>
  genesis.enclave.kind === 'hardware'
    ? snpChainProblem(raw, report, attestation.collateral, genesis.enclave.roots)
    : 'genesis names simulated enclaves only';

/** In the order in which a person would want to hear of it; the signature last, for it costs most. */
const checks: readonly Check[] = [fromTheGuest, noDebugNoMigration, bound, measured, hostDataPinned, upToDate, chipIsTheActors, genuine];

/** undefined when the attestation proves `identity` under `genesis` and `policy` (the version at the task's admission). Never throws. */
export const attestationFault = (
  attestation: Attestation,
  identity: EnclaveIdentity,
  genesis: Genesis,
  policy: Policy,
): AttestationFault | undefined =>
  problemOf(attestation, { expected: reportData(identity), owner: identity.subject }, identity.subject, genesis, policy);

/** The same for a master's trusted counter (N2, N8), under the policy in force. Never throws. */
export const counterAttestationFault = (
  attestation: Attestation,
  identity: CounterIdentity,
  genesis: Genesis,
  policy: Policy,
): AttestationFault | undefined =>
  problemOf(attestation, { expected: counterReportData(identity) }, `master ${identity.master}`, genesis, policy);

const problemOf = (
  attestation: Attestation,
  about: Pick<Claim, 'expected' | 'owner'>,
  subject: string,
  genesis: Genesis,
  policy: Policy,
): AttestationFault | undefined => {
  const fault = (problem: string): AttestationFault => ({ code: 'AttestationInvalid', subject, problem });
  const wrongKind = kindFitsGenesis(attestation, genesis);
  if (wrongKind) return fault(wrongKind);
  if (!/^[0-9a-f]{2368}$/.test(attestation.report)) return fault('the report is not 1184 bytes of lowercase hex');
  const raw = fromHex(attestation.report);
  const report = parseSnpReport(raw);
  if (!report) return fault('the report is not in the SEV-SNP layout (versions 2 to 5, reserved bytes zero)');
  const claim: Claim = { attestation, ...about, genesis, policy, raw, report };
  for (const check of checks) {
    const problem = check(claim);
    if (problem) return fault(problem);
  }
  return undefined;
};
