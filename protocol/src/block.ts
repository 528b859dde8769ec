/** Blocks: what the masters order (rules T5, N6). */
import { z } from 'zod';
import type { Head } from './certificate.ts';
import { Command } from './commands.ts';
import { decodeCanonicalAs, encodeCanonical } from './encoding/canonical.ts';
import { digest, type Digest } from './encoding/hash.ts';

export const Block = z.strictObject({
  height: z.bigint().min(1n),
  generation: z.bigint().min(0n),
  /** Digest of the block before; the genesis digest at height 1. */
  parent: z.string().regex(/^[0-9a-f]{64}$/),
  /** Log time, milliseconds; never below the parent's (T5). */
  time: z.int().min(0),
  proposer: z.int().min(0).max(2),
  commands: z.array(Command).max(1000),
});
export type Block = z.infer<typeof Block>;
export const MAX_BLOCK_BYTES = 8 * 1024 * 1024;

/** Bytes and digests of blocks by the block, which nobody changes: each is asked for several times on its way to being decided. */
const encoded = new WeakMap<Block, Uint8Array>();
const digests = new WeakMap<Block, Digest<'block'>>();

export const encodeBlock = (block: Block): Uint8Array => {
  const known = encoded.get(block);
  if (known) return known;
  const bytes = encodeCanonical(block);
  encoded.set(block, bytes);
  return bytes;
};
export const decodeBlock = (bytes: Uint8Array): Block => {
  if (bytes.length > MAX_BLOCK_BYTES) throw new RangeError(`block of ${bytes.length} bytes exceeds ${MAX_BLOCK_BYTES}`);
  const block = decodeCanonicalAs((value) => Block.parse(value), bytes);
  encoded.set(block, bytes);
  return block;
};
export const blockDigest = (block: Block): Digest<'block'> => {
  const known = digests.get(block);
  if (known !== undefined) return known;
  const made = digest('block', encodeBlock(block));
  digests.set(block, made);
  return made;
};
export const headOf = (block: Block, genesis: string, stateRoot: string): Head => ({
  genesis,
  generation: block.generation,
  height: block.height,
  stateRoot,
  block: blockDigest(block),
});
