/** Real signatures and paths for the operations of the differential test. Keys are made of names; nothing here is secret. */
import { decideMessage, encodeHead, type Head } from '@scs/protocol/certificate.ts';
import { concat, hex, utf8 } from '@scs/protocol/encoding/bytes.ts';
import { sign } from '@scs/protocol/keys.ts';
import { MerkleMap } from '@scs/protocol/merkle.ts';
import { encodeRecoveryClaim, recoveryMessage } from '@scs/protocol/recovery.ts';
import { digestOf, testKey, type TestKey } from '@scs/protocol/testing/keys.ts';
import type { OfferedVote, Operation, Votes } from './operation.ts';

export const genesisOfModel = digestOf('differential genesis');
const elsewhere = digestOf('another genesis');
/** Each generation has keys of its own. */
export const masterOf = (generation: number, master: number): TestKey => testKey(`differential master ${generation} ${master}`);
export const committeeKeys = (generation: number): string[] => [0, 1, 2].map((i) => masterOf(generation, i).publicKey);

export interface CertifiedBytes {
  readonly head: Uint8Array;
  readonly masters: Uint8Array;
  readonly signatures: readonly string[];
  readonly value: Uint8Array;
  readonly siblings: readonly Uint8Array[];
}

/** The leaf in a small state, certified by these votes, faults and all. */
export const certifiedLeaf = (key: string, value: Uint8Array, votes: Votes): CertifiedBytes => {
  const entries = [[key, value] as const, ...[0, 1, 2].map((i) => [`task/${i}`, utf8(`${i}`)] as const)];
  const state = entries.reduce((map, [k, v]) => map.set(k, v), MerkleMap.empty);
  const head: Head = {
    genesis: votes.fault === 'genesis' ? elsewhere : genesisOfModel,
    generation: BigInt(votes.generation),
    height: BigInt(votes.height),
    stateRoot: hex(votes.fault === 'path' ? MerkleMap.empty.set(key, utf8('other')).root() : state.root()),
    block: digestOf('block'),
  };
  const message = votes.fault === 'signature' ? encodeHead(head) : decideMessage(head);
  return {
    head: encodeHead(head),
    masters: Uint8Array.from(votes.masters),
    signatures: votes.masters.map((master) => sign(masterOf(votes.generation, master).seed, message)),
    value,
    siblings: state.prove(key)?.siblings ?? [],
  };
};

export const offeredVote = (vote: OfferedVote): { head: Uint8Array; signature: string } => {
  const head: Head = {
    genesis: genesisOfModel,
    generation: BigInt(vote.generation),
    height: BigInt(vote.height),
    stateRoot: digestOf('state'),
    block: digestOf(`block ${vote.block}`),
  };
  const message = vote.inView === true ? concat(utf8('SCS::prepare::v1'), encodeHead(head)) : decideMessage(head);
  return { head: encodeHead(head), signature: sign(masterOf(vote.generation, vote.signer).seed, message) };
};

const recoveryOf = (i: number): TestKey => testKey(`differential recovery ${i}`);
export const recoveryKeys = [0, 1, 2].map((i) => recoveryOf(i).publicKey);
/** A recovery claim in bytes, and its signatures. */
export const offeredClaim = ({ claim, signers, fault }: Extract<Operation, { kind: 'open_recovery' }>) => {
  const keys = committeeKeys(claim.generation);
  const whole = {
    genesis: fault === 'genesis' ? elsewhere : genesisOfModel,
    round: BigInt(claim.round),
    generation: BigInt(claim.generation),
    height: BigInt(claim.height),
    stateRoot: digestOf('state'),
    keys: fault === 'equal keys' ? [keys[0]!, keys[1]!, keys[0]!] : keys,
  };
  const message = fault === 'signature' ? encodeRecoveryClaim(whole) : recoveryMessage(whole);
  return { bytes: encodeRecoveryClaim(whole), signatures: signers.map((i) => sign(recoveryOf(i).seed, message)) };
};
