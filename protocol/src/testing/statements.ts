/** Signed statements as Vaults, enclaves and aggregators make them, from what the masters decided. For tests. */
import { attest } from '../simulated-enclave.ts';
import { blobDigest, outputCommitment, signStatement, sliceEvidenceDigest, type SignedSliceEvidence } from '../evidence.ts';
import { utf8 } from '../encoding/bytes.ts';
import type { Command, EnclaveReady, VaultOffer } from '../commands.ts';
import type { Attestation } from '../attestation.ts';
import type { EnclaveRecord, TaskRecord } from '../state.ts';
import { identityOf } from '../rules/enclave-ready.ts';
import { chipOf, enterprises, MEASUREMENT } from './genesis.ts';
import { actorKey, digestOf, testKey, vaultKey } from './keys.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;
interface Group {
  /** Hex digest of the genesis. */
  readonly genesisDigest: string;
}
const enterpriseOf = (vault: string): string => vault.split('/')[0]!;

/** A Vault of the enterprise that its namespace names; offers marketing and analytics to the submitter `roastery`. */
export const anOffer = (vault: string, changes: Partial<VaultOffer> = {}): VaultOffer => ({
  vault,
  uid: digestOf(`vault uid ${vault}`).slice(0, 32),
  enterprise: actorKey(enterpriseOf(vault)).address,
  publicKey: vaultKey(vault).publicKey,
  noiseKeyCommitment: digestOf(`noise ${vault}`),
  domains: [{ name: 'retail.purchase', usages: ['marketing', 'analytics'], classes: ['query'] }],
  actors: [actorKey('roastery').address],
  sizeBand: 1,
  revision: 0,
  journal: { sequence: 0n, head: digestOf(`journal ${vault} 0`) },
  ...changes,
});
export const registerCommand = (group: Group, offer: VaultOffer): CommandOf<'vault.register'> => ({
  type: 'vault.register',
  offer,
  signature: signStatement(actorKey(enterpriseOf(offer.vault)).seed, 'vault.register', group.genesisDigest, offer),
});

/** `sequence` is the journal's after this entry. */
const journalAt = (vault: string, sequence: bigint) => ({ sequence, head: digestOf(`journal ${vault} ${sequence}`) });

export const answerCommand = (
  group: Group,
  task: TaskRecord,
  vault: string,
  sequence: bigint,
  refusal?: { code: string; message: string },
): CommandOf<'vault.answer'> => {
  const answer = refusal
    ? ({ kind: 'refused', ...refusal } as const)
    : ({
        kind: 'reserved',
        microRho: task.plan!.microRho,
        snapshotCommitment: digestOf(`snapshot ${vault} ${task.uid}`),
        consentCommitment: digestOf(`consent ${vault} ${task.uid}`),
        journal: journalAt(vault, sequence),
      } as const);
  const statement = { task: task.uid, vault, answer };
  return {
    type: 'vault.answer',
    statement,
    signature: signStatement(vaultKey(vault).seed, 'vault.answer', group.genesisDigest, statement),
  };
};

/** Names the enclave's keys: another `start` is a restarted pod. */
export const enclaveKey = (task: string, subject: string, start: number) => testKey(`enclave ${task} ${subject} ${start}`);

/** `subject`: a Vault for a slice, an enterprise's address for an aggregator; `enterprise` names whose chip it runs on. */
export const readyCommand = (
  group: Group,
  task: TaskRecord,
  role: 'slice' | 'aggregator',
  subject: string,
  enterprise: string,
  start = 0,
): CommandOf<'enclave.ready'> => {
  const { seed, publicKey: signKey } = enclaveKey(task.uid, subject, start);
  const keys = { task: task.uid, role, subject, signKey, sealKey: testKey(`seal ${task.uid} ${subject} ${start}`).publicKey };
  const statement: EnclaveReady = { ...keys, attestation: attest(chipOf(enterprise), identityOf(keys, group.genesisDigest), MEASUREMENT) };
  return { type: 'enclave.ready', statement, signature: signStatement(seed, 'enclave.ready', group.genesisDigest, statement) };
};
export const sliceReadyCommand = (group: Group, task: TaskRecord, vault: string, start = 0): CommandOf<'enclave.ready'> =>
  readyCommand(group, task, 'slice', vault, enterpriseOf(vault), start);

/** Which start made the enclave with that key. */
const startOf = (task: string, subject: string, signKey: string): number => {
  for (let start = 0; start < 64; start++) if (enclaveKey(task, subject, start).publicKey === signKey) return start;
  throw new Error(`no enclave of ${subject} has key ${signKey}`);
};
const evidenceAt = (group: Group, task: TaskRecord, vault: string, start: number): SignedSliceEvidence => {
  const { signKey, sealKey, attestation } = sliceReadyCommand(group, task, vault, start).statement;
  const part = task.parts.find((p) => p.vault === vault)!;
  const output = { cells: [1n, 2n, 3n], nonce: digestOf(`output ${task.uid} ${vault}`) };
  const evidence = {
    envelope: task.envelope!,
    vault,
    round: 0,
    attestation,
    signKey,
    sealKey,
    program: digestOf('program'),
    snapshotCommitment: part.snapshotCommitment!,
    consentCommitment: part.consentCommitment!,
    outputCommitment: outputCommitment(output),
  };
  return { evidence, signature: signStatement(enclaveKey(task.uid, vault, start).seed, 'slice.evidence', group.genesisDigest, evidence) };
};
/** The evidence that the Vault's decided receipt names; before the release, that of the decided enclave. */
export const sliceEvidence = (group: Group, task: TaskRecord, vault: string): SignedSliceEvidence => {
  const { enclave, release, formerEnclaves } = task.parts.find((p) => p.vault === vault)!;
  const last = startOf(task.uid, vault, enclave!.signKey);
  const released = (start: number): SignedSliceEvidence | undefined => {
    const signed = evidenceAt(group, task, vault, start);
    return !release || sliceEvidenceDigest(signed) === release.evidence ? signed : undefined;
  };
  const now = released(last);
  if (now) return now;
  for (let start = 0; start <= formerEnclaves!.length; start++) {
    const before = released(start);
    if (before) return before;
  }
  return evidenceAt(group, task, vault, last);
};
export const releaseCommand = (group: Group, task: TaskRecord, vault: string, sequence: bigint): CommandOf<'slice.release'> => {
  const signed = sliceEvidence(group, task, vault);
  const receipt = {
    envelope: task.envelope!,
    task: task.uid,
    vault,
    evidence: sliceEvidenceDigest(signed),
    outputCommitment: signed.evidence.outputCommitment,
    committedMicroRho: task.plan!.microRho,
    journal: journalAt(vault, sequence),
  };
  return { type: 'slice.release', receipt, signature: signStatement(vaultKey(vault).seed, 'slice.release', group.genesisDigest, receipt) };
};

/** A task that is not dispatched any more holds its digest alone. */
const attestedAgain = (group: Group, enclave: EnclaveRecord): Attestation => {
  const name = enterprises.find((e) => actorKey(e).address === enclave.subject)!;
  return attest(chipOf(name), identityOf(enclave, group.genesisDigest), MEASUREMENT);
};

export const aggregateCommand = (
  group: Group,
  task: TaskRecord,
  enterprise: string,
  sealedResult: Uint8Array = utf8(`sealed result of ${task.uid}`),
): CommandOf<'aggregate.evidence'> => {
  const { signKey, sealKey, attestation = attestedAgain(group, task.aggregatorEnclave!) } = task.aggregatorEnclave!;
  const survivors = task.parts.filter(({ vault }) => task.survivors!.includes(vault));
  const evidence = {
    envelope: task.envelope!,
    attestation,
    signKey,
    sealKey,
    enterprise,
    inputs: survivors.map(({ vault, release }) => ({ vault, outputCommitment: release!.outputCommitment })),
    sealedResult: blobDigest(sealedResult),
  };
  const { seed } = enclaveKey(task.uid, enterprise, startOf(task.uid, enterprise, signKey));
  return {
    type: 'aggregate.evidence',
    task: task.uid,
    aggregate: { evidence, signature: signStatement(seed, 'aggregate.evidence', group.genesisDigest, evidence) },
    slices: survivors.map(({ vault }) => sliceEvidence(group, task, vault)),
  };
};
