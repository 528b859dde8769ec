/** The golden envelope as Move: a struct of the same fields, so that Move's own BCS of it must give the same bytes (rules E2, E3). */
import { encodeEnvelope, envelopeDigest, type TaskEnvelope } from '@scs/protocol/envelope.ts';
import { hex } from '@scs/protocol/encoding/bytes.ts';

/** 32 bytes without a length, as addresses are. */
const fixed = (text: string): string => `@0x${text.replace(/^0x/, '')}`;
const text = (value: string): string => `b"${value}"`;
const bytes = (value: string): string => `x"${value}"`;
const list = (items: readonly string[]): string => `vector[${items.join(', ')}]`;

const vault = (v: TaskEnvelope['vaults'][number]): string => `EnvelopeVault {
                    vault: ${text(v.vault)},
                    key: ${fixed(v.key)},
                    enterprise: ${fixed(v.enterprise)},
                    snapshot_commitment: ${fixed(v.snapshotCommitment)},
                    consent_commitment: ${fixed(v.consentCommitment)},
                    reserved_micro_rho: ${v.reservedMicroRho}
                }`;

export const envelopeTypes = `
    struct EnvelopeVault has copy, drop {
        vault: vector<u8>,
        key: address,
        enterprise: address,
        snapshot_commitment: address,
        consent_commitment: address,
        reserved_micro_rho: u64
    }

    struct TaskEnvelope has copy, drop {
        protocol_version: u64,
        genesis: address,
        uid: vector<u8>,
        namespace: vector<u8>,
        name: vector<u8>,
        class: vector<u8>,
        usage: vector<u8>,
        submitter: address,
        terms: address,
        nonce: vector<u8>,
        policy_version: u64,
        semantic_version: address,
        epoch: u64,
        plan: vector<u8>,
        result_key: address,
        quote: u64,
        deadline: u64,
        quorum: u64,
        vaults: vector<EnvelopeVault>,
        aggregators: vector<address>
    }
`;

/** The envelope, its bytes and its digest as functions. */
export const envelopeFunctions = (e: TaskEnvelope): string => `
    /// Fields of 32 bytes without a length are addresses here: the same BCS.
    public fun envelope(): TaskEnvelope {
        TaskEnvelope {
            protocol_version: ${e.protocolVersion},
            genesis: ${fixed(e.genesis)},
            uid: ${text(e.uid)},
            namespace: ${text(e.namespace)},
            name: ${text(e.name)},
            class: ${text(e.class)},
            usage: ${text(e.usage)},
            submitter: ${fixed(e.submitter)},
            terms: ${fixed(e.terms)},
            nonce: ${bytes(e.nonce)},
            policy_version: ${e.policyVersion},
            semantic_version: ${fixed(e.semanticVersion)},
            epoch: ${e.epoch},
            plan: ${bytes(e.plan)},
            result_key: ${fixed(e.resultKey)},
            quote: ${e.quote},
            deadline: ${e.deadline},
            quorum: ${e.quorum},
            vaults: ${list(e.vaults.map(vault))},
            aggregators: ${list(e.aggregators.map(fixed))}
        }
    }

    public fun envelope_bytes(): vector<u8> {
        ${bytes(hex(encodeEnvelope(e)))}
    }

    public fun envelope_digest(): vector<u8> {
        ${bytes(envelopeDigest(e))}
    }
`;
