/** B6: noise keyed by the Vault's noise key, envelope, slice, round and snapshot commitment: a replay gives the same bytes. */
import { concat, fromHex, hex, taggedHash, utf8 } from '@scs/protocol';

export interface NoiseOf {
  /** Hex digests. */
  readonly envelope: string;
  readonly snapshotCommitment: string;
  readonly vault: string;
  readonly round: number;
}
/** Hex of 32 bytes. Fixed-length parts first, the name last: no two inputs share bytes. */
export const noiseSeed = (noiseKey: string, { envelope, snapshotCommitment, vault, round }: NoiseOf): string => {
  const roundBytes = Uint8Array.from([24, 16, 8, 0], (shift) => (round >>> shift) & 0xff);
  return hex(
    taggedHash('SCS::noise-seed', concat(fromHex(noiseKey), fromHex(envelope), fromHex(snapshotCommitment), roundBytes, utf8(vault))),
  );
};
