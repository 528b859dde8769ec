/**
 * Recovery of a lost committee (rules N9, P5): what two of three offline recovery keys sign to appoint the next one. The chain waits
 * for a delay in which anyone may show a certificate of a higher height. Twin of `scs::recovery`.
 */
import { bcs } from '@mysten/bcs';
import { concat, fromHex, utf8 } from './encoding/bytes.ts';

export interface RecoveryClaim {
  /** Digest of the genesis. */
  readonly genesis: string;
  /** Number of the claim on chain, from 1; `recovery::pending` tells the last one. */
  readonly round: bigint;
  /** The generation it appoints: the current one's plus one. */
  readonly generation: bigint;
  /** Last decided height that the holders know, and the state root there: what the new committee starts from. */
  readonly height: bigint;
  readonly stateRoot: string;
  /** Three public keys of masters. */
  readonly keys: readonly string[];
}

const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });
const Bytes32 = bcs.fixedArray(32, bcs.u8()).transform({ input: (text: string) => [...fromHex(text)], output: (bytes) => bytes });
const Claim = bcs.struct('RecoveryClaim', {
  genesis: Bytes32,
  round: U64,
  generation: U64,
  height: U64,
  stateRoot: Bytes32,
  keys: bcs.vector(Bytes32),
});
const TAG = utf8('SCS::recover::v1');

export const encodeRecoveryClaim = (claim: RecoveryClaim): Uint8Array => Claim.serialize({ ...claim, keys: [...claim.keys] }).toBytes();
/** What each recovery key signs. */
export const recoveryMessage = (claim: RecoveryClaim): Uint8Array => concat(TAG, encodeRecoveryClaim(claim));
